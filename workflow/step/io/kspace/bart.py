"""BART's files: `NAME.cfl`, complex64 in Fortran order, and `NAME.hdr`, its sixteen dimensions.

Uecker et al., Berkeley Advanced Reconstruction Toolbox, Proc. ISMRM 23, 2486 (2015); dimensions as of its `misc/mri.h`.
"""

import logging
from pathlib import Path

import numpy as np

from step.errors import InputError
from step.io.kspace.recording import MAX_SLICE_BYTES, KspaceSlice, Selection, check_number, measured_lines

logger = logging.getLogger(__name__)

READ, PHASE, COIL, TIME, SLICE = 0, 1, 3, 10, 13
N_DIMENSIONS = 16
NAMES = {2: "phase 2 (partitions)", 4: "maps", 5: "echo", 11: "time 2", 12: "level", 14: "average", 15: "batch"}


def recognises(path: Path) -> bool:
    """Return whether `path` is one of a pair of .cfl and .hdr."""
    return path.suffix in (".cfl", ".hdr")


def count_slices(path: Path, remedy: str) -> int:
    """Return the length of BART's dimension 13."""
    return read_dimensions(path, remedy)[SLICE]


def read(path: Path, selection: Selection) -> KspaceSlice:
    """Return one slice of the pair of files at `path`: kx, ky, coil and time are dimensions 0, 1, 3 and 10.

    Lines of zeros are those that were not measured, unless `selection.mask`, a pair of files of its own with the
    sampling pattern, says it. BART has no geometry. Raises `InputError` where another dimension is used.
    """
    array = read_array(path, selection.remedy)
    others = [axis for axis, n in enumerate(array.shape) if n > 1 and axis not in (READ, PHASE, COIL, TIME, SLICE)]
    if others:
        names = ", ".join(f"{axis} ({NAMES.get(axis, 'not of a cine')}): {array.shape[axis]}" for axis in others)
        raise InputError(f"{path} uses dimension {names}; keep one of it with `bart slice`, or {selection.remedy}")
    check_number("slice", selection.slice, array.shape[SLICE], path)
    kspace = _slice_of(array, selection.slice)
    measured = measured_lines(kspace)
    if selection.mask is not None:
        measured = _read_mask(selection, kspace.shape)
    return KspaceSlice(path, path.with_suffix("").name, kspace, measured, is_complete=selection.mask is not None)


def read_dimensions(path: Path, remedy: str) -> tuple[int, ...]:
    """Return the sixteen dimensions in the header of the pair at `path`; `InputError` where there are none."""
    header, data = path.with_suffix(".hdr"), path.with_suffix(".cfl")
    for file in (header, data):
        if not file.is_file():
            raise InputError(f"no file {file}, the other of a pair; copy it there, or {remedy}")
    lines = [line.strip() for line in header.read_text("latin-1").splitlines()]
    try:
        sizes = [int(word) for word in lines[lines.index("# Dimensions") + 1].split()]
    except (ValueError, IndexError):
        raise InputError(f"{header} has no dimensions; copy it again, or {remedy}") from None
    if not sizes or min(sizes) < 1 or len(sizes) > N_DIMENSIONS:
        raise InputError(f"{header} has dimensions {sizes}, up to {N_DIMENSIONS} above 0 are needed; {remedy}")
    needed = int(np.prod(sizes, dtype=object)) * np.dtype(np.complex64).itemsize
    if needed != data.stat().st_size:
        raise InputError(
            f"{data} has {data.stat().st_size} bytes, {needed} are needed for {sizes}; copy it again, or {remedy}"
        )
    return (*sizes, *([1] * (N_DIMENSIONS - len(sizes))))


def read_array(path: Path, remedy: str) -> np.ndarray:
    """Return the array of the pair at `path` with its sixteen axes, not yet in memory."""
    shape = read_dimensions(path, remedy)
    return np.memmap(path.with_suffix(".cfl"), np.dtype("<c8"), "r", shape=shape, order="F")


def _slice_of(array: np.ndarray, number: int) -> np.ndarray:
    """Return the slice `number` (coil, time, ky, kx) of an array of sixteen axes."""
    kept = np.moveaxis(array, (COIL, TIME, PHASE, READ), (0, 1, 2, 3))[:, :, :, :, ...]
    kept = kept.reshape(*kept.shape[:4], -1, array.shape[SLICE], 1)[..., 0, number, 0]
    if kept.nbytes > MAX_SLICE_BYTES:
        raise InputError(f"a slice has {kept.nbytes} bytes, {kept.shape}, which is no cine; leave it out")
    return np.ascontiguousarray(kept, np.complex64)


def _read_mask(selection: Selection, shape: tuple[int, ...]) -> np.ndarray:
    from step.io.kspace.masks import lines_of_samples

    path = selection.mask or Path()
    pattern = read_array(path, selection.remedy)
    if pattern.shape[SLICE] > 1:
        check_number("slice", selection.slice, pattern.shape[SLICE], path)
    number = selection.slice if pattern.shape[SLICE] > 1 else 0
    return lines_of_samples(_slice_of(pattern, number)[0].real, shape, path)
