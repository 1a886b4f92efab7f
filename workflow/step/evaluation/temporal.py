"""How close the motion is to the truth's: PSNR and SSIM of frame differences, and their correlation.

Differences between frames are small, so d-PSNR and d-SSIM mostly reward stillness: the truth's own time
average scores high. `difference_correlation` is there to tell motion from stillness.
"""

import math

import torch

from step.evaluation import images


def normalised_differences(frames: torch.Tensor) -> torch.Tensor:
    """Return ``((x_{t+1} - x_t) + 1) / 2`` of `frames` (time, y, x) in [0, 1]: (time - 1, y, x) in [0, 1]."""
    return (frames.double().diff(dim=0) + 1) / 2


def d_psnr(frames: torch.Tensor, truth: torch.Tensor) -> float:
    """Return the PSNR in dB of the normalised differences, averaged over them; see `images.psnr`."""
    return images.psnr(normalised_differences(frames), normalised_differences(truth))


def d_ssim(frames: torch.Tensor, truth: torch.Tensor) -> float:
    """Return the SSIM of the normalised differences, averaged over them; see `images.ssim`."""
    return images.ssim(normalised_differences(frames), normalised_differences(truth))


def difference_correlation(frames: torch.Tensor, truth: torch.Tensor) -> float:
    """Return Pearson's correlation of all frame differences ``x_{t+1} - x_t`` with the truth's, in [-1, 1].

    `frames` and `truth` are (time, y, x). One correlation is taken over all pixels and times together, so
    that what moves most weighs most. It is nan where either video stands still: nothing can be compared.
    """
    difference, true_difference = (video.double().diff(dim=0).flatten() for video in (frames, truth))
    difference = difference - difference.mean()
    true_difference = true_difference - true_difference.mean()
    norm = difference.norm() * true_difference.norm()
    return float(difference @ true_difference / norm) if norm > 0 else math.nan
