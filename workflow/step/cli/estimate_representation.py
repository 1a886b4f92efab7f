"""Measure on validation videos what the autoencoder loses, as the data see it, and write the noise level to assume.

The truth never fits a latent exactly, so that a likelihood which knows the measurement's noise alone is too sure. The
outcome is a configuration to overlay on the study's: `noise_level` of the task's likelihood, of both errors together.
"""

import argparse
from pathlib import Path

from step.cli.files import add_measurements, add_truths
from step.config.settings import modules_of_measurement
from step.tuning.representation import RepresentationSettings, representation_settings

Settings = RepresentationSettings
select = representation_settings
modules = modules_of_measurement


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files of the stage."""
    parser.add_argument("--autoencoder", type=Path, required=True, help="folder of the autoencoder")
    add_measurements(parser)
    add_truths(parser)
    parser.add_argument("--output", type=Path, required=True, metavar="YAML", help="the noise level, to overlay")
    parser.add_argument(
        "--table", type=Path, required=True, metavar="CSV", help="chi-squares, one row a video and kind"
    )


def run(arguments: argparse.Namespace, settings: RepresentationSettings) -> None:
    """Write overlay and table; raises `InputError` unless all measurements are of validation videos."""
    from step.io.truths import pair_truths
    from step.tuning.outcome import check_validation
    from step.tuning.representation import estimate_representation

    check_validation([*arguments.measurements, *arguments.truths])
    pairs = pair_truths(arguments.measurements, arguments.truths)
    estimate_representation(pairs, arguments.autoencoder, settings).write(arguments.table, arguments.output)
