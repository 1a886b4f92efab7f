"""Whether a video moves as the truth does: the correlation of frame differences, which stillness does not raise."""

import math

import numpy as np

from step.metrics.metric import Metric


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


METRIC = Metric(
    "difference_correlation",
    "Difference correlation",
    3,
    "higher",
    lambda scored: difference_correlation(scored.frames, scored.true_frames),
    remark=" (ours)",
)
