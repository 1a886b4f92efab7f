"""Magnitude cines in .npz files, read slice by slice."""

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from step.errors import InputError

AXES = ("slice", "frame", "y", "x")
MAX_SLICE_BYTES = 4 * 2**30
REMEDY = "save a real array `img` (slice, frame, y, x) with numpy.savez, or drop it with data.mri.exclude"


def read_npz_slices(path: Path) -> Iterator[np.ndarray]:
    """Yield the slices (frame, y, x) of the array `img` of an .npz file; other arrays are ignored.

    An .npz is a zip of .npy files, and numpy would unpack all of `img` at once; reading on in the member
    keeps one slice in memory. Nothing is unpickled. Raises `InputError` where there is no such array or the
    file is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive, archive.open("img.npy") as member:
            shape, dtype = _read_header(member, path)
            size = int(np.prod(shape[1:])) * dtype.itemsize
            for _ in range(shape[0]):
                yield np.frombuffer(_read_exactly(member, size), dtype).reshape(shape[1:])
    except KeyError:
        raise InputError(f"no array img in {path}; {REMEDY}") from None
    # A RuntimeError is a compression that zipfile does not know, or encryption.
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise InputError(f"cannot read {path}: {' '.join(str(error).split())}; copy it again or leave it out") from None


def _read_header(member: IO[bytes], path: Path) -> tuple[tuple[int, ...], np.dtype]:
    try:
        version = np.lib.format.read_magic(member)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran_order, dtype = read(member)
    except ValueError as error:
        raise InputError(f"img of {path} is no numpy array: {error}; {REMEDY}") from None
    if dtype.kind not in "fiu" or len(shape) != len(AXES) or 0 in shape or fortran_order:
        order = ", in Fortran order" if fortran_order else ""
        raise InputError(f"img has type {dtype} and shape {shape}{order}, not {AXES}: {path}; {REMEDY}")
    if np.prod(shape[1:], dtype=float) * dtype.itemsize > MAX_SLICE_BYTES:
        raise InputError(f"img claims shape {shape}, more than 4 GiB a slice: {path}; {REMEDY}")
    return shape, dtype


def _read_exactly(member: IO[bytes], size: int) -> bytes:
    data = member.read(size)
    if len(data) != size:
        raise EOFError("it is cut short")
    return data
