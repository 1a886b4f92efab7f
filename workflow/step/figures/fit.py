"""The data of an interferometer next to what posterior samples say of them, and what is left: residuals to look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from step.config.sections import Positive, Section
from step.config.study import Config
from step.config.tasks import MeasurementOfDomain, Vlbi
from step.errors import InputError
from step.figures import style
from step.figures.baselines import Coverage, cover, plot_baselines
from step.figures.scales import tell_utc
from step.io.reconstructions import read_attributes, read_measurement, samples_of_video
from step.io.tables import write_table
from step.physics.array import read_array
from step.posterior.data_fit import KindOfData, fit_by_datum, rms_by_station
from step.products import Measurement, Pictures, Rows, Samples

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOOPS_SHOWN = 3
CLOSURES = ("closure_phase", "log_closure_amplitude")
COLOURS = {"amplitude": "black", "closure_phase": "tab:blue", "log_closure_amplitude": "tab:orange"}
NAMES = {
    "amplitude": "amplitudes",
    "closure_phase": "closure phases",
    "log_closure_amplitude": "log closure amplitudes",
}
MODEL_COLOUR = "tab:red"
MARGIN = 0.03
LARGEST = 6.0
"""Residuals are counted up to this many errors; what lies beyond is counted there."""


class FitSettings(Section):
    """What says how videos are measured, what names the stations, and what parts the frames."""

    measurement: MeasurementOfDomain
    array: Path
    cadence_s: Positive


Settings = FitSettings


def select(config: Config, task: str) -> FitSettings:
    """Return the settings of a task's picture; raises `InputError` where it has no visibilities."""
    chosen = config.tasks[task]
    if not isinstance(chosen.measurement, Vlbi):
        raise InputError(f"the measurement of {task!r} is of model {chosen.measurement.model}; only vlbi has closures")
    geometry = config.video_format(chosen.domain).geometry
    return FitSettings(
        measurement=config.measurement_of(task), array=chosen.measurement.array, cadence_s=geometry["cadence_s"]
    )


def modules(settings: FitSettings) -> list[str]:
    """Return the modules that are imported by name: those of the measurement."""
    return settings.measurement.modules


@dataclass(frozen=True)
class Files:
    """One measurement and samples of it."""

    measurement: Measurement
    reconstructions: Samples
    output: Pictures
    data: Rows


def plot(files: Files, settings: FitSettings) -> None:
    """Write the picture and a row for each datum; raises `InputError` where the files do not fit each other."""
    from step.physics.forward_models import build_forward_model, check_measurement, to_tensors
    from step.physics.vlbi import ClosureImaging

    arrays = read_measurement(files.measurement)
    samples = samples_of_video(list(files.reconstructions), files.measurement.stem).equal_samples
    shape = samples.shape[1], samples.shape[2], samples.shape[3], samples.shape[4]
    model = build_forward_model(settings.measurement, shape)
    if not isinstance(model, ClosureImaging):
        raise InputError(f"{settings.measurement.model} is no interferometer; name a task of model vlbi")
    check_measurement(to_tensors(arrays), model, shape, files.measurement)
    named = read_attributes(files.measurement).get("stations")
    codes = str(named).split() if named else [station.station for station in read_array(settings.array)]
    data = fit_by_datum(model, arrays, samples)
    coverage = cover(arrays, settings.cadence_s, files.measurement)
    style.save_figure(plot_fit(data, coverage, codes), files.output)
    write_fit(data, codes, files.data)


def plot_fit(data: Mapping[str, KindOfData], coverage: Coverage, codes: Sequence[str]) -> Figure:
    """Return the picture: coverage, amplitudes, closures over time, and the residuals by size, station and time."""
    with style.styled():
        figure = style.new_figure(figsize=(7.6, 8.4))
        axes = figure.subplots(4, 3, squeeze=False)
        plot_baselines(axes[0, 0], coverage)
        _plot_amplitudes(axes[0, 1], data["amplitude"])
        _plot_histogram(axes[0, 2], data)
        for row, kind in zip(axes[1:3], CLOSURES, strict=True):
            _plot_closures(row, data[kind], kind, codes, coverage.edges_h)
        _plot_by_station(axes[3, 0], data, codes)
        _plot_over_time(axes[3, 1], data, coverage.edges_h)
        _tell_chi_squares(axes[3, 2], data)
    return figure


def write_fit(data: Mapping[str, KindOfData], codes: Sequence[str], path: Path) -> None:
    """Write one row per datum to `path`: its kind, when, which stations, its value and error, and the samples'."""
    rows = []
    for kind, of_kind in data.items():
        for n, stations in enumerate(of_kind.stations):
            rows.append(
                {
                    "kind": kind,
                    "frame": of_kind.frame[n],
                    "time_h": of_kind.time_h[n],
                    "stations": "-".join(codes[station] for station in stations),
                    "loop": _named(of_kind.loops[n], kind, codes),
                    "value": of_kind.value[n],
                    "sigma": of_kind.sigma[n],
                    "predicted": of_kind.predicted[:, n].mean(),
                    "predicted_deviation": of_kind.predicted[:, n].std(),
                    "residual": of_kind.residual[:, n].mean(),
                }
            )
    write_table(path, rows)


def _plot_amplitudes(axes: Axes, data: KindOfData) -> None:
    length = data.baseline / 1e9
    look: dict[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 2, "linewidth": 0.5}
    axes.errorbar(length, data.value, data.sigma, color=COLOURS["amplitude"], label="data", **look)
    axes.plot(length, data.predicted.T, ".", color=MODEL_COLOUR, markersize=1.5, alpha=0.5, zorder=3)
    axes.plot([], [], ".", color=MODEL_COLOUR, label="samples")
    axes.set(xlabel="baseline [Gλ]", ylabel="amplitude [Jy]", yscale="log", title="gains are in the data")
    axes.set_xlim(left=0)
    axes.legend(frameon=False)


