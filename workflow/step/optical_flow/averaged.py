"""The motion of a whole video in one picture: its optical flow, averaged over time."""

from itertools import pairwise

import numpy as np

from step.errors import InputError
from step.optical_flow.estimators import Estimator
from step.progress import track


def averaged_optical_flow(frames: np.ndarray, estimator: Estimator) -> np.ndarray:
    """Return the mean over time of the forward optical flow (2, y, x), pixels per frame, of `frames` (time, y, x).

    Frames are in [0, 1]. Component 0 is along x, component 1 along y. Raises `InputError` for fewer than two frames.
    """
    if len(frames) < 2:
        raise InputError(f"a video of {len(frames)} frame has no optical flow; show one of two frames or more")
    pairs = track(list(pairwise(frames)), "pairs of frames", "pair")
    return np.mean([estimator(earlier, later) for earlier, later in pairs], axis=0)
