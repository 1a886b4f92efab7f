"""Whether the samples of each method spread as far as they err, as pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from step.config.views import NoSettings, select_nothing
from step.errors import InputError
from step.figures import style
from step.io.tables import read_table, write_table
from step.posterior.calibration import PIXEL, REFERENCE_DISTANCE
from step.posterior.verdict import CONSISTENT, OVER_CONFIDENT, UNDECIDED, UNDER_CONFIDENT, UNEVEN, find_uneven
from step.products import About, Pictures, Rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

NUMBERS = ("level", "value", "low", "high", "expected", "expected_low", "expected_high", "p")
COLUMNS = ("statistic", "quantity", *NUMBERS, "verdict", "interval", "videos", "samples")
RANK_SHARE = "rank_share"  # what the picture's data call the rows of the ranks

VERDICT_COLOURS = {
    OVER_CONFIDENT: "tab:red",
    UNDER_CONFIDENT: "tab:purple",
    UNEVEN: "tab:orange",
    CONSISTENT: "tab:green",
    UNDECIDED: "0.35",
}
QUANTITY_LABELS = {
    PIXEL: "pixels",
    "frame_brightness": "brightness\nof each frame",
    "brightness": "brightness",
    "contrast": "contrast",
    "motion": "motion",
    "data_misfit": "data misfit",
    REFERENCE_DISTANCE: "distance from\nrandom points",
}
FOUND_COLOUR, EXPECTED_COLOUR = "tab:blue", "0.82"
SHARE_COLOURS = "RdBu_r"
LARGEST_SHARE = 4.0  # in units of what is expected; tiles above have the same colour
METHOD_INCHES, LABEL_INCHES = 2.9, 1.4
ROW_INCHES = (0.85, 1.9, 1.5, 1.8, 1.9, 1.9)
Y_LABELS = {
    1: "share of pixels\nwhose truth is inside",
    2: "share of pixels",
    4: "share of points\nwhose truth is inside",
    5: "rms error\n[brightness]",
}
NOTEWORTHY = 0.05  # smaller p are printed in bold

Settings = NoSettings
select = select_nothing


@dataclass(frozen=True)
class Files:
    """What the calibration of some methods found."""

    methods: Annotated[
        Mapping[str, tuple[Path, ...]],
        About(
            help="a method, the table of its statistics and that of its ranks; once per method", words=("NAME", "CSV")
        ),
    ]
    output: Pictures
    data: Rows


def plot(files: Files, settings: NoSettings) -> None:
    """Write the picture and its numbers; raises `InputError` unless each method has its two tables."""
    for method, tables in files.methods.items():
        if len(tables) != 2:
            raise InputError(f"{method} has {len(tables)} files; give its table of statistics and that of its ranks")
    methods = [read_calibration(method, *tables) for method, tables in files.methods.items()]
    style.save_figure(plot_calibration(methods), files.output)
    write_calibration_data(methods, files.data)


@dataclass(frozen=True)
class Points:
    """Some of a statistic's values, each array (point,)."""

    level: np.ndarray
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    expected: np.ndarray
    expected_low: np.ndarray
    expected_high: np.ndarray
    p: np.ndarray

    @property
    def bars(self) -> np.ndarray:
        """Return how far the interval reaches below and above the values, (2, point)."""
        # A bootstrap interval need not hold the value itself.
        return np.maximum([self.value - self.low, self.high - self.value], 0)


@dataclass(frozen=True)
class MethodCalibration:
    """What the tables of one method say."""

    method: str
    rows: tuple[Mapping[str, str], ...]  # by the names of `COLUMNS`

    def points(self, statistic: str, quantity: str = "") -> Points:
        """Return the values of `statistic`, in the order of the table."""
        chosen = [row for row in self.rows if (row["statistic"], row["quantity"]) == (statistic, quantity)]
        return Points(**{name: np.array([float(row[name] or "nan") for row in chosen]) for name in NUMBERS})

    @property
    def quantities(self) -> list[str]:
        """Return the quantities whose ranks were counted, pixels first."""
        return list(dict.fromkeys(row["quantity"] for row in self.rows if row["statistic"] == RANK_SHARE))

    @property
    def uneven(self) -> list[str]:
        """Return the quantities whose ranks are not uniform, at the verdict's level and corrected for their number."""
        p_values = {name: float(self.points("rank_unevenness", name).p[0]) for name in self.quantities}
        found = find_uneven(p_values, float(self.rows[0]["level"]))
        return [QUANTITY_LABELS[name].replace("\n", " ") for name in found]

    @property
    def verdict(self) -> str:
        """Return the verdict in words."""
        return self.rows[0]["verdict"]


