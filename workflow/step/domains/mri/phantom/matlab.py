"""Files as MATLAB v7.3 and the CMRxRecon challenge write them."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from step.io.atomic import whole_file
from step.io.hdf5 import create_hdf5

USER_BLOCK_BYTES = 512
STORED_COMPLEX = np.dtype([("real", "<f4"), ("imag", "<f4")])


def write_kspace(path: Path, name: str, shape: tuple[int, ...], slices: Iterable[np.ndarray]) -> None:
    """Write the variable `name` (time, slice, [coil,] ky, kx) of `shape` to `path`, whole or not at all.

    `slices` yields complex64 arrays (time, [coil,] ky, kx), one in memory at a time.
    """
    with whole_file(path) as part:
        with create_hdf5(part, USER_BLOCK_BYTES) as file:
            dataset = file.create_dataset(name, shape, STORED_COMPLEX)
            dataset.attrs["MATLAB_class"] = np.bytes_("single")
            for number, kspace in enumerate(slices):
                dataset[:, number] = np.ascontiguousarray(kspace, np.complex64).view(STORED_COMPLEX)
        with part.open("r+b") as file:
            file.write(_header())


def _header() -> bytes:
    """Return MATLAB's header: 124 bytes of text and subsystem offset, version 0x0200, byte order mark."""
    text = b"MATLAB 7.3 MAT-file, HDF5 schema 1.00, written by a simulation".ljust(116)
    return text + bytes(8) + b"\x00\x02IM"
