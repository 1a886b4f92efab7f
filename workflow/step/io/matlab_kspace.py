"""Variables of MATLAB v7.3 files, as CMRxRecon has k-space in, with errors that name the file and the remedy."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from step.errors import InputError
from step.io.foreign_hdf5 import MAX_COMPRESSION, read_part
from step.io.hdf5 import open_hdf5, read_dataset

SINGLE_COIL = ("time", "slice", "ky", "kx")
MULTI_COIL = ("time", "slice", "coil", "ky", "kx")
"""Axes of k-space as h5py sees them, the reverse of MATLAB's."""

MAX_SLICE_BYTES = 4 * 2**30
"""A slice of all frames and coils is 0.12 GB in the challenge; this much is no cardiac cine."""


OLD_MATLAB = b"MATLAB 5.0 MAT-file"
"""What files of MATLAB v5 to v7 begin with; they are not HDF5."""


@contextmanager
def open_matlab(path: Path) -> Iterator[h5py.File]:
    """Yield the MATLAB v7.3 file `path`, opened for reading; raises `InputError` as `open_hdf5`, or if it is older."""
    if path.is_file():
        with path.open("rb") as file:
            old = file.read(len(OLD_MATLAB)) == OLD_MATLAB
        if old:
            raise InputError(
                f"{path} is a MATLAB file of version 7 or older, which is not HDF5; load it in MATLAB and save it "
                "with save(..., '-v7.3')"
            )
    with open_hdf5(path) as file:
        yield file


def find_variable(file: h5py.File, names: Collection[str], remedy: str) -> h5py.Dataset:
    """Return the first of the variables `names` that `file` has; raises `InputError` where it has none."""
    present = [name for name in names if name in set(file)]
    if not present:
        wanted = " or ".join(names)
        raise InputError(f"{file.filename}: no variable {wanted}; it holds {sorted(file) or 'nothing'}; {remedy}")
    return read_dataset(file, present[0])


def variable_name(dataset: h5py.Dataset) -> str:
    """Return the name of a variable as MATLAB has it."""
    return dataset.name.strip("/")


def check_kspace(dataset: h5py.Dataset, axes: tuple[str, ...], path: Path, remedy: str) -> None:
    """Raise `InputError` unless `dataset` of file `path` is complex, has `axes` and can be as large as it claims."""
    name = variable_name(dataset)
    if not _is_complex(dataset.dtype):
        raise InputError(f"{name} has type {dataset.dtype}, k-space has float fields real and imag: {path}; {remedy}")
    if dataset.ndim != len(axes):
        raise InputError(f"{name} has shape {dataset.shape}, it should be {axes}: {path}; {remedy}")
    if 0 in dataset.shape:
        raise InputError(f"{name} has shape {dataset.shape}, which is empty: {path}; {remedy}")
    size = path.stat().st_size
    if dataset.nbytes // dataset.shape[1] > MAX_SLICE_BYTES or dataset.nbytes > MAX_COMPRESSION * size:
        raise InputError(
            f"{name} claims {dataset.nbytes} bytes, {dataset.shape}, in a file of {size}: {path}; {remedy}"
        )


def read_slice(dataset: h5py.Dataset, number: int, path: Path, remedy: str) -> np.ndarray:
    """Return the k-space (time, [coil,] ky, kx), complex64, of slice `number`.

    Raises `InputError` where it cannot be read or has values that are not finite.
    """
    stored = read_part(dataset, np.s_[:, number], f"slice {number}", remedy)
    if stored.dtype.fields:
        kspace = np.empty(stored.shape, np.complex64)
        kspace.real, kspace.imag = stored["real"], stored["imag"]
    else:
        kspace = stored.astype(np.complex64)
    if not np.isfinite(kspace).all():
        raise InputError(f"k-space of slice {number} has values that are not finite: {path}; {remedy}")
    return kspace


def _is_complex(dtype: np.dtype) -> bool:
    """Return whether a variable has complex numbers, as MATLAB writes them or as h5py does."""
    fields: Mapping[str, tuple[Any, ...]] = dtype.fields or {}
    floats = all(kind.kind == "f" for kind, *_ in fields.values())
    return dtype.kind == "c" or (set(fields) == {"real", "imag"} and floats)
