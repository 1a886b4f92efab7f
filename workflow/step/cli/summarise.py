"""Summarise the posterior samples of one measurement: mean, deviation, quantiles, and how well each fits the data."""

import argparse
from pathlib import Path

from step.cli.files import add_recalibration, add_reconstructions
from step.config.settings import modules_of_measurement
from step.posterior.summary import SummarySettings, summary_settings

Settings = SummarySettings
select = summary_settings
modules = modules_of_measurement


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files of the stage."""
    parser.add_argument("--measurement", type=Path, required=True, metavar="FILE", help="the measurement (.h5)")
    add_reconstructions(parser, "its posterior samples")
    add_recalibration(parser)
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FILE", help="mean, deviation and quantiles to write (.h5)"
    )
    parser.add_argument("--table", type=Path, required=True, metavar="CSV", help="chi-squares, one row per sample")


def run(arguments: argparse.Namespace, settings: SummarySettings) -> None:
    """Write the summary and the table."""
    from step.io.reconstructions import read_measurement, samples_of_video, write_summary
    from step.io.tables import write_table
    from step.posterior.recalibration import PIXEL, read_factors
    from step.posterior.summary import summarise

    sampled = samples_of_video(arguments.reconstructions, arguments.measurement.stem)
    factor = read_factors(arguments.recalibration)[PIXEL] if arguments.recalibration else 1.0
    summary = summarise(sampled, read_measurement(arguments.measurement), settings, arguments.measurement, factor)
    write_summary(arguments.output, summary.videos, summary.quantiles, factor)
    write_table(arguments.table, summary.rows)
