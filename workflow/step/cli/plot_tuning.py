"""Draw what a search for settings has tried: the score of trial after trial, and against each value."""

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
    parser.add_argument("--trials", required=True, type=Path, metavar="CSV", help="the table of the trials")
    add_pictures(parser)


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write the picture; its numbers are the table's."""
    from step.figures.style import save_figure
    from step.figures.tuning import draw_trials, read_trials
    from step.io.tables import read_table

    save_figure(draw_trials(read_trials(read_table(arguments.trials), str(arguments.trials))), arguments.output)
