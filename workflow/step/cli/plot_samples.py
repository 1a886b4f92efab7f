"""Draw and animate posterior samples of one measurement with their data misfits, beneath the truth if it is known."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from step.cli.files import add_pictures, add_reconstructions, add_truth
from step.cli.settings import modules_of_measurement
from step.config.sections import Section
from step.config.study import Config
from step.config.tasks import MeasurementOfDomain

if TYPE_CHECKING:
    pass


class Settings(Section):
    """What the pictures use of the configuration: the likelihood for the misfits, and how videos are shown."""

    measurement: MeasurementOfDomain
    display: Literal["magnitude", "unit_range"]


def select(config: Config, task: str) -> Settings:
    """Return the part of `config` that the pictures of `task` use."""
    display = config.video_format(config.tasks[task].domain).display
    return Settings(measurement=config.measurement_of(task), display=display)


modules = modules_of_measurement


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    parser.add_argument("--measurement", required=True, type=Path, metavar="FILE", help="the measurement, HDF5")
    add_truth(parser, required=False)
    add_reconstructions(parser, "its posterior samples")
    add_pictures(parser)
    parser.add_argument("--movie", required=True, type=Path, metavar="FILE", help="the movie: .mp4 (H.264), or .gif")
    parser.add_argument("--data", required=True, type=Path, metavar="NPZ", help="the numbers that are drawn")


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write picture, movie and numbers; raises `InputError` where measurement and samples do not fit."""
    from step.figures.movies import write_movie
    from step.figures.samples import animate_samples, draw_samples, read_samples, see_samples, write_samples_data
    from step.figures.style import save_figure
    from step.io.reconstructions import read_measurement
    from step.physics.forward_models import fit_to_data

    geometry = settings.measurement.geometry
    sampled = read_samples(arguments.measurement, arguments.truth, arguments.reconstructions, geometry)
    measured = read_measurement(arguments.measurement)
    misfits, _ = fit_to_data(sampled.videos, measured, settings.measurement, arguments.measurement)
    shown = see_samples(sampled, misfits, settings.display)
    save_figure(draw_samples(shown, settings.display), arguments.output)
    write_movie(animate_samples(shown, settings.display), arguments.movie)
    write_samples_data(shown, arguments.data)