def _plot_histogram(axes: Axes, data: Mapping[str, KindOfData]) -> None:
    edges = np.linspace(-LARGEST, LARGEST, 49)
    for kind in CLOSURES:
        counted = np.clip(data[kind].residual.ravel(), -LARGEST, LARGEST)
        if len(counted):
            density = np.histogram(counted, edges, density=True)[0]
            axes.stairs(density, edges, color=COLOURS[kind], label=NAMES[kind])
    axes.plot(edges, np.exp(-(edges**2) / 2) / np.sqrt(2 * np.pi), ":", color="black", label="normal")
    axes.set(xlabel="residual [its error]", ylabel="density", xlim=(-LARGEST, LARGEST), ylim=(0, 0.8))
    axes.legend(frameon=False, fontsize=5, loc="upper left")


def _plot_closures(row: Sequence[Axes], data: KindOfData, kind: str, codes: Sequence[str], edges_h: np.ndarray) -> None:
    """Plot those loops over time that differ most from those of a point, in units of their errors."""
    degrees = np.rad2deg(1.0) if kind == "closure_phase" else 1.0
    squares: Counter[tuple[tuple[int, int], ...]] = Counter()
    for loop, square in zip(data.loops, np.square(data.value / data.sigma), strict=True):
        squares[loop] += square
    shown = squares.most_common(LOOPS_SHOWN)
    for axes in row[len(shown) :]:
        axes.set_axis_off()
    for axes, (loop, _) in zip(row, shown, strict=False):
        here = np.array([each == loop for each in data.loops])
        order = np.argsort(data.time_h[here])
        time, value, sigma = (part[here][order] for part in (data.time_h, data.value, data.sigma))
        predicted = data.predicted[:, here][:, order]
        if kind == "closure_phase":  # within half a turn of their mean
            mean = np.angle(np.exp(1j * value).sum())
            value, predicted = (mean + np.angle(np.exp(1j * (phase - mean))) for phase in (value, predicted))
        look: dict[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 2, "linewidth": 0.7}
        axes.errorbar(time, degrees * value, degrees * sigma, color=COLOURS[kind], **look)
        low, high = degrees * predicted.min(axis=0), degrees * predicted.max(axis=0)
        axes.fill_between(time, low, high, color=MODEL_COLOUR, alpha=0.3, linewidth=0)
        axes.plot(time, degrees * predicted.mean(axis=0), color=MODEL_COLOUR, linewidth=0.8)
        axes.set_title(_named(loop, kind, codes))
        _plot_hours(axes, edges_h)
    unit = "closure phase [°]" if kind == "closure_phase" else "log closure amplitude"
    row[0].set_ylabel(unit)


def _plot_hours(axes: Axes, edges_h: np.ndarray) -> None:
    """Let the axis of time show all frames, and a little more: a datum may lie at the very beginning."""
    begin, end = edges_h[[0, -1]]
    axes.set(xlim=(begin - MARGIN * (end - begin), end + MARGIN * (end - begin)))
    tell_utc(axes.xaxis, begin, end)


def _named(loop: Sequence[tuple[int, int]], kind: str, codes: Sequence[str]) -> str:
    """Return a loop as text: the corners of a triangle, or the baselines above and below a closure amplitude's bar."""
    if kind == "closure_phase":
        return "-".join(codes[one] for one, _ in loop)
    sides = ["-".join(codes[station] for station in side) for side in loop]
    half = (len(sides) + 1) // 2
    return " / ".join(" ".join(part) for part in (sides[:half], sides[half:]) if part)


def _plot_by_station(axes: Axes, data: Mapping[str, KindOfData], codes: Sequence[str]) -> None:
    place = np.arange(len(codes))
    for number, kind in enumerate(CLOSURES):
        rms = rms_by_station([data[kind]], len(codes))
        axes.bar(place + 0.4 * number - 0.2, np.nan_to_num(rms), 0.4, color=COLOURS[kind], label=NAMES[kind])
    axes.axhline(1, color="black", linewidth=0.6, linestyle=":")
    axes.set_xticks(place, codes)
    axes.set(ylabel="rms residual [its error]", title="by station")


def _plot_over_time(axes: Axes, data: Mapping[str, KindOfData], edges_h: np.ndarray) -> None:
    for kind in CLOSURES:
        of_kind = data[kind]
        axes.plot(of_kind.time_h, of_kind.residual.mean(axis=0), ".", color=COLOURS[kind], markersize=2)
    axes.axhspan(-1, 1, color=style.NO_DATA_COLOUR, linewidth=0, zorder=0)
    axes.set(xlabel="UTC", ylabel="residual [its error]", title="over time, mean of samples")
    _plot_hours(axes, edges_h)


def _tell_chi_squares(axes: Axes, data: Mapping[str, KindOfData]) -> None:
    axes.set_axis_off()
    lines = [
        f"{NAMES[kind]}: {np.square(of_kind.residual).mean():.2f}"
        for kind, of_kind in data.items()
        if len(of_kind.value)
    ]
    n_samples = len(data["amplitude"].predicted)
    text = ["mean squared residual, of errors", "without their covariance", *lines, f"of {n_samples} samples"]
    axes.text(0, 1, "\n".join(text), va="top", fontsize=7, transform=axes.transAxes)
