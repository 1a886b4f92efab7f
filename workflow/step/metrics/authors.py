"""PSNR and SSIM as the paper's authors take them of complex images, so that their figures have something like them.

Where the brightness of a frame is a magnitude, the study's own metrics compare magnitudes over the reference's maximum.
The authors compare both channels, real and imaginary part, each video scaled to [0, 1] by its own extremes. The two
differ by several dB and are no estimate of each other.
"""

import math
from typing import Literal

import numpy as np

from step.metrics.names import AUTHORS
from step.metrics.psnr import psnr
from step.metrics.ssim import ssim


def score_as_authors(
    video: np.ndarray, truth: np.ndarray, display: Literal["magnitude", "unit_range"]
) -> dict[str, float | None]:
    """Return the `metrics.AUTHORS` of `video` against `truth`, both (time, channel, y, x) in the units of the videos.

    With display ``unit_range`` the authors' scale is ours, (x + 1) / 2, and there is nothing to add: both are None.
    They are nan where one of the videos has one value everywhere, which no scale brings to [0, 1].
    """
    if display == "unit_range":
        return dict.fromkeys(AUTHORS)
    if min(np.ptp(video), np.ptp(truth)) == 0:
        return dict.fromkeys(AUTHORS, math.nan)
    scaled = [scale_by_extremes(one) for one in (video, truth)]
    time, channels, height, width = truth.shape
    # One mean squared error a frame, of all its channels; one index of structure a channel.
    below, apart = (time, channels * height, width), (time * channels, height, width)
    return {
        "psnr_authors": psnr(*(one.reshape(below) for one in scaled)),
        "ssim_authors": ssim(*(one.reshape(apart) for one in scaled)),
    }


def scale_by_extremes(video: np.ndarray) -> np.ndarray:
    """Return ``(x - min x) / (max x - min x)`` of `video` (time, channel, y, x), in [0, 1], float64.

    Minimum and maximum are of all frames and channels together, and the video's own: a reconstruction is scaled by its
    extremes, not by those of the truth.
    """
    video = video.astype(np.float64)
    return (video - video.min()) / np.ptp(video)
