"""How alike the structure of single frames is to the truth's: SSIM, by piq."""

import numpy as np

from step.errors import InputError
from step.metrics.metric import Metric
from step.metrics.psnr import comparable

WINDOW = 11  # pixels; the window of Wang et al. 2004, which the paper's numbers use through piq


def ssim(frames: np.ndarray, truth: np.ndarray) -> float:
    """Return the structural similarity (Gaussian window of 11 pixels, sigma 1.5), averaged over frames.

    `frames` and `truth` are (time, y, x) in [0, 1]. Raises `InputError` where shapes differ, values leave
    [0, 1] or a frame is smaller than the window.
    """
    import piq
    import torch

    images = [torch.from_numpy(video)[:, None] for video in comparable(frames, truth)]  # piq takes channels
    if min(frames.shape[1:]) < WINDOW:
        raise InputError(
            f"frames are {frames.shape[1]} x {frames.shape[2]} pixels, SSIM needs {WINDOW} per side; "
            "raise the domain's resolution"
        )
    return float(piq.ssim(*images, kernel_size=WINDOW, data_range=1.0, reduction="none").mean())


METRIC = Metric("ssim", "SSIM", 3, "higher", lambda scored: ssim(scored.frames, scored.true_frames))
