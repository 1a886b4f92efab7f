"""Rows of videos, each shown at the same few of its frames, with a scale bar and one bar of colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from step.config.views import Display
from step.errors import InputError
from step.figures import style
from step.figures.posterior import Grid, frames_with_data
from step.figures.scales import ScaleBar, clock, plot_scale_bar, scale_bar
from step.io.reconstructions import read_measurement

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

PANEL_INCHES = 1.15
MARGIN_INCHES = 1.5  # titles of the rows, and the bar of colours


def grid_of(shape: tuple[int, ...], geometry: Mapping[str, float], with_data: np.ndarray) -> Grid:
    """Return when and how large the frames of videos of `shape` (time, channel, y, x) are.

    `geometry` is what the domain says of its videos: the side of a frame, `field_of_view_uas`, and the time between
    frames, `cadence_s`. Without them pixels and frames are counted. `with_data` (time,) says which were measured.
    """
    cadence, field = geometry.get("cadence_s"), geometry.get("field_of_view_uas")
    numbers = np.arange(shape[0], dtype=float)
    times, time_unit = (numbers, "frame") if cadence is None else (cadence * numbers, "s")
    pixel_size, pixel_unit = (1.0, "pixel") if field is None else (field / shape[-1], "uas")
    return Grid(times, time_unit, pixel_size, pixel_unit, with_data)


def read_grid_of_video(path: Path, shape: tuple[int, ...], geometry: Mapping[str, float]) -> Grid:
    """Return when and how large the frames are of a video of `shape` (time, ..., y, x).

    `path` is its measurement, and `geometry` what its domain says. Raises `InputError` where their lengths differ.
    """
    with_data = frames_with_data(read_measurement(path))
    if len(with_data) != shape[0]:
        raise InputError(f"{path} has {len(with_data)} frames, its video {shape[0]}; measure it again")
    return grid_of(shape, geometry, with_data)


def bar_of(grid: Grid, n_columns: int) -> ScaleBar:
    """Return the scale bar of frames that are `n_columns` pixels wide."""
    return scale_bar(n_columns, grid.pixel_size, grid.pixel_unit)


def titles_of_columns(grid: Grid, frames: np.ndarray) -> list[str]:
    """Return what is written above `frames`: when they are, and of which there are no data."""
    texts = [f"t = {time:.5g} s" if grid.time_unit == "s" else clock(time, grid.time_unit) for time in grid.times]
    return [texts[frame] if grid.with_data[frame] else f"{texts[frame]}\n(no data)" for frame in frames]


def size_of_rows(n_rows: int, n_columns: int) -> tuple[float, float]:
    """Return width and height, inches, of a figure with so many rows and columns of frames."""
    return PANEL_INCHES * n_columns + MARGIN_INCHES, PANEL_INCHES * n_rows + 0.4


def plot_rows(
    figure: Figure | SubFigure,
    rows: Sequence[tuple[str, np.ndarray]],
    columns: Sequence[str],
    display: Display,
    quantity: str,
    bar: ScaleBar,
) -> None:
    """Plot into `figure` a row for each title and its frames (column, y, x) in [0, 1], beneath `columns`.

    `quantity` is what the brightness is, next to the bar of colours; `bar` lies in the first frame.
    """
    axes = figure.subplots(len(rows), len(columns), squeeze=False)
    for row, (title, frames) in zip(axes, rows, strict=True):
        row[0].set_ylabel(title)
        for one, frame in zip(row, frames, strict=True):
            one.set(xticks=[], yticks=[])
            image = one.imshow(frame, cmap=style.BRIGHTNESS_COLOURS[display], vmin=0, vmax=1)
    for one, title in zip(axes[0], columns, strict=True):
        one.set_title(title)
    figure.colorbar(image, ax=list(axes.flat), label=quantity, pad=0.01, aspect=25, shrink=min(1.0, 3 / len(rows)))
    plot_scale_bar(axes[0, 0], bar, len(rows[0][1][0]))
