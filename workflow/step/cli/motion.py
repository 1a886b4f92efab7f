"""What stages share that draw how methods move: their settings and arguments, and one video with its averaged flows."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from step.cli.files import add_methods, add_pictures, add_truth
from step.config.sections import Section
from step.config.study import Config
from step.config.tasks import TvL1
from step.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from step.figures.posterior import Grid
    from step.figures.reading import ShownVideo


class MotionSettings(Section):
    """How videos are shown, how large and when their frames are, and how their flow is estimated.

    The estimator is TV-L1 whatever the task's own is: the motion of all videos is seen with the same eyes, and no
    learned weights are needed.
    """

    display: Literal["magnitude", "unit_range"]
    geometry: dict[str, float]
    tvl1: TvL1


def motion_of_task(config: Config, task: str) -> MotionSettings:
    """Return what pictures of the motion in `task` use; raises `InputError` where it has no flow."""
    chosen = config.tasks[task]
    if chosen.flow is None:
        raise InputError(f"task {task} has no flow to show motion with; give it tasks.{task}.flow")
    video = config.video_format(chosen.domain)
    return MotionSettings(display=video.display, geometry=video.geometry, tvl1=chosen.flow.tvl1)


def add_motion(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of these stages."""
    parser.add_argument("--measurement", required=True, type=Path, metavar="FILE", help="the video's measurement, HDF5")
    add_truth(parser)
    add_methods(parser)
    add_pictures(parser)
    parser.add_argument("--data", required=True, type=Path, metavar="NPZ", help="the numbers that are drawn")


def read_motion(arguments: argparse.Namespace, settings: MotionSettings) -> tuple["ShownVideo", "np.ndarray", "Grid"]:
    """Return the video, the averaged flow (video, 2, y, x) of truth and methods, and when and how large frames are.

    Raises `InputError` where truth or reconstruction lacks.
    """
    import numpy as np

    from step.figures.reading import read_shown_videos
    from step.figures.rows import read_grid_of_video
    from step.progress import track
    from step.sampling.averaged_flow import averaged_flow
    from step.sampling.optical_flow import tvl1_estimator

    [video] = read_shown_videos([arguments.truth], arguments.methods, settings.display)
    estimator, videos = tvl1_estimator(settings.tvl1), [video.truth, *video.reconstructions.values()]
    flows = np.stack([averaged_flow(frames, estimator) for frames in track(videos, "optical flow", "video")])
    return video, flows, read_grid_of_video(arguments.measurement, video.truth.shape, settings.geometry)
