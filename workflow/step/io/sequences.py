"""The raw store: complex image sequences of every source in one layout, one HDF5 file per ingestion job.

Each sequence is a group ``/sequences/<source>`` with a dataset ``image`` (time, y, x), complex64, in the
units of the raw file, and attributes that say where it came from. Files are written and read one sequence at
a time.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from step.errors import InputError
from step.io.atomic import whole_file
from step.io.hdf5 import create_hdf5, open_hdf5, read_dataset


@dataclass(frozen=True)
class RawSequence:
    """One slice of one subject over time."""

    source: str  # unique name, e.g. TrainingSet-P001-sax-03
    subject: str  # patient, e.g. TrainingSet-P001
    file: str  # raw file, relative to the root of the raw files
    view: str  # sax, lax, or cine where the archive does not say
    image: np.ndarray  # (time, y, x), complex64


def write_sequences(path: Path, sequences: Iterable[RawSequence]) -> None:
    """Write `sequences` to the raw store `path` as they come, whole or not at all."""
    with whole_file(path) as part, create_hdf5(part) as file:
        for sequence in sequences:
            group = file.create_group(f"sequences/{sequence.source}")
            image = group.create_dataset("image", data=np.asarray(sequence.image, np.complex64))
            image.attrs["axes"] = "time, y, x"
            image.attrs["units"] = "raw units of the file"
            for name in ("subject", "source", "file", "view"):
                group.attrs[name] = getattr(sequence, name)


def read_sequences(path: Path) -> Iterator[RawSequence]:
    """Yield the sequences of the raw store `path` in the order of their names, one in memory at a time."""
    with open_hdf5(path) as file:
        for source in _sources(file):
            attributes = file["sequences"][source].attrs
            labels = {name: str(attributes[name]) for name in ("subject", "source", "file", "view")}
            yield RawSequence(image=read_dataset(file, f"sequences/{source}/image")[()], **labels)


def read_lengths(path: Path) -> dict[str, int]:
    """Return the number of frames of each sequence of the raw store `path`, by source; no image is read."""
    with open_hdf5(path) as file:
        return {source: len(read_dataset(file, f"sequences/{source}/image")) for source in _sources(file)}


def _sources(file: h5py.File) -> list[str]:
    if "sequences" not in file:
        raise InputError(f"{file.filename} is no raw store: it has no group /sequences; run the ingest stage first")
    return sorted(file["sequences"])
