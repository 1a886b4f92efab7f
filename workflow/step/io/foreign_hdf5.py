"""Datasets of HDF5 files that others wrote, checked before anything of them is read."""

from typing import Any, Protocol

import h5py
import numpy as np

from step.errors import InputError
from step.io.hdf5 import read_dataset

MAX_FRAME_BYTES = 2**28
"""A frame of 400 x 400 pixels has 1.3 MB; this much, 5792 x 5792, is none."""

MAX_COMPRESSION = 1100
"""Deflate compresses at most 1032 times, so a file that declares more than this holds no data."""


def read_foreign_dataset(file: h5py.File, name: str, remedy: str) -> h5py.Dataset:
    """Return the dataset `name` of `file`.

    Raises `InputError` with `remedy` where there is none, its data lie elsewhere, or there are more than can be.
    """
    try:
        dataset = read_dataset(file, name)
    except InputError as error:
        raise InputError(f"{error}; {remedy}") from None
    size = file.id.get_filesize()
    if dataset.nbytes > MAX_COMPRESSION * size:
        raise InputError(f"{_claim(dataset)}, in a file of {size}: {file.filename}; copy it again or leave it out")
    return dataset


def check_frame_size(dataset: h5py.Dataset, n_frames: int) -> None:
    """Raise `InputError` where each of the `n_frames` in `dataset` is larger than a frame can be."""
    if dataset.nbytes > MAX_FRAME_BYTES * n_frames:
        raise InputError(
            f"{_claim(dataset)}, for {n_frames} frames; a frame has at most {MAX_FRAME_BYTES}: "
            f"{dataset.file.filename}; make its frames smaller or leave it out"
        )


class Stored(Protocol):
    """A dataset of HDF5, or what is read as one."""

    @property
    def name(self) -> str:
        """What it is called in its file."""
        ...

    @property
    def file(self) -> Any:
        """The file, which has a `filename`."""
        ...

    def __getitem__(self, index: Any) -> np.ndarray:
        """Read a part."""
        ...


def read_part(dataset: Stored, index: tuple | int, what: str | None = None, remedy: str = "leave it out") -> np.ndarray:
    """Return ``dataset[index]`` as an array; raises `InputError` where it is damaged.

    The error calls the part `what`, or by the dataset's name, and says that the file is to be copied again or `remedy`.
    """
    try:
        return dataset[index]
    except OSError as error:
        reason, what = " ".join(str(error).split()), what or dataset.name.strip("/")
        raise InputError(
            f"cannot read {what} of {dataset.file.filename}: {reason}; copy it again or {remedy}"
        ) from None


def _claim(dataset: h5py.Dataset) -> str:
    return f"{dataset.name.strip('/')} claims shape {dataset.shape}, {dataset.nbytes} bytes"
