"""How close single frames are to the truth: PSNR, as piq defines it."""

import numpy as np

from step.errors import InputError
from step.metrics.metric import Metric

FLOOR = 1e-8  # piq's, added to a frame's mean squared error


def psnr(frames: np.ndarray, truth: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio in dB, averaged over frames.

    `frames` and `truth` are (time, y, x) in [0, 1]. A frame's value is ``-10 log10(mse + 1e-8)``: piq's small
    constant keeps it finite, so a perfect frame counts as 80 dB, and never as infinity or as left out.
    Raises `InputError` where shapes differ or values leave [0, 1].
    """
    frames, truth = comparable(frames, truth)
    squared_errors = np.square(frames - truth).mean(axis=(1, 2))
    return float(np.mean(-10 * np.log10(squared_errors + FLOOR)))


def comparable(frames: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both videos (time, y, x) in float64; raises `InputError` where shapes differ or values leave [0, 1]."""
    if frames.ndim != 3 or frames.shape != truth.shape:
        raise InputError(
            f"a video of shape {frames.shape} is compared with a truth of shape {truth.shape}; "
            f"both must be (time, y, x) and alike, so reconstruct from the same measurements"
        )
    for name, video in (("reconstruction", frames), ("truth", truth)):
        if not ((video >= 0) & (video <= 1)).all():
            raise InputError(
                f"the {name} has values from {video.min():.3g} to {video.max():.3g}; "
                f"frames are compared in [0, 1] and without NaN: bring them there with `to_unit_range`"
            )
    # Single precision would decide the last digits of the PSNR of a nearly perfect frame.
    return frames.astype(np.float64), truth.astype(np.float64)


METRIC = Metric("psnr", "PSNR", 2, "higher", lambda scored: psnr(scored.frames, scored.true_frames), unit="dB")
