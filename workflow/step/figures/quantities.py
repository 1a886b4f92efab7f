"""What posterior samples say in the words of their subject, as pictures: of one measurement, or against many truths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np

from step.config.views import NoSettings, select_nothing
from step.errors import InputError
from step.figures import style
from step.io.tables import read_table, write_table
from step.posterior.quantities import COLUMNS, COLUMNS_OF_SAMPLES, PROBABILITY
from step.products import About, Pictures, Rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMES = {
    "diameter": "ring diameter",
    "width": "ring width (FWHM)",
    "asymmetry": "asymmetry",
    "position_angle": "position angle of the brightest side",
    "rotation_rate": "pattern speed",
    "counter_clockwise": "turns counter-clockwise",
    "blood_area": "area of the blood",
    "end_diastolic_area": "end-diastolic area",
    "end_systolic_area": "end-systolic area",
    "ejection_fraction": "ejection fraction by area",
    "wall_thickening": "wall thickening",
}
UNITS = {"uas": "µas", "pixel^2": "pixel²", "deg/h": "°/h", "deg": "°"}
FOUND_COLOUR, TRUTH_COLOUR, OUTSIDE_COLOUR = "tab:blue", "black", "tab:red"
PANEL_INCHES = 2.3

Settings = NoSettings
select = select_nothing


@dataclass(frozen=True)
class Files:
    """The quantities of some methods."""

    methods: Annotated[
        Mapping[str, tuple[Path, ...]],
        About(
            help="a method, the table of its quantities and that of their values of each sample; once per method",
            words=("NAME", "CSV"),
        ),
    ]
    output: Pictures
    data: Rows


def plot(files: Files, settings: NoSettings) -> None:
    """Write the picture and its numbers; raises `InputError` unless each method has its two tables."""
    for method, tables in files.methods.items():
        if len(tables) != 2:
            raise InputError(f"{method} has {len(tables)} files; give the table of its quantities and that of samples")
    methods = {method: read_quantities(*tables) for method, tables in files.methods.items()}
    style.save_figure(plot_quantities(methods), files.output)
    rows = [{"method": name, **row} for name, found in methods.items() for row in found.rows]
    write_table(files.data, rows, ("method", *COLUMNS))


@dataclass(frozen=True)
class Quantities:
    """What the tables of one method say."""

    rows: tuple[Mapping[str, str], ...]  # by the names of `COLUMNS`
    samples: tuple[Mapping[str, str], ...]  # by the names of `COLUMNS_OF_SAMPLES`

    @property
    def names(self) -> list[str]:
        """Return the quantities, in the order of the table."""
        return list(dict.fromkeys(row["quantity"] for row in self.rows))

    @property
    def videos(self) -> list[str]:
        """Return the videos, in the order of the table."""
        return list(dict.fromkeys(row["video"] for row in self.rows))

    def of(self, name: str) -> list[Mapping[str, str]]:
        """Return the rows of one quantity."""
        return [row for row in self.rows if row["quantity"] == name]

    def values(self, name: str) -> np.ndarray:
        """Return the values (sample, frame) of one quantity of the only video; a number has one frame."""
        values: dict[str, list[float]] = {}
        for row in self.samples:
            if row["quantity"] == name:
                values.setdefault(row["frame"], []).append(float(row["value"]))
        return np.array(list(values.values())).T


def read_quantities(table: Path, samples: Path) -> Quantities:
    """Return what both tables say; raises `InputError` where one lacks a column."""
    rows, values = read_table(table), read_table(samples)
    for path, found, needed in ((table, rows, COLUMNS), (samples, values, COLUMNS_OF_SAMPLES)):
        missing = [name for name in needed if found and name not in found[0]]
        if missing:
            raise InputError(f"{path} has no {missing[0]}; measure the quantities again")
    return Quantities(tuple(rows), tuple(values))


def plot_quantities(methods: Mapping[str, Quantities]) -> Figure:
    """Return the picture: a row of panels for each method, a panel for each quantity.

    Of one video the samples are shown, with the interval and the truth where it is known. Of several, their intervals
    against the truth, with the share that holds it.
    """
    names = list(dict.fromkeys(name for found in methods.values() for name in found.names))
    with style.styled():
        if not names:
            figure = style.new_figure((2 * PANEL_INCHES, PANEL_INCHES / 2))
            figure.text(0.5, 0.5, "The samples have nothing that could be measured.", ha="center", va="center")
            return figure
        figure = style.new_figure((PANEL_INCHES * len(names), (PANEL_INCHES + 0.3) * len(methods) + 0.3))
        axes = figure.subplots(len(methods), len(names), squeeze=False)
        for row, (method, found) in zip(axes, methods.items(), strict=True):
            for axis, name in zip(row, names, strict=True):
                _plot_panel(axis, found, name)
            row[0].annotate(
                style.label(method).replace("\n", " "), (0, 1.28), xycoords="axes fraction", weight="bold", fontsize=9
            )
        figure.supxlabel(_caption(list(methods.values())), fontsize=6, color="dimgray")
    return figure


def _plot_panel(axes: Axes, found: Quantities, name: str) -> None:
    rows = found.of(name)
    if not rows:
        axes.set_axis_off()
        return
    unit = UNITS.get(rows[0]["unit"], rows[0]["unit"])
    label = NAMES.get(name, name.replace("_", " ")) + (f" [{unit}]" if unit else "")
    if rows[0]["interval"] == PROBABILITY:
        _plot_probability(axes, rows, label)
    elif rows[0]["frame"]:
        _plot_course(axes, rows, found, label)
    elif len(found.videos) == 1:
        _plot_samples(axes, rows[0], found.values(name)[:, 0], label)
    else:
        _plot_against_truth(axes, rows, label)


def _plot_samples(axes: Axes, row: Mapping[str, str], values: np.ndarray, label: str) -> None:
    if row["unit"] == "deg":
        values = float(row["mean"]) + (values - float(row["mean"]) + 180) % 360 - 180
    axes.hist(values, bins="sturges", color=FOUND_COLOUR, alpha=0.4)
    axes.axvspan(float(row["low"]), float(row["high"]), color=FOUND_COLOUR, alpha=0.12, linewidth=0)
    axes.axvline(float(row["mean"]), color=FOUND_COLOUR)
    if row["truth"]:
        axes.axvline(float(row["truth"]), color=TRUTH_COLOUR, linestyle="--", label="truth")
        axes.legend(frameon=False)
    axes.set(xlabel=label, ylabel="samples", title=f"{_number(row['mean'])} ± {_number(row['deviation'])}")


def _plot_against_truth(axes: Axes, rows: Sequence[Mapping[str, str]], label: str) -> None:
    if not all(row["truth"] for row in rows):
        axes.set_axis_off()
        axes.text(0.5, 0.5, f"{label}:\nno truth to compare with", ha="center", va="center", transform=axes.transAxes)
        return
    truth, mean, low, high = (np.array([float(row[key]) for row in rows]) for key in ("truth", "mean", "low", "high"))
    inside = np.array([row["inside"] == "True" for row in rows])
    for chosen, colour in ((inside, FOUND_COLOUR), (~inside, OUTSIDE_COLOUR)):
        reach = np.maximum([mean - low, high - mean], 0)[:, chosen]
        axes.errorbar(
            truth[chosen], mean[chosen], reach, color=colour, marker="o", markersize=3, linestyle="none", linewidth=0.8
        )
    ends = [min(truth.min(), mean.min()), max(truth.max(), mean.max())]
    axes.plot(ends, ends, color=TRUTH_COLOUR, linewidth=0.6, linestyle=":")
    axes.set(xlabel="truth", ylabel=label, title=f"truth inside {_share(inside)}")


def _plot_course(axes: Axes, rows: Sequence[Mapping[str, str]], found: Quantities, label: str) -> None:
    if len(found.videos) > 1:
        inside = np.array([row["inside"] == "True" for row in rows])
        videos = list(dict.fromkeys(row["video"] for row in rows))
        shares = [np.mean([row["inside"] == "True" for row in rows if row["video"] == video]) for video in videos]
        axes.barh(np.arange(len(videos)), shares, color=FOUND_COLOUR, alpha=0.4)
        axes.set(
            yticks=range(len(videos)), yticklabels=videos, xlim=(0, 1), xlabel="share of frames with the truth inside"
        )
        axes.tick_params(axis="y", labelsize=5)
        axes.set_title(f"{label}:\n{100 * inside.mean():.0f} % of frames")
        return
    frames = np.array([int(row["frame"]) for row in rows])
    mean, low, high = (np.array([float(row[key]) for row in rows]) for key in ("mean", "low", "high"))
    axes.plot(frames, found.values(rows[0]["quantity"]).T, color=FOUND_COLOUR, alpha=0.15, linewidth=0.5)
    axes.fill_between(frames, low, high, color=FOUND_COLOUR, alpha=0.2, linewidth=0)
    axes.plot(frames, mean, color=FOUND_COLOUR)
    if rows[0]["truth"]:
        axes.plot(frames, [float(row["truth"]) for row in rows], color=TRUTH_COLOUR, linestyle="--", label="truth")
        axes.legend(frameon=False)
    axes.set(xlabel="frame", ylabel=label)


def _plot_probability(axes: Axes, rows: Sequence[Mapping[str, str]], label: str) -> None:
    probability = np.array([float(row["mean"]) for row in rows])
    known = all(row["truth"] for row in rows)
    truth = np.array([float(row["truth"]) for row in rows]) if known else np.zeros(len(rows))
    for value, colour, name in ((1, FOUND_COLOUR, "true"), (0, "0.6", "false" if known else "truth unknown")):
        chosen = np.flatnonzero(truth == value)
        axes.scatter(probability[chosen], chosen, color=colour, s=14, label=name if len(chosen) else None)
    axes.axvline(0.5, color=TRUTH_COLOUR, linewidth=0.6, linestyle=":")
    axes.set(xlim=(-0.05, 1.05), xlabel=f"probability: {label}")
    axes.set_yticks(range(len(rows)), [row["video"] for row in rows], fontsize=5)
    axes.legend(frameon=False, loc="best")
    if known:
        right = (probability > 0.5) == (truth > 0.5)
        axes.set_title(f"right in {_share(right)}")


def _share(held: np.ndarray) -> str:
    """Return how many of `held` are true, and the share's 95 % interval (Wilson)."""
    from scipy.stats import binomtest

    low, high = binomtest(int(held.sum()), len(held)).proportion_ci(method="wilson")
    return f"{held.sum()} of {len(held)}\n({100 * low:.0f} to {100 * high:.0f} %)"


def _number(text: str) -> str:
    return f"{float(text):.3g}"


def _caption(methods: Sequence[Quantities]) -> str:
    rows = [row for found in methods for row in found.rows if row["interval"] != PROBABILITY]
    if not rows:
        return ""
    how = " and ".join(sorted({row["interval"] for row in rows}))
    numbers = sorted({int(row["samples"]) for row in rows})
    return (
        f"{' or '.join(map(str, numbers))} samples of each video; central intervals of "
        f"{100 * float(rows[0]['coverage']):g} %, by {how}. In brackets: 95 % interval of the share (Wilson)."
    )
