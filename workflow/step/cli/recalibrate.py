"""Find the factors by which spreads and intervals are to be multiplied, from what validation videos say of them.

They are the error over the spread of the pixels and of each quantity. What they are applied to is recalibrated, and
said to be: it is a statement about videos like the validation videos, not about a model.
"""

import argparse
from dataclasses import asdict
from pathlib import Path

from step.posterior.recalibration import RecalibrationSettings, recalibration_settings

Settings = RecalibrationSettings
select = recalibration_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files of the stage."""
    parser.add_argument(
        "--calibration", type=Path, required=True, metavar="CSV", help="the calibration of the validation videos"
    )
    parser.add_argument(
        "--quantities", type=Path, required=True, metavar="CSV", help="their quantities, with their truths"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="CSV", help="the factors, one a row")


def run(arguments: argparse.Namespace, settings: RecalibrationSettings) -> None:
    """Write the factors; raises `InputError` where the tables do not have what they are found from."""
    from step.io.tables import read_table, write_table
    from step.posterior.recalibration import COLUMNS, find_factors

    factors = find_factors(read_table(arguments.calibration), read_table(arguments.quantities), settings)
    write_table(arguments.output, [asdict(one) for one in factors], COLUMNS)
