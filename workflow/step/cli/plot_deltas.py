"""Draw and animate differences between consecutive frames, averaged over windows that grow, by several methods."""

import argparse
from pathlib import Path
from typing import Literal

from step.cli.files import add_methods, add_pictures, add_truth
from step.config.sections import Section
from step.config.study import Config


class Settings(Section):
    """What picture and film use of the configuration: how videos are shown, how large and when their frames are."""

    display: Literal["magnitude", "unit_range"]
    geometry: dict[str, float]


def select(config: Config, task: str) -> Settings:
    """Return the part of `config` that the pictures of `task` use."""
    video = config.video_format(config.tasks[task].domain)
    return Settings(display=video.display, geometry=video.geometry)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    parser.add_argument("--measurement", required=True, type=Path, metavar="FILE", help="the video's measurement, HDF5")
    add_truth(parser)
    add_methods(parser)
    add_pictures(parser)
    parser.add_argument("--movie", required=True, type=Path, metavar="FILE", help="the movie: .mp4 (H.264), or .gif")
    parser.add_argument("--data", required=True, type=Path, metavar="NPZ", help="the numbers that are drawn")


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write picture, movie and numbers; raises `InputError` where truth or reconstruction lacks."""
    from step.figures.deltas import animate_deltas, draw_deltas, see_deltas, write_deltas_data
    from step.figures.movies import write_movie
    from step.figures.reading import read_shown_videos
    from step.figures.rows import read_grid_of_video
    from step.figures.style import save_figure

    [video] = read_shown_videos([arguments.truth], arguments.methods, settings.display)
    deltas = see_deltas(video, read_grid_of_video(arguments.measurement, video.truth.shape, settings.geometry))
    save_figure(draw_deltas(deltas, settings.display), arguments.output)
    write_movie(animate_deltas(deltas, settings.display), arguments.movie)
    write_deltas_data(deltas, arguments.data)
