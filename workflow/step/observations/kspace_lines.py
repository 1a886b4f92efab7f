"""The phase-encode lines that a raw file and its sampling mask hold, as the forward model of MRI has them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from step.errors import InputError
from step.io.foreign_hdf5 import read_part
from step.io.hdf5 import open_hdf5
from step.io.matlab_kspace import (
    MULTI_COIL,
    SINGLE_COIL,
    check_kspace,
    find_variable,
    read_slice,
    variable_name,
)
from step.physics.fourier import fft2c, ifft2c
from step.physics.mri import fit_rows

SAMPLINGS = ("sub04", "sub08", "sub10", "full")

AXES = {f"kspace_single_{sampling}": SINGLE_COIL for sampling in SAMPLINGS} | {
    f"kspace_{sampling}": MULTI_COIL for sampling in SAMPLINGS
}
"""The variables that hold k-space, and their axes."""

MASKS = ("mask04", "mask08", "mask10", "mask")
"""The variables that hold a sampling mask (ky, kx), above 0 where a sample was measured."""

OTHER_FILE = "name another file in the observation's data.kspace"
OTHER_MASK = "name the mask of the same scan in the observation's data.mask"


@dataclass(frozen=True)
class RawSlice:
    """All frames of one slice, as the scanner stored them."""

    path: Path
    variable: str
    kspace: np.ndarray  # (time, ky, kx), complex64


def read_kspace(path: Path, number: int, n_frames: int) -> RawSlice:
    """Return slice `number` of the raw file `path`, which must have `n_frames` frames or more.

    Raises `InputError` for several coils: maps to combine them come from k-space without gaps.
    """
    _check_existence(path, OTHER_FILE)
    with open_hdf5(path) as file:
        dataset = find_variable(file, AXES, OTHER_FILE)
        name = variable_name(dataset)
        check_kspace(dataset, AXES[name], path, OTHER_FILE)
        if AXES[name] == MULTI_COIL:
            raise InputError(
                f"{name} has {dataset.shape[2]} coils, which cannot be combined where lines are missing: {path}; "
                f"name the patient's SingleCoil file, with {name.replace('kspace', 'kspace_single')}"
            )
        if number >= dataset.shape[1]:
            raise InputError(
                f"{name} has slices 0 to {dataset.shape[1] - 1}, the observation's data.slice is {number}: {path}; "
                "give one of these"
            )
        if dataset.shape[0] < n_frames:
            raise InputError(
                f"{name} has {dataset.shape[0]} frames, the observation needs {n_frames} with those before its "
                f"first: {path}; lower its data.first_frame, or {OTHER_FILE}"
            )
        return RawSlice(path, name, read_slice(dataset, number, path, OTHER_FILE))


def read_mask(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Return which lines were measured, (ky,) bool, of a mask of `shape` (ky, kx).

    Raises `InputError` where a line was measured in part.
    """
    _check_existence(path, OTHER_MASK)
    with open_hdf5(path) as file:
        dataset = find_variable(file, MASKS, OTHER_MASK)
        name = variable_name(dataset)
        if dataset.dtype.kind not in "buif":
            raise InputError(f"{name} has type {dataset.dtype}, a mask has numbers: {path}; {OTHER_MASK}")
        if dataset.shape != shape:
            raise InputError(f"{name} has shape {dataset.shape}, k-space has {shape}: {path}; {OTHER_MASK}")
        stored = read_part(dataset, (), name, OTHER_MASK)
    if not np.isfinite(stored).all():
        raise InputError(f"{name} has values that are not finite: {path}; {OTHER_MASK}")
    measured = stored > 0
    mask = measured[:, 0]
    if (measured != mask[:, None]).any():
        line = np.flatnonzero((measured != mask[:, None]).any(axis=1))[0]
        raise InputError(
            f"{name} has line {line} in part, {measured[line].sum()} of {shape[1]} samples: {path}; "
            "only whole lines can be used, name a mask that is constant along kx in the observation's data.mask"
        )
    if not mask.any():
        raise InputError(f"{name} has no line: {path}; {OTHER_MASK}")
    return mask


def keep_measured(raw: RawSlice, mask: np.ndarray, mask_path: Path) -> np.ndarray:
    """Return the k-space (time, ky, kx) of `raw` with zeros outside `mask` (ky,).

    Raises `InputError` where a line of the mask has no data in any frame: the mask is not that of the file.
    """
    empty = np.flatnonzero(mask & ~raw.kspace.any(axis=(0, 2)))
    if empty.size:
        raise InputError(
            f"{empty.size} of {mask.sum()} lines of the mask {mask_path} are zero in all frames, line {empty[0]} for "
            f"one: {raw.path}; {OTHER_MASK}"
        )
    return raw.kspace * mask[:, None]


def fit_readout(kspace: np.ndarray, n_columns: int) -> np.ndarray:
    """Return `kspace` (time, ky, kx) with `n_columns` samples per line, orthonormal and in units of the raw image.

    The readout is measured whole, so an image along x can be made of each line, cut or filled with zeros about its
    centre, and transformed back; phase encoding is left as it is. The raw image is the inverse FFT of the raw matrix
    with "backward" normalisation, `step.physics.fourier` is orthonormal: hence the root of the matrix's size.
    """
    n_lines, n_samples = kspace.shape[1:]
    # Each line as an image of one row, so that the transform over both axes is one along kx.
    rows = ifft2c(torch.from_numpy(kspace)[:, :, None])
    fitted = fit_rows(rows.mT, n_columns).mT
    return fft2c(fitted)[:, :, 0].numpy() / (n_lines * n_samples) ** 0.5


def peak(kspace: np.ndarray, raw: RawSlice) -> float:
    """Return the largest magnitude of the zero-filled image of `kspace` (time, ky, kx), within kx rows.

    Aliases lower or raise it a little against that of the object. Raises `InputError` where it is zero.
    """
    image = fit_rows(ifft2c(torch.from_numpy(kspace)), kspace.shape[2])
    value = float(image.abs().max())
    if value == 0:
        raise InputError(f"{raw.variable} has a slice whose image is zero everywhere: {raw.path}; {OTHER_FILE}")
    return value


def phase(kspace: np.ndarray, mask: np.ndarray, raw: RawSlice) -> float:
    """Return the angle, rad, of the time-averaged centre of `kspace` (time, ky, kx).

    Raises `InputError` where `mask` (ky,) lacks the centre's line.
    """
    line, sample = kspace.shape[1] // 2, kspace.shape[2] // 2
    if not mask[line]:
        raise InputError(
            f"data.mri.reference_phase needs the line of the zero frequency, line {line} of {len(mask)}, which the "
            f"mask of {raw.path} lacks; {OTHER_MASK}"
        )
    return float(np.angle(kspace[:, line, sample].sum(dtype=np.complex128)))


def _check_existence(path: Path, remedy: str) -> None:
    if not path.is_file():
        raise InputError(f"no file {path}; {remedy}")
