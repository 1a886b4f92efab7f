"""Judge whether the posterior samples of one method spread as far as they err, on videos whose truth is known.

Coverage of central intervals, ranks of the truth among the samples (simulation-based calibration), expected coverage
of distances from random points (TARP), continuous ranked probability score, spread against error, and a verdict.
"""

import argparse
from pathlib import Path

from step.cli.files import add_measurements, add_recalibration, add_reconstructions, add_truths
from step.config.settings import modules_of_measurement
from step.posterior.judged_videos import CalibrationSettings, calibration_settings

Settings = CalibrationSettings
select = calibration_settings
modules = modules_of_measurement


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    add_measurements(parser)
    add_truths(parser)
    add_reconstructions(parser, "one method's samples of these videos; those of one video may be in several files")
    add_recalibration(parser)
    parser.add_argument("--output", required=True, type=Path, metavar="CSV", help="the statistics, one a row")
    parser.add_argument("--ranks", required=True, type=Path, metavar="CSV", help="the share of each rank, one a row")


def run(arguments: argparse.Namespace, settings: CalibrationSettings) -> None:
    """Write both tables; raises `InputError` where a video lacks its truth or samples, or they do not fit."""
    from step.io.tables import write_table
    from step.io.truths import pair_truths
    from step.posterior.judged_videos import judge_files
    from step.posterior.recalibration import PIXEL, read_factors

    pairs = pair_truths(arguments.measurements, arguments.truths)
    factor = read_factors(arguments.recalibration)[PIXEL] if arguments.recalibration else 1.0
    rows, ranks = judge_files(pairs, arguments.reconstructions, settings, factor)
    write_table(arguments.output, rows)
    write_table(arguments.ranks, ranks)
