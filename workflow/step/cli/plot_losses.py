"""Draw the training and validation loss of one network over its training."""

import argparse
from pathlib import Path

from step.cli.files import add_pictures
from step.config.sections import Section
from step.config.study import Config


class Settings(Section):
    """The picture uses nothing of the configuration."""


def select(config: Config) -> Settings:
    """Return the part of `config` that the picture uses: nothing."""
    return Settings()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    parser.add_argument("--losses", required=True, type=Path, metavar="CSV", help="the table of the training")
    parser.add_argument("--title", required=True, help="what was trained, e.g. 'joint prior, mri'")
    add_pictures(parser)


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write the picture."""
    from step.figures.losses import draw_losses, read_losses
    from step.figures.style import save_figure
    from step.io.tables import read_table

    columns = read_losses(read_table(arguments.losses), str(arguments.losses))
    save_figure(draw_losses(columns, arguments.title), arguments.output)
