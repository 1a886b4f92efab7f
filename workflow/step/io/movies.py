"""The raw store of black hole movies: every source in one layout, one HDF5 file per ingestion job.

Each movie is a group ``/movies/<source>``, each set of single images a group ``/images/<source>``, with a dataset
`frames` (time, y, x) in Jy per pixel, as displayed: row 0 is the north, column 0 the east. Attributes say where it
came from. Files are written and read one frame at a time.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from step.errors import InputError
from step.io.atomic import whole_file
from step.io.hdf5 import create_hdf5, open_hdf5, read_dataset

GROUP_OF = {"movie": "movies", "image": "images"}
"""Where a raw store has what is of each kind: a movie may be called like a set of images of the same simulation."""


@dataclass(frozen=True)
class MovieFacts:
    """What is known of a movie, or of a set of single images, besides its frames."""

    source: str  # unique among its kind, without a slash
    subject: str  # simulation
    file: str  # raw file or folder of frames, relative to the root of the raw files
    kind: str  # movie, or image: single ones
    pixel_rad: float  # side of a pixel
    times_s: np.ndarray  # (time,), float64, from the first frame on; empty for single images
    ra_h: float  # this and the following are nan where the files do not say it
    dec_deg: float
    rf_hz: float
    mjd: float  # of the first frame


ATTRIBUTES = {field.name: field.type for field in fields(MovieFacts) if field.type in (str, float)}
"""The facts that are attributes of a movie's group, and their types."""


@dataclass(frozen=True)
class RawMovie:
    """A movie on its way to a raw store."""

    facts: MovieFacts
    n_frames: int
    frames: Iterable[np.ndarray]  # (y, x) each, Jy per pixel; read as they are asked for


@dataclass(frozen=True)
class StoredMovie:
    """A movie of an open raw store."""

    facts: MovieFacts
    dataset: h5py.Dataset  # (time, y, x)

    def read_frame(self, number: int) -> np.ndarray:
        """Return frame `number` (y, x), Jy per pixel, float32."""
        return self.dataset[number]


def write_movies(path: Path, movies: Iterable[RawMovie]) -> None:
    """Write `movies` to the raw store `path` as their frames come, whole or not at all."""
    with whole_file(path) as part, create_hdf5(part) as file:
        for movie in movies:
            group = file.create_group(_group_name(movie.facts.kind, movie.facts.source))
            for name in ATTRIBUTES:
                group.attrs[name] = getattr(movie.facts, name)
            # Attributes are small, and a movie may be long.
            group["times_s"] = np.asarray(movie.facts.times_s, np.float64)
            _write_frames(group, movie)


def read_movies(path: Path) -> Iterator[StoredMovie]:
    """Yield the movies of the raw store `path`, then its single images, each in the order of their names.

    Frames are read as they are asked for, before the next movie is.
    """
    with open_hdf5(path) as file:
        if not set(GROUP_OF.values()) & set(file):
            raise InputError(
                f"{path} is no raw store of movies: it has no group /movies or /images; run the ingest stage first"
            )
        for kind, name in GROUP_OF.items():
            for source in sorted(file.get(name, ())):
                dataset = read_dataset(file, f"{_group_name(kind, source)}/frames")
                yield StoredMovie(_read_facts(file[_group_name(kind, source)]), dataset)


def _group_name(kind: str, source: str) -> str:
    return f"{GROUP_OF[kind]}/{source}"


def _write_frames(group: h5py.Group, movie: RawMovie) -> None:
    written = 0
    for frame in movie.frames:
        if "frames" not in group:
            # Frames are read one at a time, so each is compressed by itself.
            dataset = group.create_dataset(
                "frames",
                (movie.n_frames, *frame.shape),
                np.float32,
                chunks=(1, *frame.shape),
                compression="gzip",
                compression_opts=1,
                shuffle=True,
            )
            dataset.attrs["axes"] = "time, y, x"
            dataset.attrs["units"] = "Jy per pixel"
        if written == movie.n_frames or frame.shape != dataset.shape[1:]:
            raise ValueError(f"frame {written} of {movie.n_frames} has shape {frame.shape}: {movie.facts.file}")
        dataset[written] = frame
        written += 1
    if written != movie.n_frames:
        raise ValueError(f"{written} frames came, {movie.n_frames} were announced: {movie.facts.file}")


def _read_facts(group: h5py.Group) -> MovieFacts:
    attributes: dict[str, Any] = {name: kind(group.attrs[name]) for name, kind in ATTRIBUTES.items()}
    return MovieFacts(**attributes, times_s=read_dataset(group, "times_s")[()])
