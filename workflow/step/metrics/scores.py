"""Our metrics of one reconstructed video, by the names of their columns."""

from collections.abc import Callable

import numpy as np

from step.metrics import temporal
from step.metrics.psnr import psnr
from step.metrics.ssim import ssim

FrameDistance = Callable[[np.ndarray, np.ndarray], float]
"""The distance of two videos (time, y, x) in [0, 1], averaged over frames, such as `lpips.Lpips`."""


def score_video(
    frames: np.ndarray, truth: np.ndarray, data_misfit: float, lpips: FrameDistance | None
) -> dict[str, float | None]:
    """Return the `metrics.OURS` of `frames` (time, y, x) against `truth`, both in [0, 1].

    `data_misfit` is the forward model's own, in the convention in which the paper reports it. `lpips` is None
    where its weights are missing, and then so is its value.
    """
    return {
        "psnr": psnr(frames, truth),
        "ssim": ssim(frames, truth),
        "lpips": None if lpips is None else lpips(frames, truth),
        "d_psnr": temporal.d_psnr(frames, truth),
        "d_ssim": temporal.d_ssim(frames, truth),
        "difference_correlation": temporal.difference_correlation(frames, truth),
        "data_misfit": data_misfit,
    }
