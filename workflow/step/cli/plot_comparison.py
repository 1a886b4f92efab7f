"""Draw one video as all methods reconstruct it: a frame, its error and a slice through time."""

import argparse
from pathlib import Path

from step.cli.files import add_methods, add_pictures, add_truth
from step.cli.settings import DisplaySettings, display_of_task

Settings = DisplaySettings
select = display_of_task


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    add_truth(parser)
    add_methods(parser)
    add_pictures(parser)
    parser.add_argument("--data", required=True, type=Path, metavar="NPZ", help="the numbers that are drawn")


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write the picture and its numbers."""
    from step.figures.comparison import compare, draw_comparison, write_comparison_data
    from step.figures.reading import read_shown_videos
    from step.figures.style import save_figure

    [video] = read_shown_videos([arguments.truth], arguments.methods, settings.display)
    comparison = compare(video)
    save_figure(draw_comparison(comparison, settings.display), arguments.output)
    write_comparison_data(comparison, arguments.data)
