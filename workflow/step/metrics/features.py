"""How videos look to I3D, for the Fréchet video distance: their features, or the reason why there are none."""

import logging
from collections.abc import Mapping

import numpy as np
import torch

from step.io.features import VideoFeatures, missing_features
from step.io.learned_weights import LearnedWeights
from step.metrics.i3d import MIN_FRAMES, build_i3d, video_features
from step.progress import track

log = logging.getLogger(__name__)


def describe_videos(videos: Mapping[str, np.ndarray], weights: LearnedWeights) -> VideoFeatures:
    """Return the features of `videos`, frames (time, y, x) in [0, 1] by name.

    There are none, with the reason, where `weights` are missing or a video has fewer frames than I3D needs; the log
    says so too.
    """
    n_frames = min(map(len, videos.values()))
    missing = weights.missing
    if not missing and n_frames < MIN_FRAMES:
        missing = f"videos have {n_frames} frames, I3D needs {MIN_FRAMES}"
    if missing:
        log.warning("no features: %s", missing)
        return missing_features(missing)
    network = build_i3d(weights.tensors, grey=True)
    rows = [
        video_features(network, torch.from_numpy(frames)).numpy()
        for frames in track(list(videos.values()), "features of I3D", "video")
    ]
    return VideoFeatures(tuple(videos), np.stack(rows), n_frames, weights.description, "")
