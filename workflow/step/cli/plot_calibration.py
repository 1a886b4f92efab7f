"""Draw whether the samples of each method spread as far as they err: coverage, ranks, TARP, error against spread."""

import argparse
from pathlib import Path

from step.cli.files import add_methods, add_pictures
from step.config.sections import Section
from step.config.study import Config
from step.errors import InputError


class Settings(Section):
    """The picture uses nothing of the configuration."""


def select(config: Config) -> Settings:
    """Return the part of `config` that the picture uses: nothing."""
    return Settings()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage: of each method the table of its statistics and that of its ranks."""
    add_methods(parser)
    add_pictures(parser)
    parser.add_argument("--data", required=True, type=Path, metavar="CSV", help="the numbers that are drawn")


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write the picture and its numbers; raises `InputError` unless each method has its two tables."""
    from step.figures.calibration import draw_calibration, read_calibration, write_calibration_data
    from step.figures.style import save_figure

    for method, files in arguments.methods.items():
        if len(files) != 2:
            raise InputError(f"{method} has {len(files)} files; give its table of statistics and that of its ranks")
    methods = [read_calibration(method, *files) for method, files in arguments.methods.items()]
    save_figure(draw_calibration(methods), arguments.output)
    write_calibration_data(methods, arguments.data)
