"""Spatiotemporal priors compared in space: frames, where they are wrong, and whether they move alike."""

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
from step.figures.scales import plot_scale_bar
from step.io.arrays import write_arrays
from step.metrics.psnr import METRIC as PSNR
from step.metrics.psnr import psnr

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

FRAMES_SHOWN = (1 / 4, 3 / 4)  # of the way from the first to the last
PANEL_INCHES = 1.15
LABEL_INCHES, LEGEND_INCHES = 1.3, 1.1
PERCENTILE = 99.5  # the error scale ends here, so that one wild pixel does not darken all maps
PATCH_SHARE = 1 / 16  # side of the patches whose errors are compared, of a frame's
ARROW_SHARE = 0.16  # length of an arrow, of a frame's side

Settings = MotionSettings
select = motion_of_task
Files = MotionFiles


def plot(files: MotionFiles, settings: MotionSettings) -> None:
    """Write the picture and its numbers; raises `InputError` where truth or reconstruction lacks."""
    picture = see_priors(*read_motion(files, settings))
    style.save_figure(plot_priors(picture, settings.display), files.output)
    write_priors_data(picture, files.data)


@dataclass(frozen=True)
class PriorsPicture:
    """The numbers of the picture; the first row is the truth."""

    rows: tuple[str, ...]  # "truth" and the methods
    grid: Grid
    shown: np.ndarray  # (column,) the frames that are shown, counted from 0
    frames: np.ndarray  # (row, column, y, x) in [0, 1]
    errors: np.ndarray  # (row, column, y, x), |frame - truth's frame|
    mean_errors: np.ndarray  # (row, y, x), |frame - truth's frame| averaged over time
    worst: np.ndarray  # (method, column, 2), y and x where a method does worst compared with the others, counted from 0
    optical_flows: AveragedOpticalFlows
    psnr_db: np.ndarray  # (row,) mean over all frames of the video; nan for the truth


def see_priors(video: ShownVideo, optical_flows: np.ndarray, grid: Grid) -> PriorsPicture:
    """Return what the picture of `video` shows, a quarter and three quarters of the way through it.

    `optical_flows` (row, 2, y, x), pixels per frame, are averaged over time: the truth's, then each method's.
    """
    videos = np.stack([video.truth, *video.reconstructions.values()])
    errors = np.abs(videos - video.truth)
    shown = np.unique(np.round(np.array(FRAMES_SHOWN) * (len(video.truth) - 1)).astype(int))
    return PriorsPicture(
        rows=("truth", *video.reconstructions),
        grid=grid,
        shown=shown,
        frames=videos[:, shown],
        errors=errors[:, shown],
        mean_errors=errors.mean(axis=1),
        worst=find_worst(errors[1:, shown]),
        optical_flows=AveragedOpticalFlows(optical_flows),
        psnr_db=np.array([np.nan, *(psnr(frames, video.truth) for frames in video.reconstructions.values())]),
    )


def find_worst(errors: np.ndarray) -> np.ndarray:
    """Return (method, column, 2): y and x around which a method's error most exceeds the smallest of the others.

    `errors` (method, column, y, x) are averaged over patches of `patch_side`. A single method is compared with no
    error at all.
    """
    from scipy.ndimage import uniform_filter

    side = patch_side(errors.shape[2:])
    smooth = uniform_filter(errors, size=(1, 1, side, side), mode="nearest")
    places = np.empty((*errors.shape[:2], 2), int)
    for method, own in enumerate(smooth):
        others = np.delete(smooth, method, axis=0)
        excess = own - (others.min(axis=0) if len(others) else 0)
        flat = excess.reshape(len(own), -1).argmax(axis=1)
        places[method] = np.stack(np.unravel_index(flat, own.shape[1:]), axis=1)
    return places


def patch_side(shape: tuple[int, ...]) -> int:
    """Return the side, pixels, of the patches of frames of `shape` (y, x) whose errors are compared."""
    return max(1, round(PATCH_SHARE * max(shape)))


