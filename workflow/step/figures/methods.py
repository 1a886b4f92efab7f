"""One video by all methods, and how each moves: frames, a slice through time, and the averaged optical flow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from step.figures import style
from step.figures.motion import (
    OPTICAL_FLOW_NOTE,
    OPTICAL_FLOW_TITLE,
    AveragedOpticalFlows,
    MotionFiles,
    MotionSettings,
    motion_of_task,
    plot_averaged_optical_flows,
    read_motion,
)
from step.figures.posterior import Grid
from step.figures.reading import ShownVideo
from step.figures.rows import bar_of, titles_of_columns
from step.figures.scales import TIME_LABELS, evenly_spaced, frame_edges, plot_scale_bar
from step.figures.shown import busiest_column
from step.io.arrays import write_arrays
from step.metrics.psnr import METRIC as PSNR
from step.metrics.psnr import psnr

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

FRAMES_SHOWN = 3
PANEL_INCHES = 0.95
LABEL_INCHES, LEGEND_INCHES = 1.2, 0.95
SLICE_WIDTH = 1.5  # in widths of a frame

Settings = MotionSettings
select = motion_of_task
Files = MotionFiles


def plot(files: MotionFiles, settings: MotionSettings) -> None:
    """Write the picture and its numbers; raises `InputError` where truth or reconstruction lacks."""
    picture = see_methods(*read_motion(files, settings))
    style.save_figure(plot_methods(picture, settings.display), files.output)
    write_methods_data(picture, files.data)


@dataclass(frozen=True)
class MethodsPicture:
    """The numbers of the picture; the first row is the truth."""

    rows: tuple[str, ...]  # "truth" and the methods
    grid: Grid
    shown: np.ndarray  # (column,) the frames that are shown, counted from 0
    x: int  # the column of pixels that the slices follow, counted from 0
    frames: np.ndarray  # (row, column, y, x) in [0, 1]
    slices: np.ndarray  # (row, y, time) in [0, 1]
    optical_flows: AveragedOpticalFlows
    psnr_db: np.ndarray  # (row,) mean over all frames of the video; nan for the truth


def see_methods(video: ShownVideo, optical_flows: np.ndarray, grid: Grid) -> MethodsPicture:
    """Return what the picture of `video` shows: frames from first to last, and the slice where the truth moves most.

    `optical_flows` (row, 2, y, x), pixels per frame, are averaged over time: the truth's, then each method's.
    """
    videos, x = np.stack([video.truth, *video.reconstructions.values()]), busiest_column(video.truth)
    shown = evenly_spaced(len(video.truth), FRAMES_SHOWN)
    return MethodsPicture(
        rows=("truth", *video.reconstructions),
        grid=grid,
        shown=shown,
        x=x,
        frames=videos[:, shown],
        slices=videos[:, :, :, x].swapaxes(1, 2),
        optical_flows=AveragedOpticalFlows(optical_flows),
        psnr_db=np.array([np.nan, *(psnr(frames, video.truth) for frames in video.reconstructions.values())]),
    )


def plot_methods(picture: MethodsPicture, display: str) -> Figure:
    """Return the picture: a row for the truth and each method; columns for frames, y-t slice and optical flow."""
    n_rows, n_frames = picture.frames.shape[:2]
    with style.styled():
        width = PANEL_INCHES * (n_frames + SLICE_WIDTH + 1) + LABEL_INCHES + LEGEND_INCHES
        figure = style.new_figure(figsize=(width, PANEL_INCHES * n_rows + 1.0))
        figure.set_layout_engine("compressed", h_pad=0.015, w_pad=0.015, hspace=0, wspace=0)
        widths = [1] * n_frames + [SLICE_WIDTH, 1, LEGEND_INCHES / PANEL_INCHES]
        axes = figure.subplots(n_rows, n_frames + 3, squeeze=False, width_ratios=widths)
        for row in range(n_rows):
            _label_row(axes[row, 0], picture, row)
            for column in range(n_frames):
                image = _plot_frame(axes[row, column], picture, row, column, display)
            _plot_slice(axes[row, n_frames], picture, row, display)
        titles = [*titles_of_columns(picture.grid, picture.shown), "slice along\nthe marked line", OPTICAL_FLOW_TITLE]
        for one, title in zip(axes[0, :-1], titles, strict=True):
            one.set_title(title)
        axes[-1, n_frames].set_xlabel(TIME_LABELS[picture.grid.time_unit])
        plot_scale_bar(axes[0, 0], bar_of(picture.grid, picture.frames.shape[-1]), picture.frames.shape[-2])
        plot_averaged_optical_flows(picture.optical_flows, list(axes[:, -2]), axes[0, -1])
        for one in axes[1:, -1]:
            one.set_axis_off()
        colours = axes[1, -1].inset_axes((0.1, 0.05, 0.1, 0.9))
        figure.colorbar(image, cax=colours).set_label(style.BRIGHTNESS_LABELS[display], fontsize=6)
        figure.supxlabel(
            f"{PSNR.label}: mean over the frames of the video. {OPTICAL_FLOW_NOTE}", fontsize=6, color="dimgray"
        )
    return figure


def write_methods_data(picture: MethodsPicture, path: Path) -> None:
    """Write the numbers of the picture to `path` (.npz), by the names of `MethodsPicture` and of its `Grid`."""
    numbers = {
        "rows": picture.rows,
        "shown": picture.shown,
        "x": picture.x,
        "frames": picture.frames,
        "slices": picture.slices,
        "optical_flows": picture.optical_flows.vectors,
        "optical_flow_errors_px": picture.optical_flows.errors_px,
        "psnr_db": picture.psnr_db,
    }
    write_arrays(path, picture.grid.numbers | numbers)


def _label_row(axes: Axes, picture: MethodsPicture, row: int) -> None:
    text = style.label(picture.rows[row])
    if row:
        text += f"\n{PSNR.say(picture.psnr_db[row])}"
    axes.set_ylabel(text, rotation=0, ha="right", va="center", labelpad=4)


def _plot_frame(axes: Axes, picture: MethodsPicture, row: int, column: int, display: str) -> AxesImage:
    axes.set(xticks=[], yticks=[])
    axes.axvline(picture.x, color=style.MARK_COLOUR, linewidth=0.8)
    return axes.imshow(picture.frames[row, column], cmap=style.BRIGHTNESS_COLOURS[display], vmin=0, vmax=1)


def _plot_slice(axes: Axes, picture: MethodsPicture, row: int, display: str) -> None:
    first, *_, last = frame_edges(picture.grid.times)
    bottom = picture.slices.shape[1] - 0.5
    axes.imshow(
        picture.slices[row],
        cmap=style.BRIGHTNESS_COLOURS[display],
        vmin=0,
        vmax=1,
        extent=(first, last, bottom, -0.5),
        aspect="auto",
    )
    axes.set_box_aspect(1 / SLICE_WIDTH)
    axes.set_yticks([])
    lowest = row == len(picture.rows) - 1
    axes.tick_params(bottom=lowest, labelbottom=lowest)
