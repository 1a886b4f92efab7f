"""How the scores of one method change along one axis of the study."""

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
from step.metrics.catalogue import BY_NAME
from step.products import About, Pictures, Rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CURVES = {"psnr": "tab:blue", "d_psnr": "tab:red", "data_misfit": "tab:green"}
"""What is plotted: the metrics and their colours."""

LOG_FROM = 10.0  # values whose largest is so many times the smallest are spread evenly on a logarithmic axis

Settings = NoSettings
select = select_nothing


@dataclass(frozen=True)
class Files:
    """The metrics of an axis, and what is plotted of them."""

    table: Annotated[Path, About(help="the metrics of all points and videos of the axis, CSV")]
    output: Pictures
    replicates: Annotated[bool, About(help="the points differ in a seed alone: show how far they spread")] = False
    data: Rows | None = None


def plot(files: Files, settings: NoSettings) -> None:
    """Write the picture, and its numbers if a file for them is given."""
    curve = read_curve(read_table(files.table), str(files.table))
    style.save_figure(plot_ablation(curve, files.replicates), files.output)
    if files.data:
        write_curve_data(curve, files.data)


@dataclass(frozen=True)
class Spread:
    """How far the scores of replicates spread; nan for a single point, or a single video."""

    mean: float  # over points and videos
    of_points: float  # standard deviation (n - 1) over points of their means over videos
    of_videos: float  # standard deviation (n - 1) over videos of their means over points


@dataclass(frozen=True)
class Curve:
    """The scores along one axis; points in the order of the picture."""

    axis: str
    labels: tuple[str, ...]
    values: np.ndarray | None  # (point,), None where a value is a word
    study: int | None  # the point that is the study's own
    means: Mapping[str, np.ndarray]  # (point,) over videos, by the names of `CURVES`
    errors: Mapping[str, np.ndarray]  # (point,) standard error; nan for a single video
    spreads: Mapping[str, Spread]
    n_videos: int

    @property
    def error_of(self) -> str:
        """What the error bars are of, in words."""
        if self.study is None:
            return "the mean"
        return f"the paired difference, video by video, from the study's own value ({self.labels[self.study]})"


def read_curve(rows: Sequence[Mapping[str, str]], source: str) -> Curve:
    """Return mean and standard error over videos of each point in `rows`, one row per point and video.

    If a point is the study's own, the errors are those of the mean of the differences from it, video by video, and
    its own is 0: how hard the videos are is the same for all points and does not count. Else they are those of the
    mean. Raises `InputError` naming `source` for a table without rows or a column, and unless the points have the
    same videos.
    """
    _check_columns(rows, source)
    labels = tuple(dict.fromkeys(row["label"] for row in rows))
    scores = {metric: _by_point(rows, labels, metric, source) for metric in CURVES}
    marked = {row["label"] for row in rows if row["is_study"]}
    if len(marked) > 1:
        raise InputError(f"{source} marks {sorted(marked)} as the study's own; mark one of them, or none")
    study = labels.index(marked.pop()) if marked else None
    first_rows = [next(row for row in rows if row["label"] == label) for label in labels]
    values = [row["value"] for row in first_rows]
    return Curve(
        axis=rows[0]["axis"],
        labels=labels,
        values=np.array(values, float) if all(values) else None,
        study=study,
        means={metric: of_points.mean(axis=1) for metric, of_points in scores.items()},
        errors={metric: _errors(of_points, study) for metric, of_points in scores.items()},
        spreads={metric: _spread(of_points) for metric, of_points in scores.items()},
        n_videos=len(rows) // len(labels),
    )


def plot_ablation(curve: Curve, replicates: bool) -> Figure:
    """Return the picture: PSNR, d-PSNR and data misfit above each other, over the values or the words of the axis.

    Where the points are `replicates`, of another seed each, a band is their mean and standard deviation, and a line
    above it says that next to the standard deviation over videos.
    """
    with style.styled():
        figure = style.new_figure(figsize=(4.2, 5.0))
        axes = figure.subplots(len(CURVES), 1, sharex=True)
        for one, metric in zip(axes, CURVES, strict=True):
            _plot_metric(one, curve, metric)
            if replicates:
                _plot_spread(one, curve.spreads[metric], metric)
        _label_values(axes[-1], curve)
        handles, names = axes[0].get_legend_handles_labels()
        if names:
            # Above the line that says the spread.
            above = 1.08 if replicates else 1
            axes[0].legend(
                handles, names, frameon=False, loc="lower left", bbox_to_anchor=(0, above), borderaxespad=0.2
            )
        bars = f"Mean of {curve.n_videos} videos; bars: standard error of {curve.error_of}."
        if curve.n_videos == 1:
            bars = "One video: there are no error bars."
        figure.supxlabel(bars, fontsize=6, color="dimgray", wrap=True)
    return figure


