"""Make a movie of the truth beside one method or several, one row per video."""

import argparse
from pathlib import Path

from step.cli.files import add_methods, add_truths
from step.cli.settings import DisplaySettings, display_of_task

Settings = DisplaySettings
select = display_of_task


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    add_truths(parser)
    add_methods(parser)
    parser.add_argument("--output", required=True, type=Path, metavar="FILE", help="the movie: .mp4 (H.264), or .gif")


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write the movie."""
    from step.figures.movies import animate, write_movie
    from step.figures.reading import read_shown_videos

    videos = read_shown_videos(arguments.truths, arguments.methods, settings.display)
    write_movie(animate(videos, settings.display), arguments.output)