def read_calibration(method: str, table: Path, ranks: Path) -> MethodCalibration:
    """Return what the two tables of `method` say; raises `InputError` where they are empty or lack a column."""
    rows, shares = read_table(table), read_table(ranks)
    for path, found, needed in ((table, rows, COLUMNS), (ranks, shares, ("quantity", "rank", "share"))):
        missing = [name for name in needed if not found or name not in found[0]]
        if missing:
            raise InputError(f"{path} has no {missing[0]}; calibrate again")
    shares = [{"statistic": RANK_SHARE, "level": row["rank"], "value": row["share"], **row} for row in shares]
    together = [{name: row.get(name, "") for name in COLUMNS} for row in [*rows, *shares]]
    return MethodCalibration(method, tuple(together))


def plot_calibration(methods: Sequence[MethodCalibration]) -> Figure:
    """Return the picture: a column per method, beneath its verdict and scores.

    From top to bottom: coverage of central intervals, ranks of pixels, ranks of whole-video quantities, TARP, and
    error against spread.
    """
    tallest = max(method.points(RANK_SHARE, PIXEL).high.max() for method in methods)
    furthest = max(_furthest(method.points("error_of_spread")) for method in methods)
    with style.styled():
        figure = style.new_figure(figsize=(METHOD_INCHES * len(methods) + LABEL_INCHES, sum(ROW_INCHES) + 0.7))
        axes = figure.subplots(len(ROW_INCHES), len(methods), squeeze=False, height_ratios=ROW_INCHES)
        for column, method in zip(axes.T, methods, strict=True):
            _plot_words(column[0], method)
            _plot_levels(column[1], method.points("coverage"), "nominal coverage of central interval")
            _plot_ranks(column[2], method.points(RANK_SHARE, PIXEL), tallest)
            image = _plot_quantities(column[3], method)
            _plot_levels(column[4], method.points("tarp"), "credibility of region (TARP)")
            _plot_spread(column[5], method.points("error_of_spread"), furthest)
        for row, text in Y_LABELS.items():
            axes[row, 0].set_ylabel(text)
        for axis in axes[3, 1:]:
            axis.tick_params(labelleft=False)
        label = "share of videos\n[expected share]"
        bar = figure.colorbar(image, ax=list(axes[3]), label=label, extend="max", aspect=10, pad=0.02)
        bar.ax.set_ylim(bottom=0)
        handles, names = axes[1, 0].get_legend_handles_labels()
        axes[1, 0].legend(handles, names, frameon=False, loc="upper left", handlelength=1.4)
        figure.supxlabel(_caption(methods[0]), fontsize=6, color="dimgray")
    return figure


def write_calibration_data(methods: Sequence[MethodCalibration], path: Path) -> None:
    """Write the numbers of the picture to `path` (.csv), one row per number, method by method."""
    write_table(path, [{"method": method.method, **row} for method in methods for row in method.rows])


def _plot_words(axes: Axes, method: MethodCalibration) -> None:
    axes.set_axis_off()
    axes.set_title(style.label(method.method).replace("\n", " "), fontsize=9)
    centred: dict[str, Any] = {"ha": "center", "va": "top"}
    axes.text(0.5, 1, method.verdict, color=VERDICT_COLOURS[method.verdict], weight="bold", fontsize=9, **centred)
    ratio, crps, correlation = map(method.points, ("error_over_spread", "crps", "spread_error_correlation"))
    lines = [
        f"error / spread: {_interval(ratio)}; p = {ratio.p[0]:.2g}",
        f"CRPS: {_interval(crps)}; if calibrated {crps.expected[0]:.3g}",
        f"correlation of spread with error: {correlation.value[0]:.2f}; if calibrated {correlation.expected[0]:.2f}",
        fill(f"uneven ranks: {', '.join(method.uneven) or 'none'}", width=50),
    ]
    axes.text(0.5, 0.72, "\n".join(lines), fontsize=6.5, linespacing=1.4, **centred)


