"""How close the motion is to the truth's: PSNR of frame differences."""

import numpy as np

from step.metrics.metric import Metric
from step.metrics.psnr import psnr
from step.metrics.temporal import normalised_differences


def d_psnr(frames: np.ndarray, truth: np.ndarray) -> float:
    """Return the PSNR in dB of the normalised differences, averaged over them; see `psnr.psnr`."""
    return psnr(normalised_differences(frames), normalised_differences(truth))


METRIC = Metric("d_psnr", "d-PSNR", 2, "higher", lambda scored: d_psnr(scored.frames, scored.true_frames), unit="dB")
