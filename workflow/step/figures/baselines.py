"""Which baselines of an interferometer have data, and how many there are in each frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from step.errors import InputError
from step.figures import style
from step.figures.scales import tell_utc

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CONJUGATE_STRENGTH = 0.4  # of a conjugate's colour, the rest is white
ARRAYS = ("uv", "sigma", "time_h", "stations", "closure_phase_sigma", "log_closure_amplitude_sigma")
COUNTED = {
    "visibilities": "sigma",
    "closure phases": "closure_phase_sigma",
    "log closure amplitudes": "log_closure_amplitude_sigma",
}
"""The array of a measurement whose values above 0 are places with data, by kind of data."""


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
        raise InputError(f"{source} has no visibility in any frame; there is no coverage to plot")
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


def plot_baselines(axes: Axes, coverage: Coverage) -> None:
    """Plot baselines and their conjugates, u to the left, coloured by time."""
    from matplotlib.colors import ListedColormap
    from matplotlib.ticker import MaxNLocator

    u, v = coverage.uv.T / 1e9
    colours = style.colours(style.TIME_COLOURS)
    # The visibility of the opposite baseline is the complex conjugate, not another datum: it is plotted lighter.
    lighter = ListedColormap(1 - CONJUGATE_STRENGTH * (1 - colours(np.linspace(0, 1, colours.N))))
    look: dict[str, Any] = {"s": 4, "linewidths": 0, "vmin": coverage.edges_h[0], "vmax": coverage.edges_h[-1]}
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
