"""Where and when an interferometer measures: its baselines, and the number of its data in each frame."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from step.errors import InputError
from step.figures import style
from step.figures.scales import spans_without_data, tell_utc
from step.io.tables import write_table

ARRAYS = ("uv", "sigma", "time_h", "stations", "closure_phase_sigma", "log_closure_amplitude_sigma")
COUNTED = {
    "visibilities": "sigma",
    "closure phases": "closure_phase_sigma",
    "log closure amplitudes": "log_closure_amplitude_sigma",
}
"""The array of a measurement whose values above 0 are places with data, by kind of data."""

COLOURS = {"visibilities": "black", "closure phases": "tab:blue", "log closure amplitudes": "tab:orange"}
CONJUGATE_STRENGTH = 0.4  # of a conjugate's colour, the rest is white


@dataclass(frozen=True)
class Coverage:
    """The numbers of the picture: one row per visibility, in the order of the frames, and counts per frame."""

    frame: np.ndarray  # (row,) counted from 0
    time_h: np.ndarray  # (row,) UTC
    stations: np.ndarray  # (row, 2) numbers in the table of stations
    uv: np.ndarray  # (row, 2) projected baseline in wavelengths, towards east and north
    edges_h: np.ndarray  # (time + 1,) UTC at which frames begin and end
    counts: Mapping[str, np.ndarray]  # (time,) number of data by their kind


def cover(measurement: Mapping[str, np.ndarray], cadence_s: float, source: object) -> Coverage:
    """Return where `measurement` has data; `cadence_s` is the time between frames.

    The arrays are those of `step.physics.closures.to_measurement`. Raises `InputError`, naming `source`, unless they
    are there with at least one visibility.
    """
    missing = [name for name in ARRAYS if name not in measurement]
    if missing:
        raise InputError(f"{source} has no array {missing[0]}; give a measurement of model vlbi")
    frame, place = np.nonzero(measurement["sigma"] > 0)
    if not len(frame):
        raise InputError(f"{source} has no visibility in any frame; there is no coverage to draw")
    time_h = measurement["time_h"][frame, place]
    # A visibility belongs to the frame that began last before it: this is the latest beginning of which that is true.
    start_h = (time_h - frame * cadence_s / 3600).min()
    return Coverage(
        frame=frame,
        time_h=time_h,
        stations=measurement["stations"][frame, place],
        uv=measurement["uv"][frame, place],
        edges_h=start_h + np.arange(len(measurement["sigma"]) + 1) * cadence_s / 3600,
        counts={name: (measurement[sigma] > 0).sum(axis=1) for name, sigma in COUNTED.items()},
    )


def draw_coverage(coverage: Coverage) -> Figure:
    """Return the picture: baselines coloured by time, beside the number of data over time."""
    with style.styled():
        figure = Figure(figsize=(7.2, 3.1))
        baselines, counts = figure.subplots(1, 2, width_ratios=[1, 1.25])
        _draw_baselines(baselines, coverage)
        _draw_counts(counts, coverage)
    return figure


def write_coverage_data(coverage: Coverage, stations: Sequence[str], path: Path) -> None:
    """Write one row per visibility to `path`: frame, UTC in h, codes of both stations, u and v in wavelengths."""
    rows = zip(coverage.frame, coverage.time_h, coverage.stations, coverage.uv, strict=True)
    write_table(
        path,
        [
            {"frame": frame, "time_h": time_h, "station_a": stations[a], "station_b": stations[b], "u": u, "v": v}
            for frame, time_h, (a, b), (u, v) in rows
        ],
    )


def _draw_baselines(axes: Axes, coverage: Coverage) -> None:
    u, v = coverage.uv.T / 1e9
    colours = matplotlib.colormaps[style.TIME_COLOURS]
    # The visibility of the opposite baseline is the complex conjugate, not another datum: it is drawn lighter.
    lighter = ListedColormap(1 - CONJUGATE_STRENGTH * (1 - colours(np.linspace(0, 1, colours.N))))
    look = {"s": 4, "linewidths": 0, "vmin": coverage.edges_h[0], "vmax": coverage.edges_h[-1]}
    axes.scatter(-u, -v, c=coverage.time_h, cmap=lighter, **look)
    measured = axes.scatter(u, v, c=coverage.time_h, cmap=colours, **look)
    reach = 1.08 * np.abs([u, v]).max()
    axes.set(xlim=(reach, -reach), ylim=(-reach, reach), xlabel="u [Gλ]", ylabel="v [Gλ]", aspect="equal")
    axes.set_title("baselines (conjugates lighter)")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, symmetric=True))
    axes.grid(linewidth=0.3, alpha=0.5)
    bar = axes.figure.colorbar(measured, ax=axes, label="UTC", pad=0.02, aspect=25)
    tell_utc(bar.ax.yaxis, *coverage.edges_h[[0, -1]])


def _draw_counts(axes: Axes, coverage: Coverage) -> None:
    with_data = coverage.counts["visibilities"] > 0
    for name, counts in coverage.counts.items():
        shown = np.where(with_data, counts, np.nan)
        axes.stairs(shown, coverage.edges_h, baseline=None, color=COLOURS[name], label=name, linewidth=1.2, zorder=3)
    for number, (begin, end) in enumerate(spans_without_data(coverage.edges_h, with_data)):
        label = "no data" if number == 0 else None
        axes.axvspan(begin, end, color=style.NO_DATA_COLOUR, linewidth=0, zorder=0, label=label)
    axes.set(xlim=coverage.edges_h[[0, -1]], ylim=(0, 1.08 * max(map(np.max, coverage.counts.values()))))
    axes.set(xlabel="UTC", ylabel="number of data in a frame")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    tell_utc(axes.xaxis, *coverage.edges_h[[0, -1]])
    axes.grid(linewidth=0.3, alpha=0.5)
    axes.legend(frameon=False, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1))
