"""All metrics of one reconstructed video, by the names of their columns."""

from collections.abc import Callable

import torch

from step.evaluation import images, temporal

METRICS = ("psnr", "ssim", "lpips", "d_psnr", "d_ssim", "difference_correlation", "data_misfit")
"""The columns of every table of metrics, in this order."""

MAY_BE_MISSING = frozenset({"lpips"})
"""Those that need learned weights: without them they are None here, and empty in tables."""

FrameDistance = Callable[[torch.Tensor, torch.Tensor], float]
"""The distance of two videos (time, y, x) in [0, 1], averaged over frames, such as `lpips.Lpips`."""


def score_video(
    frames: torch.Tensor, truth: torch.Tensor, data_misfit: float, lpips: FrameDistance | None
) -> dict[str, float | None]:
    """Return the `METRICS` of `frames` (time, y, x) against `truth`, both in [0, 1].

    `data_misfit` is the forward model's own, in the convention in which the paper reports it. `lpips` is None
    where its weights are missing, and then so is its value.
    """
    return {
        "psnr": images.psnr(frames, truth),
        "ssim": images.ssim(frames, truth),
        "lpips": None if lpips is None else lpips(frames, truth),
        "d_psnr": temporal.d_psnr(frames, truth),
        "d_ssim": temporal.d_ssim(frames, truth),
        "difference_correlation": temporal.difference_correlation(frames, truth),
        "data_misfit": data_misfit,
    }
