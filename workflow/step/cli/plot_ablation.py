"""Draw how PSNR, d-PSNR and data misfit change along one axis of the study."""

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
    parser.add_argument(
        "--table", required=True, type=Path, metavar="CSV", help="the metrics of all points and videos of the axis"
    )
    parser.add_argument(
        "--replicates", action="store_true", help="the points differ in a seed alone: show how far they spread"
    )
    add_pictures(parser)
    parser.add_argument("--data", type=Path, metavar="CSV", help="the means and standard errors that are drawn")


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write the picture, and its numbers if a file for them is given."""
    from step.figures.ablation import draw_ablation, read_curve, write_curve_data
    from step.figures.style import save_figure
    from step.io.tables import read_table

    curve = read_curve(read_table(arguments.table), str(arguments.table))
    save_figure(draw_ablation(curve, arguments.replicates), arguments.output)
    if arguments.data:
        write_curve_data(curve, arguments.data)
