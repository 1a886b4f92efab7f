"""How alike the structure of the motion is to the truth's: SSIM of frame differences."""

import numpy as np

from step.metrics.metric import Metric
from step.metrics.ssim import ssim
from step.metrics.temporal import normalised_differences


def d_ssim(frames: np.ndarray, truth: np.ndarray) -> float:
    """Return the SSIM of the normalised differences, averaged over them; see `ssim.ssim`."""
    return ssim(normalised_differences(frames), normalised_differences(truth))


METRIC = Metric("d_ssim", "d-SSIM", 3, "higher", lambda scored: d_ssim(scored.frames, scored.true_frames))
