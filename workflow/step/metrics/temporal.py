"""Differences between consecutive frames, which metrics of motion compare.

They are small, so d-PSNR and d-SSIM mostly reward stillness: the truth's own time average scores high.
`difference_correlation` is there to tell motion from stillness.
"""

import numpy as np


def normalised_differences(frames: np.ndarray) -> np.ndarray:
    """Return ``((x_{t+1} - x_t) + 1) / 2`` of `frames` (time, y, x) in [0, 1]: (time - 1, y, x) in [0, 1]."""
    return (np.diff(frames.astype(np.float64), axis=0) + 1) / 2
