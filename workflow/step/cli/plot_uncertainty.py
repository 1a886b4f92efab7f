"""Draw and animate how far the posterior samples of a simulated measurement spread, and how far they err."""

import argparse
from pathlib import Path
from typing import Literal

from step.cli.files import add_pictures, add_reconstructions, add_truth
from step.config.calibration import ProperFraction
from step.config.sections import Section
from step.config.study import Config


class Settings(Section):
    """What the pictures use of the configuration."""

    display: Literal["magnitude", "unit_range"]
    geometry: dict[str, float]
    bright_fraction: ProperFraction


def select(config: Config, task: str) -> Settings:
    """Return how the videos of `task` are shown, and which of their pixels count."""
    video = config.video_format(config.tasks[task].domain)
    return Settings(display=video.display, geometry=video.geometry, bright_fraction=config.calibration.bright_fraction)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    parser.add_argument("--measurement", required=True, type=Path, metavar="FILE", help="the measurement, HDF5")
    add_truth(parser)
    parser.add_argument("--summary", required=True, type=Path, metavar="FILE", help="quantiles of its samples, HDF5")
    add_reconstructions(parser, "its samples")
    add_pictures(parser)
    parser.add_argument("--movie", required=True, type=Path, metavar="FILE", help="the movie: .mp4 (H.264), or .gif")
    parser.add_argument("--data", required=True, type=Path, metavar="NPZ", help="the numbers that are drawn")


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write picture, movie and numbers; raises `InputError` where the files do not belong together."""
    from step.figures.movies import write_movie
    from step.figures.style import save_figure
    from step.figures.uncertainty import (
        animate_uncertainty,
        draw_uncertainty,
        read_uncertainty,
        write_uncertainty_data,
    )

    uncertainty = read_uncertainty(
        arguments.measurement,
        arguments.truth,
        arguments.summary,
        arguments.reconstructions,
        settings.display,
        settings.geometry,
        settings.bright_fraction,
    )
    save_figure(draw_uncertainty(uncertainty, settings.display), arguments.output)
    write_movie(animate_uncertainty(uncertainty, settings.display), arguments.movie)
    write_uncertainty_data(uncertainty, arguments.data)
