"""Sgr A*: who is in the study, and their movies and single images, whatever the raw files are."""

from collections.abc import Sequence
from pathlib import Path

from step.domains.blackhole.data import BlackHoleData
from step.domains.blackhole.movie_tree import SUFFIXES, RawSource, files_of_kind, find_sources
from step.domains.blackhole.movie_tree import MovieIngestion as Settings
from step.errors import InputError

WHERE_DATA = (
    "set data.blackhole.root to a library of GRMHD movies, which are not public, or data.blackhole.source to simulation"
)


def settings_of(data: BlackHoleData, seed: int) -> Settings:
    """Return what the ingestion of `data` uses, of which the study's `seed` is no part."""
    return Settings(**{name: getattr(data, name) for name in Settings.model_fields})


def find_files(data: BlackHoleData) -> dict[str, list[Path]]:
    """Return the raw files of each of the study's simulations, folders where frames are files, without opening one.

    Raises `InputError` where the raw files are missing; simulated ones need not exist yet and are not listed.
    """
    if data.source == "simulation":
        return {subject: [] for subject in data.simulated_subjects}
    if not data.root.is_dir():
        raise InputError(f"no folder {data.root} (data.blackhole.root); {WHERE_DATA}")
    sources = find_sources(data.root, data)
    for kind, files in files_of_kind(data).items():
        if not any(source.kind == kind for source in sources):
            key = {"movie": "movies", "image": "single_images"}[kind]
            suffixes = " or ".join(SUFFIXES[files.format])
            raise InputError(
                f"no {suffixes} files of data.blackhole.{key} under {data.root / files.folder}; correct its folder or "
                f"format, or data.blackhole.exclude; {WHERE_DATA}"
            )
    files_of: dict[str, list[Path]] = {}
    for source in sources:
        files_of.setdefault(source.subject, []).append(source.path)
    return files_of


def ingest(settings: Settings, root: Path, subjects: Sequence[str], output: Path) -> None:
    """Write the raw store of `subjects` under `root`, their movies and single images, one frame in memory at a time.

    Raises `InputError` for a subject without files and for every file that cannot be used.
    """
    from step.domains.blackhole.movie_frames import read_sources
    from step.io.movies import write_movies
    from step.progress import track

    sources = track(_sources_of(settings, root, subjects), "ingest", "movie")
    write_movies(output, read_sources(settings, root, sources))


def _sources_of(settings: Settings, root: Path, subjects: Sequence[str]) -> list[RawSource]:
    found = find_sources(root, settings)
    without = sorted(set(subjects) - {source.subject for source in found})
    if without:
        raise InputError(
            f"no files of subject {without[0]} under {root}; check its name, the folders of data.blackhole.movies and "
            "single_images, and data.blackhole.exclude"
        )
    return [source for source in found if source.subject in set(subjects)]
