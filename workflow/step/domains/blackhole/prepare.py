"""Sgr A*: raw movies and single images -> videos and images."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from step.domains.blackhole.data import BlackHoleData
from step.domains.blackhole.video_format import MovieFormat as Settings


def settings_of(data: BlackHoleData, seed: int) -> Settings:
    """Return what the preparation of `data` uses, of which the study's `seed` is no part."""
    return Settings(**{name: getattr(data, name) for name in Settings.model_fields})


def prepare(settings: Settings, store: Path, output: Path) -> None:
    """Write the videos and the single images of the raw store `store` to `output`, one video in memory at a time."""
    from step.domains.blackhole.movie import n_prepared, prepare_movie
    from step.io.movies import read_movies
    from step.io.videos import write_videos
    from step.progress import Progress

    counts = {"movie": 0, "image": 0}
    for movie in read_movies(store):
        counts[movie.facts.kind] += n_prepared(movie, settings)
    shape = (counts["movie"], settings.frames, 1, settings.resolution, settings.resolution)
    with Progress("prepare", sum(counts.values()), "video") as progress:

        def prepared(kind: str) -> Iterator:
            for movie in read_movies(store):
                if movie.facts.kind == kind:
                    yield from _counted(prepare_movie(movie, settings), progress)

        write_videos(output, shape, prepared("movie"), (counts["image"], prepared("image")))


def _counted(videos: Iterable, progress) -> Iterator:
    for video in videos:
        yield video
        progress.advance()
