"""How one video's k-space was sampled: the lines or the trajectory of each frame, and what each coil sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from step.config.sections import Section
from step.config.study import Config
from step.errors import InputError
from step.figures import style
from step.figures.lines import plot_lines_over_time, plot_trajectory_over_time
from step.io.arrays import write_arrays
from step.io.reconstructions import read_measurement
from step.products import Measurement, Numbers, Pictures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COILS_SHOWN = 16
COILS_IN_A_ROW = 4
LINES_INCHES = 3.0
COIL_INCHES = 1.2


class SamplingSettings(Section):
    """Nothing: all that is plotted stands in the measurement."""


Settings = SamplingSettings


def select(config: Config, task: str) -> SamplingSettings:
    """Return the settings of a task's picture."""
    return SamplingSettings()


@dataclass(frozen=True)
class Files:
    """One video's measurement."""

    measurement: Measurement
    output: Pictures
    data: Numbers


def plot(files: Files, settings: SamplingSettings) -> None:
    """Write picture and numbers; raises `InputError` unless the measurement is k-space."""
    measurement = read_measurement(files.measurement)
    kind = next((name for name in ("mask", "trajectory") if name in measurement), None)
    if kind is None or "kspace" not in measurement:
        raise InputError(
            f"{files.measurement} holds {sorted(measurement)}, no k-space and mask or trajectory; name a task of model "
            "mri or non_cartesian_mri"
        )
    sampled = measurement[kind]
    shown = np.any(sampled.reshape(*sampled.shape[:2], -1), axis=2) if kind == "mask" else sampled
    maps = measurement.get("coil_maps")
    style.save_figure(plot_sampling(np.asarray(shown), None if maps is None else maps[0]), files.output)
    write_arrays(files.data, {kind: sampled} | ({} if maps is None else {"coil_maps": maps[0]}))


def plot_sampling(sampled: np.ndarray, maps: np.ndarray | None) -> Figure:
    """Return the picture of what was `sampled`, and of the coil `maps` (coil, y, x), if there are.

    `sampled` are lines (time, ky), bool, or the points (time, readout, sample, 2) of a trajectory, (ky, kx) in cycles
    per field of view, whose colour says the frame. Of a map the brightness is the magnitude, of which the root sum of
    squares is 1, and the colour is the phase.
    """
    shown = [] if maps is None else list(maps[:COILS_SHOWN])
    n_rows = -(-len(shown) // COILS_IN_A_ROW)
    n_coils = 0 if maps is None else len(maps)
    coils_inches = COILS_IN_A_ROW * COIL_INCHES if shown else 0.0
    with style.styled():
        size = (LINES_INCHES + coils_inches, max(LINES_INCHES, n_rows * (COIL_INCHES + 0.25)))
        figure = style.new_figure(figsize=size)
        grid = figure.add_gridspec(
            max(1, n_rows), 1 + COILS_IN_A_ROW if shown else 1, width_ratios=_widths(bool(shown))
        )
        axes = figure.add_subplot(grid[:, 0])
        if sampled.ndim == 2:
            plot_lines_over_time(axes, sampled)
            measured = f"{sampled.sum(1).mean():.3g} of {sampled.shape[1]} lines per frame"
            axes.set_title(f"{measured},\n{sampled.any(0).sum()} in all")
        else:
            plot_trajectory_over_time(axes, sampled)
            n_frames, n_readouts, n_samples, _ = sampled.shape
            measured = f"{n_readouts} readouts of {n_samples} samples per frame"
            axes.set_title(f"{measured},\n{n_frames * n_readouts} readouts in all")
        for number, coil_map in enumerate(shown):
            panel = figure.add_subplot(grid[number // COILS_IN_A_ROW, 1 + number % COILS_IN_A_ROW])
            _plot_map(panel, coil_map, f"coil {number + 1} of {n_coils}")
    return figure


def _widths(with_coils: bool) -> list[float]:
    return [LINES_INCHES, *[COIL_INCHES] * COILS_IN_A_ROW] if with_coils else [LINES_INCHES]


def _plot_map(axes: Axes, coil_map: np.ndarray, title: str) -> None:
    from matplotlib.colors import hsv_to_rgb

    phase = np.angle(coil_map) / (2 * np.pi) % 1
    magnitude = np.clip(np.abs(coil_map), 0, 1)
    axes.imshow(hsv_to_rgb(np.stack([phase, np.full_like(phase, 0.6), magnitude], axis=-1)))
    axes.set_title(title, fontsize=6)
    axes.set_axis_off()
