"""Where and when an interferometer measures: its baselines, and the number of its data in each frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from step.config.sections import Positive, Section
from step.config.study import Config
from step.config.tasks import Vlbi
from step.errors import InputError
from step.figures import style
from step.figures.baselines import Coverage, cover, plot_baselines
from step.figures.scales import spans_without_data, tell_utc
from step.io.reconstructions import read_attributes, read_measurement
from step.io.tables import write_table
from step.physics.array import read_array
from step.products import Measurement, Pictures, Rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


COLOURS = {"visibilities": "black", "closure phases": "tab:blue", "log closure amplitudes": "tab:orange"}


class CoverageSettings(Section):
    """What names the stations of a measurement, and what parts its frames."""

    array: Path
    cadence_s: Positive


Settings = CoverageSettings


def select(config: Config, task: str) -> CoverageSettings:
    """Return the array of `task` and the time between its frames; raises `InputError` where it has no baselines."""
    chosen = config.tasks[task]
    if not isinstance(chosen.measurement, Vlbi):
        raise InputError(f"the measurement of {task!r} is of model {chosen.measurement.model}; only vlbi has baselines")
    geometry = config.video_format(chosen.domain).geometry
    return CoverageSettings(array=chosen.measurement.array, cadence_s=geometry["cadence_s"])


@dataclass(frozen=True)
class Files:
    """One measurement."""

    measurement: Measurement
    output: Pictures
    data: Rows


def plot(files: Files, settings: CoverageSettings) -> None:
    """Write the picture and its numbers; raises `InputError` where the measurement has stations that lack a name."""
    coverage = cover(read_measurement(files.measurement), settings.cadence_s, files.measurement)
    # Measured data name their stations, which the array need not have; simulated ones are numbered as it does.
    named = read_attributes(files.measurement).get("stations")
    codes = str(named).split() if named else [station.station for station in read_array(settings.array)]
    if coverage.stations.max() >= len(codes):
        raise InputError(
            f"{files.measurement} has a station number {coverage.stations.max()}, counted from 0, but "
            f"{settings.array} has {len(codes)} stations; measure it again with this array"
        )
    style.save_figure(plot_coverage(coverage), files.output)
    write_coverage_data(coverage, codes, files.data)


def plot_coverage(coverage: Coverage) -> Figure:
    """Return the picture: baselines coloured by time, next to the number of data over time."""
    with style.styled():
        figure = style.new_figure(figsize=(7.2, 3.1))
        baselines, counts = figure.subplots(1, 2, width_ratios=[1, 1.25])
        plot_baselines(baselines, coverage)
        _plot_counts(counts, coverage)
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


def _plot_counts(axes: Axes, coverage: Coverage) -> None:
    from matplotlib.ticker import MaxNLocator

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
