"""How close the motion is to the truth's: PSNR and SSIM of frame differences, and their correlation.

Differences between frames are small, so d-PSNR and d-SSIM mostly reward stillness: the truth's own time
average scores high. `difference_correlation` is there to tell motion from stillness.
"""

import math

import numpy as np

from step.metrics.psnr import psnr
from step.metrics.ssim import ssim


def normalised_differences(frames: np.ndarray) -> np.ndarray:
    """Return ``((x_{t+1} - x_t) + 1) / 2`` of `frames` (time, y, x) in [0, 1]: (time - 1, y, x) in [0, 1]."""
    return (np.diff(frames.astype(np.float64), axis=0) + 1) / 2


def d_psnr(frames: np.ndarray, truth: np.ndarray) -> float:
    """Return the PSNR in dB of the normalised differences, averaged over them; see `psnr.psnr`."""
    return psnr(normalised_differences(frames), normalised_differences(truth))


def d_ssim(frames: np.ndarray, truth: np.ndarray) -> float:
    """Return the SSIM of the normalised differences, averaged over them; see `ssim.ssim`."""
    return ssim(normalised_differences(frames), normalised_differences(truth))


def difference_correlation(frames: np.ndarray, truth: np.ndarray) -> float:
    """Return Pearson's correlation of all frame differences ``x_{t+1} - x_t`` with the truth's, in [-1, 1].

    `frames` and `truth` are (time, y, x). One correlation is taken over all pixels and times together, so
    that what moves most weighs most. It is nan where either video stands still: nothing can be compared.
    """
    difference, true_difference = (np.diff(video.astype(np.float64), axis=0).ravel() for video in (frames, truth))
    difference = difference - difference.mean()
    true_difference = true_difference - true_difference.mean()
    norm = np.linalg.norm(difference) * np.linalg.norm(true_difference)
    return float(difference @ true_difference / norm) if norm > 0 else math.nan