def write_curve_data(curve: Curve, path: Path) -> None:
    """Write means and standard errors to `path` (.csv), one row per point and metric."""
    rows = [
        {
            "axis": curve.axis,
            "label": label,
            "value": "" if curve.values is None else curve.values[point],
            "is_study": "yes" if point == curve.study else "",
            "metric": metric,
            "mean": curve.means[metric][point],
            "standard_error": curve.errors[metric][point],
            "error_of": curve.error_of,
            "std_of_points": curve.spreads[metric].of_points,
            "std_of_videos": curve.spreads[metric].of_videos,
            "videos": curve.n_videos,
        }
        for metric in CURVES
        for point, label in enumerate(curve.labels)
    ]
    write_table(path, rows)


def _check_columns(rows: Sequence[Mapping[str, str]], source: str) -> None:
    if not rows:
        raise InputError(f"{source} has no rows; tabulate the ablation again")
    for column in ("axis", "label", "value", "is_study", "video", *CURVES):
        if column not in rows[0]:
            raise InputError(f"{source} has no column {column}; it has {list(rows[0])}: give an ablation's table")


def _by_point(rows: Sequence[Mapping[str, str]], labels: Sequence[str], metric: str, source: str) -> np.ndarray:
    """Return the scores (point, video), videos in the order of their names."""
    scores = [{row["video"]: float(row[metric] or "nan") for row in rows if row["label"] == label} for label in labels]
    for label, of_point in zip(labels, scores, strict=True):
        if of_point.keys() != scores[0].keys():
            videos = f"{sorted(of_point)} of {label} and {sorted(scores[0])} of {labels[0]}"
            raise InputError(f"{source} has the videos {videos}; evaluate the same for all points")
    return np.array([[of_point[video] for video in sorted(of_point)] for of_point in scores])


def _errors(scores: np.ndarray, study: int | None) -> np.ndarray:
    """Return the standard errors (point,) of `scores` (point, video), as `read_curve` says."""
    n_videos = scores.shape[1]
    if n_videos == 1:
        return np.full(len(scores), np.nan)
    compared = scores if study is None else scores - scores[study]
    return compared.std(axis=1, ddof=1) / np.sqrt(n_videos)


def _spread(scores: np.ndarray) -> Spread:
    """Return the spreads of `scores` (point, video)."""
    of_points, of_videos = (
        float(means.std(ddof=1)) if len(means) > 1 else float("nan")
        for means in (scores.mean(axis=1), scores.mean(axis=0))
    )
    return Spread(float(scores.mean()), of_points, of_videos)


def _plot_spread(axes: Axes, spread: Spread, metric: str) -> None:
    if np.isfinite(spread.of_points):
        low, high = spread.mean - spread.of_points, spread.mean + spread.of_points
        axes.axhspan(low, high, color=CURVES[metric], alpha=0.12, linewidth=0, zorder=0)
    text = f"standard deviation: {spread.of_points:.2g} over seeds (band), {spread.of_videos:.2g} over videos"
    axes.annotate(text, (1, 1), xycoords="axes fraction", ha="right", va="bottom", fontsize=6, color="dimgray")


def _places(curve: Curve) -> np.ndarray:
    """Return where on the x axis the points are: at their values, or evenly spaced where these are words."""
    return np.arange(len(curve.labels), dtype=float) if curve.values is None else curve.values


def _plot_metric(axes: Axes, curve: Curve, metric: str) -> None:
    label, colour = BY_NAME[metric].axis_label, CURVES[metric]
    places = _places(curve)
    # Between words there is nothing that a line could follow.
    line = "none" if curve.values is None else "-"
    order = np.argsort(places)
    # A standard error that is not known has no bar.
    errors = np.nan_to_num(curve.errors[metric])[order]
    axes.errorbar(
        places[order],
        curve.means[metric][order],
        errors,
        color=colour,
        marker="o",
        markersize=4,
        capsize=2.5,
        linestyle=line,
    )
    axes.set_ylabel(label, color=colour)
    axes.margins(y=0.15)
    axes.grid(linewidth=0.3, alpha=0.5)
    if curve.study is not None:
        place, mean = places[curve.study], curve.means[metric][curve.study]
        axes.axvline(place, color="0.6", linewidth=0.8, linestyle=":", zorder=0)
        axes.plot(
            place,
            mean,
            marker="o",
            markersize=9,
            color="none",
            markeredgecolor="black",
            linestyle="none",
            label="the study's own value",
        )


def _label_values(axes: Axes, curve: Curve) -> None:
    from matplotlib.ticker import NullLocator

    places = _places(curve)
    if curve.values is not None and places.min() > 0 and places.max() >= LOG_FROM * places.min():
        axes.set_xscale("log")
    axes.set_xticks(places, curve.labels)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(curve.axis.replace("_", " "))
    if curve.values is None:
        axes.set_xlim(-0.5, len(places) - 0.5)
