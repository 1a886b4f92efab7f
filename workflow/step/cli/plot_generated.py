"""Draw and animate unconditional samples of the priors of one domain."""

import argparse
from pathlib import Path
from typing import Literal

from step.cli.files import add_pictures
from step.config.sections import Section
from step.config.study import Config
from step.errors import InputError


class Settings(Section):
    """How the videos of a domain are shown, and what is known of their geometry."""

    display: Literal["magnitude", "unit_range"]
    geometry: dict[str, float]


def select(config: Config, domain: str) -> Settings:
    """Return the part of `config` that the pictures of `domain` use."""
    video = config.video_format(domain)
    return Settings(display=video.display, geometry=video.geometry)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    parser.add_argument(
        "--prior",
        required=True,
        dest="priors",
        action="append",
        nargs=2,
        metavar=("NAME", "FILE"),
        help="a prior and its unconditional samples, HDF5; once per prior, in the order of the picture",
    )
    add_pictures(parser)
    parser.add_argument("--movie", required=True, type=Path, metavar="FILE", help="the movie: .mp4 (H.264), or .gif")
    parser.add_argument("--data", required=True, type=Path, metavar="NPZ", help="the numbers that are drawn")


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write picture, movie and numbers; raises `InputError` where the files do not fit together."""
    from step.figures.generated import animate_generated, draw_generated, read_generated, write_generated_data
    from step.figures.movies import write_movie
    from step.figures.style import save_figure

    files = {name: Path(file) for name, file in arguments.priors}
    if len(files) < len(arguments.priors):
        names = [name for name, _ in arguments.priors]
        raise InputError(f"--prior names {', '.join(names)}; give each prior once")
    generated = read_generated(files, settings.geometry, settings.display)
    save_figure(draw_generated(generated, settings.display), arguments.output)
    write_movie(animate_generated(generated, settings.display), arguments.movie)
    write_generated_data(generated, arguments.data)
