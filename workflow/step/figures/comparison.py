"""One video by all methods: a frame, its error, and a slice through time."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from step.config.views import ViewSettings, view_of_task
from step.figures import style
from step.figures.reading import ShownVideo, read_shown_videos
from step.figures.shown import ERROR_PERCENTILE, busiest_column, busiest_frame
from step.io.arrays import write_arrays
from step.metrics.psnr import METRIC as PSNR
from step.metrics.psnr import psnr
from step.products import Methods, Numbers, Pictures, Truth

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

PANEL_INCHES = 1.25

Settings = ViewSettings
select = view_of_task


@dataclass(frozen=True)
class Files:
    """One video and its reconstructions."""

    truth: Truth
    methods: Methods
    output: Pictures
    data: Numbers


def plot(files: Files, settings: ViewSettings) -> None:
    """Write the picture and its numbers."""
    [video] = read_shown_videos([files.truth], files.methods, settings.display)
    comparison = compare(video)
    style.save_figure(plot_comparison(comparison, settings.display), files.output)
    write_comparison_data(comparison, files.data)


@dataclass(frozen=True)
class Comparison:
    """The numbers of the picture; the first column is the truth."""

    columns: tuple[str, ...]  # "truth" and the methods
    frame: int  # the frame that is shown, counted from 0
    x: int  # the column of pixels that the slices follow, counted from 0
    frames: np.ndarray  # (column, y, x) in [0, 1]
    errors: np.ndarray  # (column, y, x), |frame - truth's frame|
    slices: np.ndarray  # (column, y, time) in [0, 1]
    psnr_db: np.ndarray  # (column,) mean over all frames of the video; nan for the truth


def compare(video: ShownVideo) -> Comparison:
    """Return what the picture of `video` shows, where and when the truth moves most."""
    frame, x = busiest_frame(video.truth), busiest_column(video.truth)
    videos = np.stack([video.truth, *video.reconstructions.values()])
    scores = [psnr(frames, video.truth) for frames in video.reconstructions.values()]
    return Comparison(
        columns=("truth", *video.reconstructions),
        frame=frame,
        x=x,
        frames=videos[:, frame],
        errors=np.abs(videos[:, frame] - video.truth[frame]),
        slices=videos[:, :, :, x].swapaxes(1, 2),
        psnr_db=np.array([np.nan, *scores]),
    )


def plot_comparison(comparison: Comparison, display: str) -> Figure:
    """Return the picture: a column for the truth and each method; rows for frame, error and y-t slice."""
    n_columns = len(comparison.columns)
    with style.styled():
        figure = style.new_figure(figsize=(PANEL_INCHES * n_columns + 1.2, 3.4 * PANEL_INCHES + 0.6))
        axes = figure.subplots(3, n_columns, squeeze=False)
        for column in range(n_columns):
            brightness = _plot_frame(axes[0, column], comparison, column, display)
            error = _plot_error(axes[1, column], comparison, column)
            _plot_slice(axes[2, column], comparison, column, display)
        axes[0, 0].set_ylabel(f"frame {comparison.frame}\ny [pixel]")
        axes[1, 0].set_ylabel(f"error of frame {comparison.frame}\ny [pixel]")
        axes[2, 0].set_ylabel(f"slice at x = {comparison.x}\ny [pixel]")
        for row, image, label, extend in (
            (0, brightness, style.BRIGHTNESS_LABELS[display], "neither"),
            (1, error, "|difference|", "max"),
            (2, brightness, style.BRIGHTNESS_LABELS[display], "neither"),
        ):
            figure.colorbar(image, ax=list(axes[row]), label=label, extend=extend, pad=0.01, aspect=12)
    return figure


def write_comparison_data(comparison: Comparison, path: Path) -> None:
    """Write the numbers of the picture to `path` (.npz), by the names of `Comparison`."""
    write_arrays(path, asdict(comparison))


def _plot_frame(axes: Axes, comparison: Comparison, column: int, display: str) -> AxesImage:
    axes.set_title(style.label(comparison.columns[column]))
    axes.axvline(comparison.x, color=style.MARK_COLOUR, linewidth=0.8)
    axes.tick_params(labelbottom=False, labelleft=column == 0)
    return axes.imshow(comparison.frames[column], cmap=style.BRIGHTNESS_COLOURS[display], vmin=0, vmax=1)


def _plot_error(axes: Axes, comparison: Comparison, column: int) -> AxesImage:
    title = PSNR.say(comparison.psnr_db[column]) if column else f"{PSNR.label} of the video:"
    axes.set_title(title, pad=3)
    axes.set_xlabel("x [pixel]")
    axes.tick_params(labelleft=column == 0)
    largest = np.percentile(comparison.errors[1:], ERROR_PERCENTILE)
    return axes.imshow(comparison.errors[column], cmap=style.ERROR_COLOURS, vmin=0, vmax=largest or 1)


def _plot_slice(axes: Axes, comparison: Comparison, column: int, display: str) -> None:
    axes.imshow(
        comparison.slices[column],
        cmap=style.BRIGHTNESS_COLOURS[display],
        vmin=0,
        vmax=1,
        aspect="auto",
    )
    axes.set_box_aspect(1)
    axes.set_xlabel("t [frame]")
    axes.tick_params(labelleft=column == 0)