def _plot_levels(axes: Axes, points: Points, level: str) -> None:
    """Plot shares over the levels that a calibrated posterior reaches, from 0 to 1."""
    ends = [0.0, 1.0]
    axes.plot(ends, ends, color="black", linewidth=0.6, linestyle=":", label="calibrated")
    axes.set(
        xlim=ends, ylim=ends, xlabel=level, aspect="equal", xticks=np.linspace(0, 1, 5), yticks=np.linspace(0, 1, 5)
    )
    if not len(points.level):
        axes.text(0.5, 0.5, "needs two videos\nor more", ha="center", va="center")
        return
    x, low, high, value = (
        np.concatenate([[0], one, [1]])
        for one in (points.level, points.expected_low, points.expected_high, points.value)
    )
    axes.fill_between(x, low, high, color=EXPECTED_COLOUR, linewidth=0, label="expected range")
    axes.plot(x, value, color=FOUND_COLOUR)
    _plot_points(axes, points, "found")


def _count_along_x(axes: Axes) -> None:
    """Put ticks at whole numbers alone."""
    axes.xaxis.get_major_locator().set_params(integer=True)  # type: ignore[call-arg]  # `MaxNLocator` takes it


def _plot_ranks(axes: Axes, points: Points, tallest: float) -> None:
    edges = np.concatenate([points.level - 0.5, points.level[-1:] + 0.5])
    axes.stairs(points.value, edges, fill=True, color=FOUND_COLOUR, alpha=0.35)
    axes.stairs(points.expected_high, edges, baseline=points.expected_low, fill=True, color="black", alpha=0.18)
    axes.axhline(points.expected[0], color="black", linewidth=0.6, linestyle=":")
    _plot_points(axes, points)
    axes.set(xlim=edges[[0, -1]], ylim=(0, 1.05 * tallest), xlabel="samples that are darker than the truth")
    _count_along_x(axes)


def _plot_quantities(axes: Axes, method: MethodCalibration) -> AxesImage:
    """Plot the share of each rank of whole-video quantities as tiles, with the p of uniform ranks."""
    names = [name for name in method.quantities if name != PIXEL]
    shares = np.stack([method.points(RANK_SHARE, name).value for name in names])
    n_ranks = shares.shape[1]
    # What is expected, 1, is white, whatever the number of ranks.
    image = axes.imshow(shares * n_ranks, cmap=SHARE_COLOURS, vmin=2 - LARGEST_SHARE, vmax=LARGEST_SHARE, aspect="auto")
    for row, name in enumerate(names):
        p = method.points("rank_unevenness", name).p[0]
        axes.text(
            n_ranks - 0.4, row, f"p={p:.2g}", fontsize=6, va="center", weight="bold" if p < NOTEWORTHY else "normal"
        )
    axes.set_yticks(range(len(names)), [QUANTITY_LABELS[name] for name in names])
    axes.tick_params(axis="y", labelsize=6)
    _count_along_x(axes)
    axes.set_xlabel("samples that are below the truth")
    return image


def _plot_spread(axes: Axes, points: Points, furthest: float) -> None:
    axes.fill_between(
        points.level, points.expected_low, points.expected_high, color=EXPECTED_COLOUR, linewidth=0, label="expected"
    )
    axes.plot([0, furthest], [0, furthest], color="black", linewidth=0.6, linestyle=":")
    axes.plot(points.level, points.value, color=FOUND_COLOUR)
    _plot_points(axes, points)
    axes.set(xlim=(0, furthest), ylim=(0, furthest), aspect="equal", xlabel="rms spread [brightness]")
    axes.locator_params(nbins=5)


def _plot_points(axes: Axes, points: Points, label: str | None = None) -> None:
    axes.errorbar(
        points.level,
        points.value,
        points.bars,
        color=FOUND_COLOUR,
        marker="o",
        markersize=3,
        linestyle="none",
        linewidth=0.8,
        label=label,
    )


def _furthest(points: Points) -> float:
    return 1.05 * float(np.max([points.level, points.high, points.expected_high]))


def _interval(points: Points) -> str:
    return f"{points.value[0]:.3g} ({points.low[0]:.3g} to {points.high[0]:.3g})"


def _caption(method: MethodCalibration) -> str:
    first, bright = method.rows[0], method.points("bright_pixels")
    interval, fraction = f"{100 * float(first['interval']):g} %", f"{100 * bright.level[0]:g} %"
    return (
        f"{first['videos']} videos, {first['samples']} samples of each. Pixels count where the mean of truth and "
        f"samples exceeds {fraction} of its maximum.\n"
        f"Bars: {interval} by resampling videos. Grey: {interval} of what calibration gives, by exchanging truths for "
        "samples,\nwhich assumes nothing on the pixels of one video; p is by that too. The verdict is by error / "
        f"spread (rms; spread\ncorrected for few samples) at the level {float(first['level']):g}, then by ranks at "
        "that level too, corrected for their\nnumber (Holm). TARP: distances from random points between other videos' "
        "means."
    )
