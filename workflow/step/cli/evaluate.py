"""Score the reconstructions of one method against the truth, one row per video.

The metrics are those of the first posterior sample, the data misfit with the measurement's own noise level.
LPIPS is left empty where its weights are missing, and a remark says why; PSNR and SSIM in the authors' convention are
left empty where that is ours. With `--features` the same samples are
described by the features of I3D, for the Fréchet video distance.
"""

import argparse
from pathlib import Path

from step.cli.files import add_measurements, add_reconstructions, add_truths, add_weights
from step.config.settings import modules_of_measurement
from step.errors import InputError
from step.metrics.evaluation import EvaluationSettings, evaluation_settings
from step.plugins import metric_name

Settings = EvaluationSettings
select = evaluation_settings


def modules(settings: EvaluationSettings) -> list[str]:
    """Return the modules that are imported by name: of the measurement, and of metrics of your own."""
    return [*modules_of_measurement(settings), *map(metric_name, settings.metrics)]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    add_measurements(parser)
    add_truths(parser)
    add_reconstructions(parser, "one method's reconstructions of these videos")
    add_weights(parser, "LPIPS")
    parser.add_argument("--output", required=True, type=Path, metavar="CSV", help="the metrics, one row per video")
    parser.add_argument("--features", type=Path, metavar="FILE", help="the features of I3D, HDF5; needs --i3d")
    parser.add_argument("--i3d", type=Path, metavar="FILE", help="the weights of I3D")


def run(arguments: argparse.Namespace, settings: EvaluationSettings) -> None:
    """Write the table and the features; raises `InputError` where a video lacks its truth or its reconstruction."""
    from step.io.features import write_features
    from step.io.learned_weights import read_learned_weights
    from step.io.tables import write_table
    from step.io.truths import pair_truths
    from step.metrics.evaluation import score_files
    from step.metrics.features import describe_videos

    if (arguments.features is None) != (arguments.i3d is None):
        raise InputError("--features and --i3d belong together; give both or neither")
    weights = read_learned_weights(arguments.weights, "vgg16", arguments.checksums)
    pairs = pair_truths(arguments.measurements, arguments.truths)
    scores = score_files(pairs, arguments.reconstructions, weights, settings)
    write_table(arguments.output, scores.rows)
    if arguments.features:
        i3d = read_learned_weights(arguments.i3d, "i3d", arguments.checksums)
        write_features(arguments.features, describe_videos(scores.videos, i3d))
