"""Describe each true video by the features of I3D, for the Fréchet video distance.

The `evaluate` stage describes reconstructions.
"""

import argparse
from pathlib import Path

from step.cli.files import add_truths, add_weights
from step.config.views import ViewSettings, view_of_task

Settings = ViewSettings
select = view_of_task


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    add_truths(parser)
    add_weights(parser, "I3D")
    parser.add_argument("--output", required=True, type=Path, metavar="FILE", help="the features, HDF5")


def run(arguments: argparse.Namespace, settings: ViewSettings) -> None:
    """Write the features, or why there are none; raises `InputError` where a truth is missing."""
    from step.figures.reading import read_shown_videos
    from step.io.features import write_features
    from step.io.learned_weights import read_learned_weights
    from step.metrics.features import describe_videos

    weights = read_learned_weights(arguments.weights, "i3d", arguments.checksums)
    shown = read_shown_videos(arguments.truths, {}, settings.display)
    write_features(arguments.output, describe_videos({video.name: video.truth for video in shown}, weights))
