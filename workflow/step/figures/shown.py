"""Which frame and which column of a video pictures show, and where the scale of its errors ends."""

import numpy as np

ERROR_PERCENTILE = 99.5  # the error scale ends here, so that one wild pixel does not darken all maps


def busiest_column(truth: np.ndarray) -> int:
    """Return the x at which `truth` (time, y, x) changes most from frame to frame, summed over y and time."""
    return int(np.abs(np.diff(truth, axis=0)).sum(axis=(0, 1)).argmax())


def busiest_frame(truth: np.ndarray) -> int:
    """Return the frame of `truth` (time, y, x) that is farthest from its time average."""
    return int(((truth - truth.mean(axis=0)) ** 2).sum(axis=(1, 2)).argmax())
