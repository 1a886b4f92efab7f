"""Variables of MATLAB files, as CMRxRecon has k-space in, with errors that name the file and the remedy."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, TypeVar

import h5py
import numpy as np

from step.errors import InputError
from step.io.foreign_hdf5 import MAX_COMPRESSION, Stored, read_part
from step.io.hdf5 import open_hdf5, read_dataset

SINGLE_COIL = ("time", "slice", "ky", "kx")
MULTI_COIL = ("time", "slice", "coil", "ky", "kx")
"""Axes of k-space as h5py sees them, the reverse of MATLAB's."""

MAX_SLICE_BYTES = 4 * 2**30
"""A slice of all frames and coils is 0.12 GB in the challenge; this much is no cardiac cine."""


Value = TypeVar("Value")

OLD_MATLAB = b"MATLAB 5.0 MAT-file"
"""What files of MATLAB v5 to v7 begin with; they are not HDF5."""


class Variable(Stored, Protocol):
    """A variable of a MATLAB file of any version."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its axes, in the reverse of MATLAB's order."""
        ...

    @property
    def ndim(self) -> int:
        """How many axes it has."""
        ...

    @property
    def dtype(self) -> np.dtype:
        """The type of its values."""
        ...

    @property
    def nbytes(self) -> int:
        """The size of its values."""
        ...


class OldVariable:
    """A variable of a file of MATLAB v5 to v7, with what is used here of a dataset of HDF5; it is read when asked for.

    Axes are in the order of a v7.3 file, the reverse of MATLAB's.
    """

    def __init__(self, file: "OldMatlab", name: str, size: tuple[int, ...]):
        self.file = file
        self.name = name
        self.shape = tuple(reversed(size))
        self.ndim = len(size)

    @cached_property
    def values(self) -> np.ndarray:
        """All its values; raises `InputError` where they cannot be read, or are more than the file can hold."""
        claimed = int(np.prod(self.shape, dtype=object)) * np.dtype(np.complex128).itemsize
        size = self.file.path.stat().st_size
        if claimed > MAX_COMPRESSION * size:
            raise InputError(f"{self.name} claims shape {self.shape} in a file of {size} bytes: {self.file.filename}")
        return _load(self.file.path, self.name).T

    @property
    def dtype(self) -> np.dtype:
        """The type of its values."""
        return self.values.dtype

    @property
    def nbytes(self) -> int:
        """The size of its values."""
        return self.values.nbytes

    def __getitem__(self, index: Any) -> np.ndarray:
        return self.values[index]


class OldMatlab(Mapping[str, OldVariable]):
    """A file of MATLAB v5 to v7: its variables by name."""

    def __init__(self, path: Path):
        from scipy.io import whosmat

        self.path = path
        self.filename = str(path)
        self._variables = {
            name: OldVariable(self, name, size) for name, size, _ in _guard(lambda: whosmat(str(path)), path)
        }

    def __getitem__(self, name: str) -> OldVariable:
        return self._variables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)


@contextmanager
def open_matlab(path: Path) -> Iterator[h5py.File | OldMatlab]:
    """Yield the MATLAB file `path`, opened for reading; raises `InputError` as `open_hdf5`."""
    if is_old_matlab(path):
        yield OldMatlab(path)
        return
    with open_hdf5(path) as file:
        yield file


def is_old_matlab(path: Path) -> bool:
    """Return whether `path` is of MATLAB v5 to v7, which is not HDF5."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(OLD_MATLAB)) == OLD_MATLAB


def find_variable(file: h5py.File | OldMatlab, names: Collection[str], remedy: str) -> Variable:
    """Return the first of the variables `names` that `file` has; raises `InputError` where it has none."""
    present = [name for name in names if name in set(file)]
    if not present:
        wanted = " or ".join(names)
        raise InputError(f"{file.filename}: no variable {wanted}; it holds {sorted(file) or 'nothing'}; {remedy}")
    return open_variable(file, present[0])


def open_variable(file: h5py.File | OldMatlab, name: str) -> Variable:
    """Return the variable `name` of `file`, its values unread; raises `InputError` where they lie in another file."""
    return file[name] if isinstance(file, OldMatlab) else read_dataset(file, name)


def variable_name(dataset: Variable) -> str:
    """Return the name of a variable as MATLAB has it."""
    return dataset.name.strip("/")


def check_kspace(dataset: Variable, axes: tuple[str, ...], path: Path, remedy: str) -> None:
    """Raise `InputError` unless `dataset` of file `path` is complex, has `axes` and can be as large as it claims."""
    name = variable_name(dataset)
    if not is_complex(dataset.dtype):
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


def read_slice(dataset: Variable, number: int, path: Path, remedy: str) -> np.ndarray:
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


def is_complex(dtype: np.dtype) -> bool:
    """Return whether a variable has complex numbers, as MATLAB writes them or as h5py does."""
    fields: Mapping[str, tuple[Any, ...]] = dtype.fields or {}
    floats = all(kind.kind == "f" for kind, *_ in fields.values())
    return dtype.kind == "c" or (set(fields) == {"real", "imag"} and floats)


def _load(path: Path, name: str) -> np.ndarray:
    from scipy.io import loadmat

    return np.asarray(_guard(lambda: loadmat(str(path), variable_names=[name]), path)[name])


def _guard(read: Callable[[], Value], path: Path) -> Value:
    """Return what `read` does; raises `InputError` for a damaged file, whichever way scipy fails on its bytes."""
    try:
        return read()
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"cannot read {path}: {reason}; copy it again or leave it out") from None
