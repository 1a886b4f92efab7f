"""HDF5 with errors that name the file and the remedy."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from step.errors import InputError

if TYPE_CHECKING:
    import h5py


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Yield the HDF5 file `path`, opened for reading.

    Raises `InputError` where it is missing, is not HDF5, or is cut short.
    """
    import h5py

    if not path.is_file():
        raise InputError(f"no file {path}; has the stage that writes it run?")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        reason = "it is cut short" if "truncated" in str(error) else "it is not HDF5"
        raise InputError(f"cannot read {path}: {reason}; copy it again or leave it out") from None
    with file:
        yield file


@contextmanager
def create_hdf5(path: Path, userblock_size: int = 0) -> Iterator[h5py.File]:
    """Yield the new HDF5 file `path`, opened for writing; raises `OSError` where the disk is full.

    HDF5 ends the process when it cannot write out a file that it closes. So after the first failure it is left
    in the belief that the rest was written, and whoever called is told of the failure.
    """
    import h5py

    with _Disk(path, "w+b") as disk:
        with h5py.File(disk, "w", userblock_size=userblock_size) as file:
            yield file
        if disk.failure:
            raise disk.failure


class _Disk(io.FileIO):
    """A file that raises when it cannot be written to, once, and afterwards writes nothing."""

    failure: OSError | None = None

    def write(self, data) -> int:
        rest = memoryview(data).cast("B")
        size = len(rest)
        while rest and not self.failure:
            with self._noting_failure():
                # Of what does not fit, the system writes a part.
                rest = rest[super().write(rest) :]
        return size

    def truncate(self, size: int | None = None) -> int:
        if not self.failure:
            with self._noting_failure():
                return super().truncate(size)
        return self.tell() if size is None else size

    @contextmanager
    def _noting_failure(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.failure = OSError(error.errno, error.strerror, self.name)
            raise self.failure from None


def read_dataset(file: h5py.Group, name: str) -> h5py.Dataset:
    """Return the dataset `name` of `file`, or of a group of one; raises `InputError` naming what there is instead.

    Links that lead out of the file are refused, so that an archive cannot make us read other files.
    """
    import h5py

    path = file.file.filename
    link = file.get(name, getlink=True) if name in file or file.get(name, getlink=True) else None
    if isinstance(link, h5py.ExternalLink):
        raise InputError(f"{path}: {name} is a link to another file, {link.filename}; store the data itself")
    node = file.get(name)
    if not isinstance(node, h5py.Dataset):
        raise InputError(f"{path}: no variable {name}; it holds {sorted(file) or 'nothing'}")
    # A group on the way may be the link, and a virtual dataset is made of pieces of other files.
    if node.external or node.is_virtual or node.file.filename != path:
        raise InputError(f"{path}: {name} keeps its data in another file; store the data itself")
    return node
