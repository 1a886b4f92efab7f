"""Sampling masks as files have them, and the lines that they mean."""

from pathlib import Path

import numpy as np

from step.errors import InputError


def lines_of_samples(stored: np.ndarray, shape: tuple[int, ...], path: Path) -> np.ndarray:
    """Return which lines (time, ky) of k-space of `shape` (coil, time, ky, kx) a mask says were measured.

    It is (ky,), (time, ky), (ky, kx), (time, ky, kx) or has one sample along kx, and above 0 where something was
    measured. Raises `InputError` where it has another shape, a line in part, or a frame without a line.
    """
    _, n_frames, n_lines, n_samples = shape
    if stored.dtype.kind not in "buif" or not np.isfinite(stored).all():
        raise InputError(f"the mask has type {stored.dtype} or values that are not finite: {path}; a mask has numbers")
    measured = stored > 0
    if measured.ndim == 1:
        measured = measured[None, :, None]
    elif measured.shape == (n_frames, n_lines) and (n_frames, n_lines) != (n_lines, n_samples):
        measured = measured[:, :, None]
    elif measured.ndim == 2:
        measured = measured[None]
    fits = measured.ndim == 3 and all(
        n in (1, wanted) for n, wanted in zip(measured.shape, (n_frames, n_lines, n_samples), strict=True)
    )
    if not fits or measured.shape[1] != n_lines:
        raise InputError(
            f"the mask has shape {stored.shape}, k-space {n_lines} lines of {n_samples} samples in {n_frames} frames: "
            f"{path}; name the mask of the same scan"
        )
    lines = measured[..., 0]
    if (measured != lines[..., None]).any():
        frame, line = np.argwhere((measured != lines[..., None]).any(axis=2))[0]
        swapped = measured.shape[1] > 1 and (measured == measured[:, :1]).all()
        remedy = "it is constant along ky: store ky before kx" if swapped else "only whole lines can be used"
        raise InputError(
            f"the mask has line {line} in part, {measured[frame, line].sum()} of {n_samples} samples: {path}; {remedy}"
        )
    lines = np.broadcast_to(lines, (n_frames, n_lines)).copy()
    if not lines.any(axis=1).all():
        without = int((~lines.any(axis=1)).sum())
        raise InputError(f"the mask has no line in {without} of {n_frames} frames: {path}; name the mask of the scan")
    return lines
