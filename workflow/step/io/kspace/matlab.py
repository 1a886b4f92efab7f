"""MATLAB's `.mat`, v5 to v7.3, as the CMRxRecon challenges of 2023, 2024 and 2025 have k-space and masks in.

Variables are found by their names (`kspace_single_full`, `kspace_sub04`, `kus`, `kspace`, ...), and where a file has
none of these, by their content: the only one that is complex and has four or five axes.
"""

import logging
import re
from pathlib import Path

import h5py
import numpy as np

from step.errors import InputError
from step.io.foreign_hdf5 import read_part
from step.io.kspace.masks import lines_of_samples
from step.io.kspace.recording import KspaceSlice, Selection, check_number, measured_lines
from step.io.matlab_kspace import (
    MULTI_COIL,
    SINGLE_COIL,
    OldMatlab,
    Variable,
    check_kspace,
    is_complex,
    is_old_matlab,
    open_matlab,
    open_variable,
    read_slice,
    variable_name,
)

logger = logging.getLogger(__name__)

KSPACE_NAME = re.compile(r"kspace(_single)?(_full|_sub\d+)?|kus", re.IGNORECASE)
MASK_NAME = re.compile(r"mask\w*", re.IGNORECASE)
AXES = {len(axes): axes for axes in (SINGLE_COIL, MULTI_COIL)}
OTHER_MASK = "name the mask of the same scan"


def recognises(path: Path) -> bool:
    """Return whether `path` is a MATLAB file: by its header, or HDF5 that ends in .mat or has a variable of k-space."""
    if is_old_matlab(path):
        return True
    if not h5py.is_hdf5(path):
        return False
    with open_matlab(path) as file:
        return path.suffix.lower() == ".mat" or any(KSPACE_NAME.fullmatch(name) for name in file)


def count_slices(path: Path, remedy: str) -> int:
    """Return the length of the axis slice."""
    with open_matlab(path) as file:
        dataset = find_kspace(file, path, remedy)
        return dataset.shape[1]


def read(path: Path, selection: Selection) -> KspaceSlice:
    """Return one slice of the MATLAB file `path`: (time, slice, [coil,] ky, kx), the reverse of MATLAB's order.

    The mask is `selection.mask`, a file, or a variable of this one; without either, lines of zeros were not measured.
    """
    with open_matlab(path) as file:
        dataset = find_kspace(file, path, selection.remedy)
        name = variable_name(dataset)
        check_number("slice", selection.slice, dataset.shape[1], path)
        kspace = read_slice(dataset, selection.slice, path, selection.remedy)
        kspace = kspace[None] if kspace.ndim == 3 else np.ascontiguousarray(kspace.swapaxes(0, 1))
        mask = None
        if selection.mask is None:
            mask = _read_mask(file, kspace.shape, path, selection.remedy, required=False)
    if selection.mask is not None:
        if not selection.mask.is_file():
            raise InputError(f"no file {selection.mask}; {OTHER_MASK}")
        with open_matlab(selection.mask) as file:
            mask = _read_mask(file, kspace.shape, selection.mask, OTHER_MASK, required=True)
    known = mask is not None
    return KspaceSlice(path, name, kspace, measured_lines(kspace) if mask is None else mask, is_complete=known)


def find_kspace(file: h5py.File | OldMatlab, path: Path, remedy: str) -> Variable:
    """Return the variable with k-space, its axes checked; raises `InputError` where there is none, or several."""
    found = [name for name in file if KSPACE_NAME.fullmatch(name)]
    by_content = not found
    if by_content:
        found = [name for name in file if _looks_like_kspace(file, name)]
    if len(found) != 1:
        raise InputError(
            f"{path}: {len(found) or 'no'} variables of k-space ({', '.join(found) or 'complex, four or five axes'}); "
            f"it holds {sorted(file) or 'nothing'}; {'keep one of them' if found else remedy}"
        )
    dataset = open_variable(file, found[0])
    if by_content:
        logger.info("%s: k-space is taken from %s, the only complex variable with such axes", path, found[0])
    axes = AXES.get(dataset.ndim, SINGLE_COIL)
    if "single" in found[0].lower():
        axes = SINGLE_COIL
    check_kspace(dataset, axes, path, remedy)
    return dataset


def _looks_like_kspace(file: h5py.File | OldMatlab, name: str) -> bool:
    node = file[name]
    is_variable = not isinstance(node, h5py.Group)
    return is_variable and node.ndim in AXES and is_complex(node.dtype)


def _read_mask(
    file: h5py.File | OldMatlab, shape: tuple[int, ...], path: Path, remedy: str, required: bool
) -> np.ndarray | None:
    named = [name for name in file if MASK_NAME.fullmatch(name)]
    if required and not named:
        named = [name for name in file if not isinstance(file[name], h5py.Group) and file[name].dtype.kind in "buif"]
    if len(named) > 1 or (required and not named):
        raise InputError(f"{path}: {len(named) or 'no'} variables of a mask; it holds {sorted(file)}; {remedy}")
    if not named:
        return None
    dataset = open_variable(file, named[0])
    if dataset.nbytes > np.prod(shape[1:], dtype=float) * 8:
        raise InputError(f"{named[0]} has shape {dataset.shape}, k-space has {shape}: {path}; {remedy}")
    return lines_of_samples(read_part(dataset, (), named[0], remedy), shape, path)
