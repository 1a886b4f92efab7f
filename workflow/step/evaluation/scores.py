"""All metrics of one reconstructed video, by the names of their columns."""

import torch

from step.evaluation import images, temporal

METRICS = ("psnr", "ssim", "d_psnr", "d_ssim", "difference_correlation", "data_misfit")
"""The columns of every table of metrics, in this order."""


def score_video(frames: torch.Tensor, truth: torch.Tensor, data_misfit: float) -> dict[str, float]:
    """Return the `METRICS` of `frames` (time, y, x) against `truth`, both in [0, 1].

    `data_misfit` is the forward model's own, in the convention in which the paper reports it.
    """
    return {
        "psnr": images.psnr(frames, truth),
        "ssim": images.ssim(frames, truth),
        "d_psnr": temporal.d_psnr(frames, truth),
        "d_ssim": temporal.d_ssim(frames, truth),
        "difference_correlation": temporal.difference_correlation(frames, truth),
        "data_misfit": data_misfit,
    }
