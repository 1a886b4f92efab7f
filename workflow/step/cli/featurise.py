"""Describe each video by the features of I3D, for the Fréchet video distance.

The first posterior sample of one method's reconstructions is described, or, without reconstructions, the truth.
"""

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from step.cli.files import add_measurements, add_weights
from step.cli.settings import DisplaySettings, display_of_task

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from step.io.features import VideoFeatures
    from step.io.learned_weights import LearnedWeights

log = logging.getLogger(__name__)

METHOD = "the method"

Settings = DisplaySettings
select = display_of_task


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    add_measurements(parser)
    parser.add_argument(
        "--reconstructions",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="one method's reconstructions of these videos, HDF5; without them the truths are described",
    )
    add_weights(parser, "I3D")
    parser.add_argument("--output", required=True, type=Path, metavar="FILE", help="the features, HDF5")


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write the features, or why there are none; raises `InputError` where a truth or a reconstruction is missing."""
    from step.figures.reading import read_shown_videos
    from step.io.features import write_features
    from step.io.learned_weights import read_learned_weights

    weights = read_learned_weights(arguments.weights, "i3d", arguments.checksums)
    methods = {METHOD: arguments.reconstructions} if arguments.reconstructions else {}
    shown = read_shown_videos(arguments.measurements, methods, settings.display)
    videos = {video.name: video.reconstructions[METHOD] if methods else video.truth for video in shown}
    features = _describe(videos, weights)
    if features.missing:
        log.warning("no features: %s", features.missing)
    write_features(arguments.output, features)


def _describe(videos: "Mapping[str, np.ndarray]", weights: "LearnedWeights") -> "VideoFeatures":
    """Return the features of `videos`, frames (time, y, x) in [0, 1] by name."""
    import numpy as np
    import torch
    from tqdm import tqdm

    from step.evaluation.i3d import MIN_FRAMES, build_i3d, video_features
    from step.io.features import VideoFeatures, missing_features

    n_frames = min(map(len, videos.values()))
    if weights.missing:
        return missing_features(weights.missing)
    if n_frames < MIN_FRAMES:
        return missing_features(f"videos have {n_frames} frames, I3D needs {MIN_FRAMES}")
    network = build_i3d(weights.tensors)
    progress = tqdm(videos.values(), desc="features", unit="video", disable=None)
    rows = [video_features(network, torch.from_numpy(frames)).numpy() for frames in progress]
    return VideoFeatures(tuple(videos), np.stack(rows), n_frames, weights.description, "")
