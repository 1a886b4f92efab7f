"""What the pictures that compare how methods move have in common: settings, files, averaged optical flow, colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from step.config.study import Config
from step.config.tasks import TvL1
from step.config.views import GridSettings
from step.errors import InputError
from step.figures.posterior import Grid
from step.figures.reading import ShownVideo, read_shown_videos
from step.figures.rows import read_grid_of_video
from step.figures.vectors import colour_vectors, plot_wheel
from step.products import Measurement, Methods, Numbers, Pictures, Truth
from step.progress import track

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OPTICAL_FLOW_PERCENTILE = 99.5
"""Of the truth's optical flow: full colour begins here, so that one wild pixel does not pale all others."""

OPTICAL_FLOW_TITLE = "averaged optical\nflow (TV-L1)"
OPTICAL_FLOW_NOTE = (
    "Optical flow from frame to frame, averaged over time; off by: its mean distance to the truth's, pixel/frame."
)


class MotionSettings(GridSettings):
    """How videos are shown, how large and when their frames are, and how their optical flow is estimated.

    The estimator is TV-L1 whatever the task's own is: the motion of all videos is seen with the same eyes, and no
    learned weights are needed.
    """

    tvl1: TvL1


def motion_of_task(config: Config, task: str) -> MotionSettings:
    """Return what pictures of the motion in `task` use; raises `InputError` where it has no optical flow."""
    chosen = config.tasks[task]
    if chosen.optical_flow is None:
        raise InputError(f"task {task} has no optical flow to show motion with; give it tasks.{task}.optical_flow")
    video = config.video_format(chosen.domain)
    return MotionSettings(display=video.display, geometry=video.geometry, tvl1=chosen.optical_flow.tvl1)


@dataclass(frozen=True)
class MotionFiles:
    """One video, its measurement and its reconstructions."""

    measurement: Measurement
    truth: Truth
    methods: Methods
    output: Pictures
    data: Numbers


def read_motion(files: MotionFiles, settings: MotionSettings) -> tuple[ShownVideo, np.ndarray, Grid]:
    """Return the video, the averaged optical flow (video, 2, y, x) of truth and methods, and the grid of the frames.

    Raises `InputError` where truth or reconstruction lacks.
    """
    from step.optical_flow.averaged import averaged_optical_flow
    from step.optical_flow.estimators import tvl1_estimator

    [video] = read_shown_videos([files.truth], files.methods, settings.display)
    estimator, videos = tvl1_estimator(settings.tvl1), [video.truth, *video.reconstructions.values()]
    optical_flows = np.stack(
        [averaged_optical_flow(frames, estimator) for frames in track(videos, "optical flow", "video")]
    )
    return video, optical_flows, read_grid_of_video(files.measurement, video.truth.shape, settings.geometry)


@dataclass(frozen=True)
class AveragedOpticalFlows:
    """The optical flow of each video, averaged over time; the first is the truth's."""

    vectors: np.ndarray  # (video, 2, y, x), pixels per frame; component 0 along x, 1 along y

    @property
    def errors_px(self) -> np.ndarray:
        """The mean distance (video,) to the truth's averaged optical flow, pixels per frame; nan for the truth."""
        distances = np.linalg.norm(self.vectors - self.vectors[0], axis=1).mean(axis=(1, 2))
        return np.array([np.nan, *distances[1:]])

    @property
    def full_colour(self) -> float:
        """The length, pixels per frame, from which on colours are full: about the truth's largest displacement."""
        return float(np.percentile(np.linalg.norm(self.vectors[0], axis=0), OPTICAL_FLOW_PERCENTILE))


def plot_averaged_optical_flows(optical_flows: AveragedOpticalFlows, axes: Sequence[Axes], wheel_axes: Axes) -> None:
    """Plot the colours of each of `optical_flows` into its `axes`, with how far it is off, and the wheel of colours."""
    colours, wheel = colour_vectors(optical_flows.vectors, optical_flows.full_colour)
    for one, picture, error in zip(axes, colours, optical_flows.errors_px, strict=True):
        one.set(xticks=[], yticks=[])
        one.imshow(picture)
        if not np.isnan(error):
            _write_below_left(one, f"off by {error:.2f}")
    wheel_axes.set(xticks=[], yticks=[])
    plot_wheel(
        wheel_axes, wheel, optical_flows.full_colour, f"rim: {optical_flows.full_colour:.2g} or\nmore pixel/frame"
    )


def _write_below_left(axes: Axes, text: str) -> None:
    from matplotlib.patheffects import withStroke

    outline = [withStroke(linewidth=2, foreground="white")]
    axes.text(0.03, 0.03, text, transform=axes.transAxes, fontsize=6, va="bottom", path_effects=outline)
