"""Summarise the posterior samples of one measurement: mean, deviation, quantiles, and how well each fits the data."""

import argparse
import logging
from pathlib import Path
from typing import Literal

from step.cli.files import add_reconstructions
from step.config.sections import Fraction, Section
from step.config.settings import modules_of_measurement
from step.config.study import Config
from step.config.tasks import MeasurementOfDomain
from step.errors import InputError

log = logging.getLogger(__name__)


class Settings(Section):
    """What the summary uses of the configuration: the likelihood, at the errors that the data themselves state."""

    measurement: MeasurementOfDomain
    display: Literal["magnitude", "unit_range"]
    quantiles: tuple[Fraction, ...]


def select(config: Config, task: str) -> Settings:
    """Return the part of `config` that the summary of a measurement of `task` uses."""
    return Settings(
        measurement=config.measurement_of(task),
        display=config.video_format(config.tasks[task].domain).display,
        quantiles=config.uncertainty.quantiles,
    )


modules = modules_of_measurement


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files of the stage."""
    parser.add_argument("--measurement", type=Path, required=True, metavar="FILE", help="the measurement (.h5)")
    add_reconstructions(parser, "its posterior samples")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FILE", help="mean, deviation and quantiles to write (.h5)"
    )
    parser.add_argument("--table", type=Path, required=True, metavar="CSV", help="chi-squares, one row per sample")


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write the summary and the table."""
    import numpy as np

    from step.io.reconstructions import read_measurement, read_reconstructions, write_summary
    from step.io.tables import write_table
    from step.physics.forward_models import energy_outside, fit_to_data
    from step.posterior.quantiles import take_quantiles

    name = arguments.measurement.stem
    reconstructions = read_reconstructions(arguments.reconstructions)
    if name not in reconstructions:
        raise InputError(f"{name} is not among the reconstructed {list(reconstructions)}; sample it")
    samples = reconstructions[name].samples
    mean = samples.mean(axis=0)
    quantiles = take_quantiles(samples, settings.quantiles, settings.display)
    write_summary(arguments.output, {"mean": mean, "std": samples.std(axis=0)}, quantiles)
    measured = read_measurement(arguments.measurement)
    videos = np.concatenate([samples, mean[None]])
    misfits, chi_squares = fit_to_data(videos, measured, settings.measurement, arguments.measurement)
    outside = energy_outside(videos, measured, settings.measurement)
    labels = [*(f"sample{number:03d}" for number in range(len(samples))), "mean"]
    rows = []
    for number, label in enumerate(labels):
        of_kind = {kind: values[number] for kind, values in chi_squares.items()}
        rows.append({"video": label, **of_kind, "data_misfit": misfits[number]})
        if outside is not None:
            rows[-1]["outside_energy"] = outside[number]
            log.info("%s: %.1f %% of the data's energy is from outside the frame", label, 100 * outside[number])
        log.info("%s: data misfit %.3f", label, misfits[number])
    write_table(arguments.table, rows)
