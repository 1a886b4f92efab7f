"""How alike the structure of single frames is to the truth's: SSIM (Wang et al. 2004), with piq's conventions."""

import numpy as np

from step.errors import InputError
from step.metrics.metric import Metric
from step.metrics.psnr import comparable

WINDOW = 11  # pixels; the window of Wang et al. 2004, which the paper's numbers use through piq
WINDOW_SIGMA = 1.5  # pixels
LUMINANCE_CONSTANT, CONTRAST_CONSTANT = 0.01**2, 0.03**2  # of values in [0, 1]
POOLED_SIDE = 256  # pixels: frames of this many times as many are averaged over blocks of that side first


def ssim(frames: np.ndarray, truth: np.ndarray) -> float:
    """Return the structural similarity (Gaussian window of 11 pixels, sigma 1.5), averaged over frames.

    It is that of windows which lie inside the frame. `frames` and `truth` are (time, y, x) in [0, 1]. Raises
    `InputError` where shapes differ, values leave [0, 1] or a frame is smaller than the window.
    """
    x, y = (_pooled(video) for video in comparable(frames, truth))
    if min(frames.shape[1:]) < WINDOW:
        raise InputError(
            f"frames are {frames.shape[1]} x {frames.shape[2]} pixels, SSIM needs {WINDOW} per side; "
            "raise the domain's resolution"
        )
    # A Gaussian is one along y times one along x: two small matrix products in place of a convolution.
    along_y, along_x = (_windows(side) for side in x.shape[1:])
    mean_x, mean_y, mean_xx, mean_yy, mean_xy = along_y @ np.stack([x, y, x * x, y * y, x * y]) @ along_x.T
    variances = mean_xx - mean_x**2 + mean_yy - mean_y**2
    structure = (2 * (mean_xy - mean_x * mean_y) + CONTRAST_CONSTANT) / (variances + CONTRAST_CONSTANT)
    luminance = (2 * mean_x * mean_y + LUMINANCE_CONSTANT) / (mean_x**2 + mean_y**2 + LUMINANCE_CONSTANT)
    return float((luminance * structure).mean())


def _windows(side: int) -> np.ndarray:
    """Return the weights of each window that lies inside a line of `side` pixels, (window, pixel)."""
    weights = np.exp(-((np.arange(WINDOW) - WINDOW // 2) ** 2) / (2 * WINDOW_SIGMA**2))
    matrix = np.zeros((side - WINDOW + 1, side))
    for first, row in enumerate(matrix):
        row[first : first + WINDOW] = weights / weights.sum()
    return matrix


def _pooled(video: np.ndarray) -> np.ndarray:
    """Return large frames averaged over blocks, as Wang's own implementation does; others as they are."""
    block = max(1, round(min(video.shape[1:]) / POOLED_SIDE))
    height, width = (side // block for side in video.shape[1:])
    cut = video[:, : height * block, : width * block]
    return cut.reshape(len(video), height, block, width, block).mean(axis=(2, 4))


METRIC = Metric("ssim", "SSIM", 3, "higher", lambda scored: ssim(scored.frames, scored.true_frames))
