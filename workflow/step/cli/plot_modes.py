"""Draw and animate the modes found among posterior samples beside what was measured and the truth (Fig. 1)."""

import argparse
from pathlib import Path
from typing import Literal

from step.cli.files import add_pictures, add_reconstructions, add_truth
from step.config.sections import Fraction, ModuleName, Section
from step.config.study import Config


class Settings(Section):
    """What the picture uses of the configuration."""

    display: Literal["magnitude", "unit_range"]
    descriptor: ModuleName
    geometry: dict[str, float]
    interval: Fraction


def select(config: Config, task: str) -> Settings:
    """Return how the videos of `task` are shown and described."""
    domain = config.tasks[task].domain
    video = config.video_format(domain)
    return Settings(
        display=video.display,
        descriptor=config.modes.descriptors[domain],
        geometry=video.geometry,
        interval=config.modes.interval,
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    parser.add_argument("--measurement", required=True, type=Path, metavar="FILE", help="the measurement, HDF5")
    add_truth(parser, required=False)
    parser.add_argument("--modes", required=True, type=Path, metavar="FILE", help="the modes among its samples, HDF5")
    add_reconstructions(parser, "its samples")
    parser.add_argument("--data", required=True, type=Path, metavar="NPZ", help="the numbers that are drawn")
    parser.add_argument("--movie", required=True, type=Path, metavar="FILE", help="the movie: .mp4 (H.264), or .gif")
    add_pictures(parser)


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write picture, movie and numbers; raises `InputError` where the files do not belong together."""
    from step.figures.mode_drawing import animate_modes, draw_modes
    from step.figures.modes import Look, read_modes_picture, write_modes_data
    from step.figures.movies import write_movie
    from step.figures.style import save_figure

    look = Look(settings.display, settings.descriptor, settings.geometry, settings.interval)
    picture = read_modes_picture(
        arguments.measurement, arguments.truth, arguments.modes, arguments.reconstructions, look
    )
    save_figure(draw_modes(picture), arguments.output)
    write_modes_data(picture, arguments.data)
    write_movie(animate_modes(picture), arguments.movie)
