"""HDF5 with errors that name the file and the remedy."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from step.errors import InputError


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Yield the HDF5 file `path`, opened for reading.

    Raises `InputError` where it is missing, is not HDF5, or is cut short.
    """
    if not path.is_file():
        raise InputError(f"no file {path}; has the stage that writes it run?")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        reason = "it is cut short" if "truncated" in str(error) else "it is not HDF5"
        raise InputError(f"cannot read {path}: {reason}; copy it again or leave it out") from None
    with file:
        yield file


def read_dataset(file: h5py.File, name: str) -> h5py.Dataset:
    """Return the dataset `name` of `file`; raises `InputError` naming what there is instead.

    Links that lead out of the file are refused, so that an archive cannot make us read other files.
    """
    link = file.get(name, getlink=True) if name in file or file.get(name, getlink=True) else None
    if isinstance(link, h5py.ExternalLink):
        raise InputError(f"{file.filename}: {name} is a link to another file, {link.filename}; store the data itself")
    node = file.get(name)
    if not isinstance(node, h5py.Dataset):
        raise InputError(f"{file.filename}: no variable {name}; it holds {sorted(file) or 'nothing'}")
    if node.external:
        raise InputError(f"{file.filename}: {name} keeps its data in another file; store the data itself")
    return node
