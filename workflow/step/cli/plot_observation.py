"""Draw and animate what was reconstructed of a real observation: mean, standard deviation, samples, light curve."""

import argparse
from pathlib import Path
from typing import Literal

from step.cli.files import add_pictures, add_reconstructions
from step.config.sections import Section
from step.config.study import Config


class Settings(Section):
    """What the pictures use of the configuration."""

    display: Literal["magnitude", "unit_range"]


def select(config: Config, observation: str) -> Settings:
    """Return the part of `config` that the pictures of `observation` use."""
    task = config.tasks[config.observations[observation].task]
    return Settings(display=config.video_format(task.domain).display)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    parser.add_argument("--measurement", required=True, type=Path, metavar="FILE", help="the observation, HDF5")
    parser.add_argument(
        "--summary", required=True, type=Path, metavar="FILE", help="mean and standard deviation of its samples, HDF5"
    )
    add_reconstructions(parser, "its samples")
    add_pictures(parser)
    parser.add_argument("--movie", required=True, type=Path, metavar="FILE", help="the movie: .mp4 (H.264), or .gif")


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write picture and movie."""
    from step.figures.movies import write_movie
    from step.figures.observation import animate_observation, draw_observation
    from step.figures.posterior import read_posterior
    from step.figures.style import save_figure

    posterior = read_posterior(arguments.measurement, arguments.summary, arguments.reconstructions, settings.display)
    save_figure(draw_observation(posterior, settings.display), arguments.output)
    write_movie(animate_observation(posterior, settings.display), arguments.movie)
