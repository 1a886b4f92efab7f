"""From a slice of raw k-space to what the forward model of MRI has: whole lines, square pixels, white coils, maps."""

import logging
from dataclasses import replace

import numpy as np
import torch

from step.errors import InputError
from step.io.kspace.recording import KspaceSlice, measured_lines
from step.physics.coil_maps import estimate_maps
from step.physics.fourier import ifft2c
from step.physics.prewhitening import whiten, whitening_of

log = logging.getLogger(__name__)


def keep_lines(raw: KspaceSlice) -> KspaceSlice:
    """Return `raw` with zeros outside its mask.

    Raises `InputError` where readouts were measured in part, where a line of the mask has no data, and where a line has
    data that the mask lacks, unless all lines have: then the mask undersamples.
    """
    if raw.is_partial:
        raise InputError(
            f"readouts are measured in part (an asymmetric echo), only whole lines can be used: {raw.path}; "
            "take a scan with a symmetric echo"
        )
    found = measured_lines(raw.kspace)
    empty, extra = raw.mask & ~found, found & ~raw.mask
    for wrong, what in (
        (empty, "lines of the mask are zero in k-space"),
        (extra, "lines with data are not in the mask"),
    ):
        if wrong.any() and not (wrong is extra and found.all()):
            frame, line = np.argwhere(wrong)[0]
            raise InputError(
                f"{wrong.sum()} of {raw.mask.sum()} {what}, all frames counted, line {line} of frame {frame} for one: "
                f"{raw.path}; name the mask of the same scan in the observation's data.mask"
            )
    if extra.any():
        log.info("%s: of %d lines the mask keeps %d", raw.path, found.sum(), raw.mask.sum())
    return replace(raw, kspace=raw.kspace * raw.mask[:, :, None])


def fit_matrix(raw: KspaceSlice, raw_columns: float) -> KspaceSlice:
    """Return `raw` with square pixels of `raw_columns` of its columns, over the same field of view.

    k-space is cut about its centre, or filled with lines that were not measured; images keep their values. The log
    counts the measured lines that are cut off. Raises `InputError` where a frame has none left.
    """
    n_y, n_x = raw.kspace.shape[2:]
    along_y, along_x = raw.geometry.pixel_mm or (1.0, 1.0)
    lines, samples = round(n_y * along_y / (raw_columns * along_x)), round(n_x / raw_columns)
    if (lines, samples) == (n_y, n_x):
        return raw
    gain = np.float32(lines * samples / (n_y * n_x))
    kspace = gain * _fit(_fit(raw.kspace, 2, lines), 3, samples)
    mask = _fit(raw.mask, 1, lines)
    if not mask.any(axis=1).all():
        raise InputError(
            f"a frame has no line among the {lines} about the centre that a frame of the video resolves: {raw.path}; "
            "lower data.mri.crop"
        )
    pixel = (n_y * along_y / lines, n_x * along_x / samples)
    log.info(
        "%s: a matrix of %d x %d is made %d x %d, pixels of %s, %d of %d measured lines are cut off",
        *(raw.path, n_y, n_x, lines, samples),
        f"{pixel[0]:.3g} x {pixel[1]:.3g} mm" if raw.geometry.pixel_mm else f"{raw_columns:.3g} raw pixels",
        *(raw.mask.sum() - mask.sum(), raw.mask.sum()),
    )
    geometry = replace(raw.geometry, pixel_mm=pixel if raw.geometry.pixel_mm else None)
    noise = None if raw.noise is None else gain * raw.noise
    return replace(raw, kspace=kspace, mask=mask, noise=noise, geometry=geometry)


def whiten_slice(raw: KspaceSlice) -> tuple[KspaceSlice, float | None]:
    """Return `raw` with coils of white noise, and its standard deviation per real and imaginary part.

    Without samples of noise the coils are taken as white already, which the log says of several.
    """
    if raw.noise is None:
        if raw.kspace.shape[0] > 1:
            log.info("%s has no samples of noise: its %d coils are taken as white", raw.path, raw.kspace.shape[0])
        return raw, None
    try:
        whitening = whitening_of(torch.from_numpy(raw.noise))
    except InputError as error:
        raise InputError(f"{error}: {raw.path}") from None
    coils = torch.from_numpy(raw.kspace).movedim(0, 1)
    white = whiten(coils, whitening).movedim(1, 0).contiguous()
    return replace(raw, kspace=white.numpy(), noise=None), whitening.noise_level


def find_maps(kspace: np.ndarray, raw: KspaceSlice) -> np.ndarray:
    """Return the maps (coil, y, x) of coils with `kspace` (coil, time, ky, kx), sampled where `raw.mask` says.

    They come from the central lines that any frame has, as `step.physics.coil_maps` explains. Raises `InputError`,
    naming the file, where these are too few.
    """
    try:
        maps = estimate_maps(torch.from_numpy(kspace.swapaxes(0, 1)), torch.from_numpy(raw.mask))
    except InputError as error:
        raise InputError(f"{error}: {raw.path}") from None
    log.info("%s: maps of %d coils from the lines about the centre that any frame has", raw.path, len(kspace))
    return maps.numpy()


def combine(kspace: np.ndarray, maps: np.ndarray | None) -> np.ndarray:
    """Return the zero-filled image (time, y, x) of `kspace` (coil, time, ky, kx), coils combined by `maps`."""
    if maps is None:
        return ifft2c(torch.from_numpy(kspace[0])).numpy()
    total = np.zeros(kspace.shape[1:], np.complex64)
    for coil, of_coil in zip(kspace, maps, strict=True):
        total += of_coil.conj() * ifft2c(torch.from_numpy(coil)).numpy()
    return total


def profile_outside(kspace: np.ndarray, mask: np.ndarray, maps: np.ndarray, n_rows: int) -> tuple[np.ndarray, float]:
    """Return the standard deviation (x,) outside the frame's `n_rows`, per part, and its share of the energy.

    Of several coils it is seen in the combined image of the time average of `kspace` (coil, time, ky, kx), low-pass
    filtered by whatever lines the average has.
    """
    average = kspace.sum(axis=1) / np.maximum(mask.sum(axis=0), 1)[:, None]
    energy = np.abs(combine(average[:, None].astype(np.complex64), maps)[0]) ** 2
    n = len(energy)
    outer = np.ones(n, bool)
    outer[n // 2 - n_rows // 2 : n // 2 - n_rows // 2 + n_rows] = False
    return np.sqrt(energy[outer].mean(axis=0) / 2), float(energy[outer].sum() / energy.sum())


def _fit(array: np.ndarray, axis: int, length: int) -> np.ndarray:
    """Return `array` cut or filled with zeros along `axis` to `length`; index ``n // 2`` stays the centre."""
    n = array.shape[axis]
    start = n // 2 - length // 2
    kept = np.take(array, range(max(start, 0), min(start + length, n)), axis)
    before = max(-start, 0)
    pads = [(0, 0)] * array.ndim
    pads[axis] = (before, length - before - kept.shape[axis])
    return np.pad(kept, pads) if any(pads[axis]) else kept
