"""One video by all methods: a frame, its error, and a slice through time."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from step.figures import style
from step.figures.reading import ShownVideo
from step.io.arrays import write_arrays
from step.metrics.psnr import psnr

PANEL_INCHES = 1.25
ERROR_PERCENTILE = 99.5  # the error scale ends here, so that one wild pixel does not darken all maps


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


def busiest_column(truth: np.ndarray) -> int:
    """Return the x at which `truth` (time, y, x) changes most from frame to frame, summed over y and time."""
    return int(np.abs(np.diff(truth, axis=0)).sum(axis=(0, 1)).argmax())


def busiest_frame(truth: np.ndarray) -> int:
    """Return the frame of `truth` (time, y, x) that is farthest from its time average."""
    return int(((truth - truth.mean(axis=0)) ** 2).sum(axis=(1, 2)).argmax())


def draw_comparison(comparison: Comparison, display: str) -> Figure:
    """Return the picture: a column for the truth and each method; rows for frame, error and y-t slice."""
    n_columns = len(comparison.columns)
    with style.styled():
        figure = Figure(figsize=(PANEL_INCHES * n_columns + 1.2, 3.4 * PANEL_INCHES + 0.6))
        axes = figure.subplots(3, n_columns, squeeze=False)
        for column in range(n_columns):
            brightness = _draw_frame(axes[0, column], comparison, column, display)
            error = _draw_error(axes[1, column], comparison, column)
            _draw_slice(axes[2, column], comparison, column, display)
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


def _draw_frame(axes: Axes, comparison: Comparison, column: int, display: str) -> AxesImage:
    axes.set_title(style.label(comparison.columns[column]))
    axes.axvline(comparison.x, color=style.MARK_COLOUR, linewidth=0.8)
    axes.tick_params(labelbottom=False, labelleft=column == 0)
    return axes.imshow(comparison.frames[column], cmap=style.BRIGHTNESS_COLOURS[display], vmin=0, vmax=1)


def _draw_error(axes: Axes, comparison: Comparison, column: int) -> AxesImage:
    title = f"PSNR {comparison.psnr_db[column]:.1f} dB" if column else "PSNR of the video:"
    axes.set_title(title, pad=3)
    axes.set_xlabel("x [pixel]")
    axes.tick_params(labelleft=column == 0)
    largest = np.percentile(comparison.errors[1:], ERROR_PERCENTILE)
    return axes.imshow(comparison.errors[column], cmap=style.ERROR_COLOURS, vmin=0, vmax=largest or 1)


def _draw_slice(axes: Axes, comparison: Comparison, column: int, display: str) -> None:
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
