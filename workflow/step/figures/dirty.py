"""What an interferometer sees of a video without a prior: its dirty frames (the paper's Fig. 8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from step.config.sections import Section
from step.config.study import Config
from step.config.tasks import MeasurementOfDomain
from step.errors import InputError
from step.figures import style
from step.figures.movies import write_movie
from step.figures.panels import Panel, panel_video
from step.figures.scales import clock, clocks, evenly_spaced, scale_bar
from step.io.arrays import write_arrays
from step.io.reconstructions import read_measurement
from step.io.truths import read_truth
from step.products import Measurement, Movie, Numbers, Pictures, Truth

if TYPE_CHECKING:
    import torch
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

    from step.physics.vlbi import ClosureImaging


FRAMES_SHOWN = 6
PANEL_INCHES = 1.25
QUANTITY = "brightness [video's maximum]"
CAPTION = "dirty video: inverse Fourier transform at the measured baselines, without errors"
COLOURS = style.BRIGHTNESS_COLOURS["unit_range"]


class DirtySettings(Section):
    """How the task measures."""

    measurement: MeasurementOfDomain


Settings = DirtySettings


def select(config: Config, task: str) -> DirtySettings:
    """Return how `task` measures the videos of its domain."""
    return DirtySettings(measurement=config.measurement_of(task))


def modules(settings: DirtySettings) -> list[str]:
    """Return the modules that the measurement names, which are imported by name."""
    return settings.measurement.modules


@dataclass(frozen=True)
class Files:
    """One video and its measurement."""

    measurement: Measurement
    truth: Truth
    output: Pictures
    movie: Movie
    data: Numbers


def plot(files: Files, settings: DirtySettings) -> None:
    """Write picture, movie and numbers; raises `InputError` unless the task is interferometry and the truth known."""
    from step.physics.forward_models import build_forward_model, check_measurement, to_tensors
    from step.physics.vlbi import ClosureImaging

    measurement = read_measurement(files.measurement)
    truth = read_truth(files.truth, files.measurement.stem)
    forward_model = build_forward_model(settings.measurement, truth.shape)
    if not isinstance(forward_model, ClosureImaging):
        raise InputError(f"the measurement is of model {settings.measurement.model}; only vlbi has a dirty video")
    measured = to_tensors(measurement)
    check_measurement(measured, forward_model, truth.shape, files.measurement)
    video = see_dirty(forward_model, truth, measured)
    shown = video[evenly_spaced(len(truth), FRAMES_SHOWN)]
    style.save_figure(plot_dirty(shown), files.output)
    write_dirty_data(shown, files.data)
    write_movie(animate_dirty(video), files.movie)


@dataclass(frozen=True)
class DirtyVideo:
    """A video and its dirty video; the brightness of each is in units of its own maximum.

    One is brightness per pixel, the other per beam, and a beam without short baselines has no area to divide by.
    """

    time_h: np.ndarray  # (time,) UTC
    with_data: np.ndarray  # (time,) bool: where there is at least one visibility
    truth: np.ndarray  # (time, y, x)
    dirty: np.ndarray  # (time, y, x), 0 where there are no data
    pixel_uas: float

    def __getitem__(self, frames: np.ndarray) -> DirtyVideo:
        """Return `frames` of both."""
        of_time = {name: array[frames] for name, array in vars(self).items() if name != "pixel_uas"}
        return DirtyVideo(**of_time, pixel_uas=self.pixel_uas)

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """The frame's left, right, lower and upper edge, microarcsecond from its centre; right ascension grows left."""
        half_width, half_height = (self.pixel_uas * side / 2 for side in self.truth.shape[:0:-1])
        return half_width, -half_width, -half_height, half_height


def see_dirty(forward_model: ClosureImaging, truth: np.ndarray, measurement: Mapping[str, torch.Tensor]) -> DirtyVideo:
    """Return the dirty video of `truth` (time, 1, y, x) by visibilities without errors, where `measurement` has data.

    The measurement is a batch of one.
    """
    import torch

    from step.physics.vlbi import brightness

    settings, video = forward_model.settings, torch.from_numpy(truth)[None]
    present = measurement["sigma"] > 0
    ideal = forward_model.ideal_visibilities(video, measurement["uv"])
    dirty = forward_model.dirty_video(ideal, present.to(video.dtype), measurement["uv"])[0, :, 0].numpy()
    image = brightness(video)[0].numpy()
    return DirtyVideo(
        time_h=settings.start_utc_h + np.arange(len(truth)) * settings.cadence_s / 3600,
        with_data=present[0].any(dim=-1).numpy(),
        truth=_in_units_of_maximum(image),
        dirty=_in_units_of_maximum(dirty),
        pixel_uas=settings.field_of_view_uas / truth.shape[-1],
    )


def plot_dirty(video: DirtyVideo) -> Figure:
    """Return the picture: frames of the truth above those of the dirty video, a column for each frame of `video`."""
    n_columns = len(video.time_h)
    with style.styled():
        figure = style.new_figure(figsize=(PANEL_INCHES * n_columns + 1.3, 2 * PANEL_INCHES + 0.55))
        axes = figure.subplots(2, n_columns, squeeze=False, sharex=True, sharey=True)
        for column, (top, bottom) in enumerate(axes.T):
            top.set_title(clock(video.time_h[column], "UTC h"))
            _plot_frame(top, video, video.truth[column])
            image = _plot_frame(bottom, video, video.dirty[column])
            bottom.set_xlabel("relative RA [µas]")
            if not video.with_data[column]:
                bottom.text(0, 0, "no data", color="white", ha="center", va="center")
        axes[0, 0].set_ylabel("truth\nrelative Dec [µas]")
        axes[1, 0].set_ylabel("dirty video\nrelative Dec [µas]")
        extend = "min" if video.dirty.min() < 0 else "neither"
        figure.colorbar(image, ax=axes, label=QUANTITY, extend=extend, pad=0.01, aspect=25)
    return figure


def animate_dirty(video: DirtyVideo) -> np.ndarray:
    """Return the video (time, height, width, 3), uint8: the truth next to the dirty video."""
    panels = [
        Panel(style.label(name), frames, style.colours(COLOURS), (0, 1), QUANTITY)
        for name, frames in (("truth", video.truth), ("dirty", video.dirty))
    ]
    bar = scale_bar(video.truth.shape[-1], video.pixel_uas, "uas")
    return panel_video(panels, len(panels), clocks(video.time_h, "UTC h", video.with_data), bar, CAPTION)


def write_dirty_data(video: DirtyVideo, path: Path) -> None:
    """Write the numbers of the picture to `path` (.npz), by the names of `DirtyVideo`."""
    write_arrays(path, asdict(video))


def _plot_frame(axes: Axes, video: DirtyVideo, frame: np.ndarray) -> AxesImage:
    # What is below 0 in a dirty frame, the troughs between the beam's sidelobes, is as dark as 0.
    return axes.imshow(frame, cmap=COLOURS, vmin=0, vmax=1, extent=video.extent)


def _in_units_of_maximum(frames: np.ndarray) -> np.ndarray:
    brightest = frames.max()
    return frames / (brightest if brightest > 0 else 1)
