"""The phase-encode lines that a raw file and its sampling mask hold, as the forward model of MRI has them."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from step.config.observations import Outside
from step.errors import InputError
from step.io.foreign_hdf5 import read_part
from step.io.matlab_kspace import (
    MULTI_COIL,
    SINGLE_COIL,
    check_kspace,
    find_variable,
    open_matlab,
    read_slice,
    variable_name,
)
from step.physics.fourier import fft2c, fit_rows, ifft2c, transform_readout
from step.physics.outside import estimate_outside

log = logging.getLogger(__name__)

SAMPLINGS = ("sub04", "sub08", "sub10", "full")

AXES = {f"kspace_single_{sampling}": SINGLE_COIL for sampling in SAMPLINGS} | {
    f"kspace_{sampling}": MULTI_COIL for sampling in SAMPLINGS
}
"""The variables that hold k-space, and their axes."""

MASKS = ("mask04", "mask08", "mask10", "mask")
"""The variables that hold a sampling mask ([time,] ky, kx), above 0 where a sample was measured."""

EDGE_SHARE = 8
"""The centre of k-space, and its edge, are this part of an axis."""

CORNER_EXCESS = 10
"""So many times more energy at an axis' edge than in its middle is no object's: there is the zero frequency."""

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
    with open_matlab(path) as file:
        dataset = find_variable(file, AXES, OTHER_FILE)
        name = variable_name(dataset)
        check_kspace(dataset, AXES[name], path, OTHER_FILE)
        coils = dataset.shape[2] if AXES[name] == MULTI_COIL else 1
        if coils > 1:
            raise InputError(
                f"{name} has {coils} coils, which cannot be combined where lines are missing: {path}; "
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
        kspace = read_slice(dataset, number, path, OTHER_FILE)
    raw = RawSlice(path, name, kspace[:, 0] if AXES[name] == MULTI_COIL else kspace)
    check_centre(raw.kspace, raw.variable, path)
    return raw


def read_mask(path: Path, shape: tuple[int, int, int]) -> np.ndarray:
    """Return which lines were measured, (time, ky) bool, in k-space of `shape` (time, ky, kx).

    The file has one mask (ky, kx) for all frames, or one each. Raises `InputError` where a line was measured in part.
    """
    _check_existence(path, OTHER_MASK)
    with open_matlab(path) as file:
        dataset = find_variable(file, MASKS, OTHER_MASK)
        name = variable_name(dataset)
        if dataset.dtype.kind not in "buif":
            raise InputError(f"{name} has type {dataset.dtype}, a mask has numbers: {path}; {OTHER_MASK}")
        if dataset.shape not in (shape, shape[1:]):
            raise InputError(
                f"{name} has shape {dataset.shape}, k-space has {shape[1:]} in each of {shape[0]} frames: {path}; "
                f"{OTHER_MASK}"
            )
        stored = read_part(dataset, (), name, OTHER_MASK)
    if not np.isfinite(stored).all():
        raise InputError(f"{name} has values that are not finite: {path}; {OTHER_MASK}")
    measured = np.broadcast_to(stored > 0, shape)
    mask = measured[:, :, 0].copy()
    if (measured != mask[..., None]).any():
        swapped = (measured == measured[:, :1]).all()
        frame, line = np.argwhere((measured != mask[..., None]).any(axis=2))[0]
        remedy = (
            "it is constant along ky: store mask and k-space with ky before kx"
            if swapped
            else ("only whole lines can be used, name a mask that is constant along kx in the observation's data.mask")
        )
        raise InputError(
            f"{name} has line {line} in part, {measured[frame, line].sum()} of {shape[2]} samples: {path}; {remedy}"
        )
    if not mask.any(axis=1).all():
        without = np.flatnonzero(~mask.any(axis=1))
        raise InputError(f"{name} has no line in {len(without)} of {shape[0]} frames: {path}; {OTHER_MASK}")
    return mask


def keep_measured(raw: RawSlice, mask: np.ndarray, mask_path: Path) -> np.ndarray:
    """Return the k-space (time, ky, kx) of `raw` with zeros outside `mask` (time, ky).

    Raises `InputError` where, in any frame, a line of the mask has no data, or a line has data that the mask lacks: the
    mask is not that of the file. A file of fully sampled k-space may have more than the mask, which then undersamples.
    """
    found = raw.kspace.any(axis=2)
    empty, extra = mask & ~found, found & ~mask
    if empty.any():
        frame, line = np.argwhere(empty)[0]
        raise InputError(
            f"{empty.sum()} of {mask.sum()} lines of the mask {mask_path}, all frames counted, are zero in k-space, "
            f"line {line} of frame {frame} for one: {raw.path}; {OTHER_MASK}, one for each frame (time, ky, kx) where "
            "the lines change"
        )
    if extra.any() and not raw.variable.endswith("full"):
        frame, line = np.argwhere(extra)[0]
        raise InputError(
            f"{extra.sum()} of {found.sum()} lines with data, all frames counted, are not in the mask {mask_path}, "
            f"line {line} of frame {frame} for one: {raw.path}; {OTHER_MASK}"
        )
    return raw.kspace * mask[..., None]


def fit_readout(kspace: np.ndarray, n_columns: int) -> np.ndarray:
    """Return `kspace` (time, ky, kx) with `n_columns` samples per line, orthonormal and in units of the raw image.

    The readout is measured whole, so an image along x can be made of each line, cut or filled with zeros about its
    centre, and transformed back; phase encoding is left as it is. The raw image is the inverse FFT of the raw matrix
    with "backward" normalisation, `step.physics.fourier` is orthonormal: hence the root of the matrix's size.
    """
    n_lines, n_samples = kspace.shape[1:]
    fitted = fit_rows(transform_readout(torch.from_numpy(kspace))[:, :, None].mT, n_columns).mT
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
    """Return the angle, rad, of the centre of `kspace` (time, ky, kx), averaged over the frames that have it.

    Raises `InputError` where `mask` (time, ky) lacks the centre's line in all frames.
    """
    line, sample = kspace.shape[1] // 2, kspace.shape[2] // 2
    if not mask[:, line].any():
        raise InputError(
            f"data.mri.reference_phase needs the line of the zero frequency, line {line} of {mask.shape[1]}, which the "
            f"mask of {raw.path} lacks; {OTHER_MASK}"
        )
    return float(np.angle(kspace[:, line, sample].sum(dtype=np.complex128)))


def scale_outside(
    kspace: np.ndarray, mask: np.ndarray, n_rows: int, outside: Outside, noise_level: float | None
) -> tuple[np.ndarray, float | None]:
    """Return the standard deviation (x,) outside the frame and its share of the energy, None if it is not estimated.

    `kspace` (time, ky, kx) is in units of the video, whose frames have `n_rows` rows, `mask` (time, ky). What is done
    goes to the log. Raises `InputError` where an estimate lacks the noise level.
    """
    n_lines, scale = kspace.shape[1], outside.scale
    if n_lines <= n_rows:
        return np.zeros(kspace.shape[2]), None
    where = f"{n_lines} lines for {n_rows} rows: {n_lines - n_rows} rows of the field of view are outside the frame"
    if scale != "estimate":
        log.info("%s; standard deviation there as stated, %g", where, scale)
        return np.full(kspace.shape[2], scale), None
    if noise_level is None:
        raise InputError("outside.scale is estimate, which needs a noise_level, and that is null; state one of them")
    columns = transform_readout(torch.from_numpy(kspace))
    found = estimate_outside(columns, torch.from_numpy(mask), n_rows, noise_level)
    low, high = float(found.scale.min()), float(found.scale.max())
    log.info("%s; standard deviation %.3g to %.3g, %.1f %% of the energy", where, low, high, 100 * found.share)
    return found.scale.numpy(), found.share


def check_centre(kspace: np.ndarray, name: str, path: Path) -> None:
    """Raise `InputError` where the zero frequency is at an axis' edge, as transforms without shift have it.

    `kspace` is (time, ky, kx), called `name` in the file `path`.
    """
    energy = np.abs(kspace) ** 2
    for axis, called in ((1, "ky"), (2, "kx")):
        along = energy.sum(axis=tuple({0, 1, 2} - {axis}), dtype=np.float64)
        n = len(along)
        distance = np.abs(np.arange(n) - n // 2)
        middle, edge = along[distance <= n // EDGE_SHARE].sum(), along[distance >= n // 2 - n // EDGE_SHARE].sum()
        if edge > CORNER_EXCESS * middle:
            raise InputError(
                f"{name} has {edge / along.sum():.0%} of its energy at the edge of {called} and "
                f"{middle / along.sum():.0%} in the middle, where the zero frequency should be: {path}; "
                "apply fftshift to k-space and mask"
            )


def _check_existence(path: Path, remedy: str) -> None:
    if not path.is_file():
        raise InputError(f"no file {path}; {remedy}")
