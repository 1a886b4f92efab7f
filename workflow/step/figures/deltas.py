"""Averaged delta frames: how frames differ from the next, averaged over windows that grow, by several methods."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from step.config.views import GridSettings, grid_of_task
from step.figures import style
from step.figures.movies import write_movie
from step.figures.panels import Panel, panel_video
from step.figures.posterior import Grid
from step.figures.reading import ShownVideo, read_shown_videos
from step.figures.rows import bar_of, read_grid_of_video
from step.figures.scales import plot_scale_bar
from step.io.arrays import write_arrays
from step.products import Measurement, Methods, Movie, Numbers, Pictures, Truth

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

COLUMNS = 5
PANEL_INCHES = 1.05
MARGIN_INCHES = 2.1
DELTA_COLOURS = "RdBu_r"
PERCENTILE = 99.5  # the scale ends here, so that one wild pixel does not pale all others
QUANTITIES = {"magnitude": "[truth's maximum / frame]", "unit_range": "[brightness / frame]"}
KINDS = {"signed": "mean difference", "absolute": "mean |difference|"}
CAPTION = (
    "Differences x(t + 1) - x(t) of the first frames, averaged over a window that grows. Signed ones cancel but for "
    "what has changed since the first frame, per frame; absolute ones show where anything has moved."
)
ERROR_NOTE = "Error: root mean square of the difference to the truth's, over that of the truth's; 1 for a still video."

Settings = GridSettings
select = grid_of_task


@dataclass(frozen=True)
class Files:
    """One video, its measurement and its reconstructions."""

    measurement: Measurement
    truth: Truth
    methods: Methods
    output: Pictures
    movie: Movie
    data: Numbers


def plot(files: Files, settings: GridSettings) -> None:
    """Write picture, movie and numbers; raises `InputError` where truth or reconstruction lacks."""
    [video] = read_shown_videos([files.truth], files.methods, settings.display)
    deltas = see_deltas(video, read_grid_of_video(files.measurement, video.truth.shape, settings.geometry))
    style.save_figure(plot_deltas(deltas, settings.display), files.output)
    write_movie(animate_deltas(deltas, settings.display), files.movie)
    write_deltas_data(deltas, files.data)


@dataclass(frozen=True)
class Deltas:
    """Averaged delta frames of each row for each window; the first row is the truth."""

    rows: tuple[str, ...]  # "truth" and the methods
    grid: Grid
    windows: np.ndarray  # (window,) how many differences, from the first on, are averaged: 1, 2, ... all
    signed: np.ndarray  # (row, window, y, x), per frame
    absolute: np.ndarray  # (row, window, y, x), per frame

    def errors(self, kind: str) -> np.ndarray:
        """Return the distance (row, window) to the truth's of the same window, over its own norm; nan where that is 0.

        A perfect video has 0, a still one has 1.
        """
        values = getattr(self, kind)
        distances, norms = (np.sqrt((array**2).sum(axis=(-2, -1))) for array in (values - values[0], values[0]))
        return np.divide(distances, norms, out=np.full_like(distances, np.nan), where=norms > 0)

    def largest(self, kind: str) -> float:
        """Return where the one scale of all rows and windows ends."""
        return float(np.percentile(np.abs(getattr(self, kind)), PERCENTILE)) or 1.0

    @property
    def shown(self) -> np.ndarray:
        """The windows that the picture shows: `COLUMNS` or fewer, each about as much longer than the one before."""
        return np.unique(np.geomspace(1, len(self.windows), COLUMNS).round().astype(int)) - 1


def average_differences(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the averages of the first 1, 2, ... differences of `frames` (time, y, x): signed, and of absolute values.

    Each is (time - 1, y, x), in units of the frames per frame.
    """
    differences = np.diff(frames, axis=0)
    counts = np.arange(1, len(differences) + 1, dtype=frames.dtype)[:, None, None]
    return np.cumsum(differences, axis=0) / counts, np.cumsum(np.abs(differences), axis=0) / counts


def see_deltas(video: ShownVideo, grid: Grid) -> Deltas:
    """Return the averaged delta frames of the truth of `video` and of its reconstructions."""
    videos = [video.truth, *video.reconstructions.values()]
    signed, absolute = map(np.stack, zip(*map(average_differences, videos), strict=True))
    return Deltas(("truth", *video.reconstructions), grid, np.arange(1, len(video.truth)), signed, absolute)


