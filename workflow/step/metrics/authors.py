"""The scale of the paper's authors for complex images, so that their PSNR and SSIM have something like them in ours.

Where the brightness of a frame is a magnitude, the study's own metrics compare magnitudes over the reference's maximum.
The authors compare both channels, real and imaginary part, each video scaled to [0, 1] by its own extremes. The two
differ by several dB and are no estimate of each other.
"""

import math
from collections.abc import Callable
from typing import cast

import numpy as np

from step.metrics.metric import ScoredVideo

REMARK = ", as the authors scale"


def score_as_authors(
    scored: ScoredVideo, metric: Callable[[np.ndarray, np.ndarray], float], shape: tuple[int, int, int]
) -> float | None:
    """Return `metric` of both videos, each (time, channel, y, x), scaled and laid out as frames of `shape`.

    With display ``unit_range`` the authors' scale is ours, (x + 1) / 2, and there is nothing to add: it is None. It is
    nan where one of the videos has one value everywhere, which no scale brings to [0, 1].
    """
    if scored.display == "unit_range":
        return None
    videos = videos_of(scored)
    if min(np.ptp(one) for one in videos) == 0:
        return math.nan
    video, truth = (scale_by_extremes(one).reshape(shape) for one in videos)
    return metric(video, truth)


def videos_of(scored: ScoredVideo) -> tuple[np.ndarray, np.ndarray]:
    """Return reconstruction and truth (time, channel, y, x) in their own units, which an evaluation always gives."""
    return cast(tuple[np.ndarray, np.ndarray], (scored.video, scored.truth))


def scale_by_extremes(video: np.ndarray) -> np.ndarray:
    """Return ``(x - min x) / (max x - min x)`` of `video` (time, channel, y, x), in [0, 1], float64.

    Minimum and maximum are of all frames and channels together, and the video's own: a reconstruction is scaled by its
    extremes, not by those of the truth.
    """
    video = video.astype(np.float64)
    return (video - video.min()) / np.ptp(video)
