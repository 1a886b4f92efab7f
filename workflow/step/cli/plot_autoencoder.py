"""Draw what the autoencoder keeps of some videos: truth, reconstruction, error and PSNR."""

import argparse
from pathlib import Path

from step.cli.files import add_pictures, add_reconstructions, add_truths
from step.cli.settings import DisplaySettings, display_of_task

Settings = DisplaySettings
select = display_of_task


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    add_truths(parser)
    add_reconstructions(parser, "the autoencoder's reconstructions of these videos")
    add_pictures(parser)
    parser.add_argument("--data", required=True, type=Path, metavar="NPZ", help="the numbers that are drawn")


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write the picture and its numbers; raises `InputError` where a truth or a reconstruction lacks."""
    from step.figures.autoencoder import AUTOENCODER, draw_autoencoder, see_autoencoder, write_autoencoder_data
    from step.figures.reading import read_shown_videos
    from step.figures.style import save_figure

    videos = read_shown_videos(arguments.truths, {AUTOENCODER: arguments.reconstructions}, settings.display)
    passage = see_autoencoder(videos)
    save_figure(draw_autoencoder(passage, settings.display), arguments.output)
    write_autoencoder_data(passage, arguments.data)