def plot_deltas(deltas: Deltas, display: str) -> Figure:
    """Return the picture: rows for the truth and each method, signed above and absolute below; a column a window."""
    n_rows, n_columns = len(deltas.rows), len(deltas.shown)
    with style.styled():
        figure = style.new_figure(figsize=(PANEL_INCHES * n_columns + MARGIN_INCHES, 2 * PANEL_INCHES * n_rows + 1.1))
        figure.set_layout_engine("compressed", h_pad=0.02, w_pad=0.02, hspace=0, wspace=0)
        axes = figure.subplots(2 * n_rows, n_columns, squeeze=False)
        for kind, block in zip(KINDS, (axes[:n_rows], axes[n_rows:]), strict=True):
            _plot_block(figure, block, deltas, kind, display)
        for one, window in zip(axes[0], deltas.shown, strict=True):
            one.set_title(window_text(deltas, window))
        plot_scale_bar(axes[0, 0], bar_of(deltas.grid, deltas.signed.shape[-1]), deltas.signed.shape[-2])
        figure.supxlabel(f"{CAPTION} {ERROR_NOTE}", fontsize=6, color="dimgray", wrap=True)
    return figure


def animate_deltas(deltas: Deltas, display: str) -> np.ndarray:
    """Return the video (window, height, width, 3), uint8, over which the window grows: signed above, absolute below."""
    panels = []
    for kind, name in KINDS.items():
        colours, limits = _colours(deltas, kind)
        for row, frames in zip(deltas.rows, getattr(deltas, kind), strict=True):
            title = " ".join(style.label(row).split())
            panels.append(Panel(title, frames, style.colours(colours), limits, f"{name} {QUANTITIES[display]}"))
    clocks = [window_text(deltas, number).replace("\n", ", ") for number in range(len(deltas.windows))]
    bar = bar_of(deltas.grid, deltas.signed.shape[-1])
    return panel_video(panels, len(deltas.rows), clocks, bar, CAPTION)


def window_text(deltas: Deltas, number: int) -> str:
    """Return how long the window of that `number` is, in two lines."""
    n_differences, times = deltas.windows[number], deltas.grid.times
    of = "difference" if n_differences == 1 else "differences"
    span = f"frames 0 to {n_differences}"
    if deltas.grid.time_unit == "s":
        span = f"0 to {times[n_differences] - times[0]:.5g} s"
    return f"{n_differences} {of}\n{span}"


def write_deltas_data(deltas: Deltas, path: Path) -> None:
    """Write the numbers of the picture to `path` (.npz): the delta frames that are shown, the errors of all windows."""
    numbers = {
        "rows": deltas.rows,
        "windows": deltas.windows,
        "shown": deltas.shown,
        "signed": deltas.signed[:, deltas.shown],
        "absolute": deltas.absolute[:, deltas.shown],
        "signed_errors": deltas.errors("signed"),
        "absolute_errors": deltas.errors("absolute"),
    }
    write_arrays(path, deltas.grid.numbers | numbers)


def _plot_block(figure: Figure, axes: np.ndarray, deltas: Deltas, kind: str, display: str) -> None:
    errors = deltas.errors(kind)
    for row, (name, row_axes) in enumerate(zip(deltas.rows, axes, strict=True)):
        row_axes[0].set_ylabel(style.label(name), rotation=0, ha="right", va="center", labelpad=4)
        for one, window in zip(row_axes, deltas.shown, strict=True):
            image = _plot_delta(one, deltas, kind, (row, window))
            if row:
                _write_error(one, errors[row, window], kind)
    label = f"{KINDS[kind]}\n{QUANTITIES[display]}"
    extend = "both" if kind == "signed" else "max"
    figure.colorbar(image, ax=list(axes.flat), label=label, extend=extend, pad=0.01, aspect=20, shrink=0.95)


def _plot_delta(axes: Axes, deltas: Deltas, kind: str, index: tuple[int, int]) -> AxesImage:
    colours, (lowest, highest) = _colours(deltas, kind)
    axes.set(xticks=[], yticks=[])
    return axes.imshow(getattr(deltas, kind)[index], cmap=colours, vmin=lowest, vmax=highest)


def _colours(deltas: Deltas, kind: str) -> tuple[str, tuple[float, float]]:
    """Return the colour map of a `kind` of delta frames and the limits of its one scale."""
    largest = deltas.largest(kind)
    return (DELTA_COLOURS, (-largest, largest)) if kind == "signed" else (style.ERROR_COLOURS, (0, largest))


def _write_error(axes: Axes, error: float, kind: str) -> None:
    colour = "black" if kind == "signed" else "white"
    axes.text(0.03, 0.03, f"error {error:.2f}", transform=axes.transAxes, fontsize=6, va="bottom", color=colour)
