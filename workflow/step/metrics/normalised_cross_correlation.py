"""How alike frames are whatever their brightness and position: the Event Horizon Telescope's own measure."""

import math

import numpy as np

from step.metrics.metric import Metric


def normalised_cross_correlation(frames: np.ndarray, truth: np.ndarray) -> float:
    """Return the normalised cross-correlation with the truth, averaged over frames, in [-1, 1].

    `frames` and `truth` are (time, y, x). That of a frame is Pearson's correlation of its pixels with the true frame's
    at the best of all shifts by whole pixels, periodic at the edges: closure phases leave the position open (EHT
    Collaboration 2019, ApJL 875, L4, Eq. 15). It is nan where a frame has no contrast.
    """
    best = [_of_frame(*pair) for pair in zip(frames.astype(np.float64), truth.astype(np.float64), strict=True)]
    return float(np.mean(best))


def _of_frame(frame: np.ndarray, truth: np.ndarray) -> float:
    frame, truth = frame - frame.mean(), truth - truth.mean()
    norm = np.linalg.norm(frame) * np.linalg.norm(truth)
    if not norm > 0:
        return math.nan
    shifted = np.fft.ifft2(np.fft.fft2(frame).conj() * np.fft.fft2(truth)).real
    return float(shifted.max() / norm)


METRIC = Metric(
    "normalised_cross_correlation",
    "Normalised cross-correlation",
    3,
    "higher",
    lambda scored: normalised_cross_correlation(scored.frames, scored.true_frames),
)
