"""Draw one video by spatiotemporal priors: frames, their errors, and the flow averaged over time."""

import argparse
from pathlib import Path

from step.cli.files import add_methods, add_pictures
from step.cli.settings import MotionSettings, motion_of_task

Settings = MotionSettings
select = motion_of_task


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    parser.add_argument("--measurement", required=True, type=Path, metavar="FILE", help="the video's measurement, HDF5")
    add_methods(parser)
    add_pictures(parser)
    parser.add_argument("--data", required=True, type=Path, metavar="NPZ", help="the numbers that are drawn")


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write the picture and its numbers; raises `InputError` where truth or reconstruction lacks."""
    import numpy as np
    from tqdm import tqdm

    from step.figures.motion import read_grid_of_video
    from step.figures.priors import draw_priors, see_priors, write_priors_data
    from step.figures.reading import read_shown_videos
    from step.figures.style import save_figure
    from step.sampling.averaged_flow import averaged_flow
    from step.sampling.optical_flow import tvl1_estimator

    [video] = read_shown_videos([arguments.measurement], arguments.methods, settings.display)
    estimator, videos = tvl1_estimator(settings.tvl1), [video.truth, *video.reconstructions.values()]
    shown = tqdm(videos, desc="flow", unit="video", disable=None)
    flows = np.stack([averaged_flow(frames, estimator) for frames in shown])
    picture = see_priors(video, flows, read_grid_of_video(arguments.measurement, settings.geometry))
    save_figure(draw_priors(picture, settings.display), arguments.output)
    write_priors_data(picture, arguments.data)