def plot_priors(picture: PriorsPicture, display: str) -> Figure:
    """Return the picture: a row for the truth and each method; columns for frames, errors and averaged optical flow."""
    n_rows, n_frames = picture.frames.shape[:2]
    n_columns = 2 * n_frames + 3
    with style.styled():
        width = PANEL_INCHES * (n_columns - 1) + LABEL_INCHES + LEGEND_INCHES
        figure = style.new_figure(figsize=(width, PANEL_INCHES * n_rows + 1.0))
        figure.set_layout_engine("compressed", h_pad=0.02, w_pad=0.02, hspace=0, wspace=0)
        axes = figure.subplots(n_rows, n_columns, squeeze=False, width_ratios=[1] * n_columns)
        frames, errors = axes[:, :n_frames], axes[:, n_frames:-2]
        times = titles_of_columns(picture.grid, picture.shown)
        error_titles = [*(f"error at\n{time}" for time in times), "error, averaged\nover time"]
        # The truth has no errors: the bars of colours lie in its place.
        titled = [*frames[0], axes[0, -2], *errors[1]]
        for one, title in zip(titled, [*times, OPTICAL_FLOW_TITLE, *error_titles], strict=True):
            one.set_title(title)
        images = [_plot_frames(frames[row], picture, row, display) for row in range(n_rows)]
        maps = [_plot_errors(errors[row], picture, row) for row in range(1, n_rows)]
        for one in (*errors[0], *axes[1:, -1]):
            one.set_axis_off()
        plot_scale_bar(axes[0, 0], bar_of(picture.grid, picture.frames.shape[-1]), picture.frames.shape[-2])
        plot_averaged_optical_flows(picture.optical_flows, list(axes[:, -2]), axes[0, -1])
        _plot_colours(errors[0, 0], images[0], style.BRIGHTNESS_LABELS[display], "neither")
        _plot_colours(errors[0, -1], maps[0], "|difference|", "max")
        figure.supxlabel(_note(picture), fontsize=6, color="dimgray")
    return figure


def write_priors_data(picture: PriorsPicture, path: Path) -> None:
    """Write the numbers of the picture to `path` (.npz), by the names of `PriorsPicture` and of its `Grid`."""
    numbers = {
        "rows": picture.rows,
        "shown": picture.shown,
        "frames": picture.frames,
        "errors": picture.errors,
        "mean_errors": picture.mean_errors,
        "worst": picture.worst,
        "optical_flows": picture.optical_flows.vectors,
        "optical_flow_errors_px": picture.optical_flows.errors_px,
        "psnr_db": picture.psnr_db,
    }
    write_arrays(path, picture.grid.numbers | numbers)


def _plot_frames(axes: np.ndarray, picture: PriorsPicture, row: int, display: str) -> AxesImage:
    text = style.label(picture.rows[row])
    if row:
        text += f"\n{PSNR.say(picture.psnr_db[row])}"
    axes[0].set_ylabel(text, rotation=0, ha="right", va="center", labelpad=4)
    for column, one in enumerate(axes):
        one.set(xticks=[], yticks=[])
        image = one.imshow(picture.frames[row, column], cmap=style.BRIGHTNESS_COLOURS[display], vmin=0, vmax=1)
        if row:
            _point_at(one, picture.worst[row - 1, column], picture.frames.shape[2:])
    return image


def _plot_errors(axes: np.ndarray, picture: PriorsPicture, row: int) -> AxesImage:
    largest = np.percentile(picture.errors[1:], PERCENTILE) or 1
    for one, error in zip(axes, [*picture.errors[row], picture.mean_errors[row]], strict=True):
        one.set(xticks=[], yticks=[])
        image = one.imshow(error, cmap=style.ERROR_COLOURS, vmin=0, vmax=largest)
    for one, place in zip(axes[:-1], picture.worst[row - 1], strict=True):
        _point_at(one, place, picture.errors.shape[2:])
    return image


def _point_at(axes: Axes, place: np.ndarray, shape: tuple[int, ...]) -> None:
    """Plot an arrow that ends at `place`, y and x, and comes from the middle of the frame of `shape` (y, x)."""
    tip, middle = place[::-1].astype(float), (np.array(shape[::-1]) - 1) / 2
    towards_middle = middle - tip
    tail = tip + ARROW_SHARE * max(shape) * towards_middle / (np.linalg.norm(towards_middle) or 1)
    arrow = {"arrowstyle": "-|>", "color": style.MARK_COLOUR, "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", tuple(tip), tuple(tail), arrowprops=arrow)


def _plot_colours(axes: Axes, image: AxesImage, label: str, extend: str) -> None:
    colours = axes.inset_axes((0.2, 0.05, 0.1, 0.9))
    axes.figure.colorbar(image, cax=colours, extend=extend).set_label(label, fontsize=6)


def _note(picture: PriorsPicture) -> str:
    side = patch_side(picture.frames.shape[2:])
    patch = f"{side} x {side} pixels"
    return f"Arrow: where a method's error, averaged over {patch}, most exceeds the others'.\n{OPTICAL_FLOW_NOTE}"
