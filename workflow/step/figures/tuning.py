"""What a search for settings has tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from step.config.tuning import OWN
from step.config.views import NoSettings, select_nothing
from step.errors import InputError
from step.figures import style
from step.io.tables import read_table
from step.metrics.psnr import METRIC as PSNR
from step.products import About, Pictures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

LABELS = {
    "step_size_squared": "step size squared η",
    "damping": "damping γ",
    "noise_level": "noise level τ",
    "step_decay": "step decay r",
    "gradient_bound": "gradient bound",
}
LINEAR = "damping"  # the others are scales
MARKERS = {"complete": "o", "pruned": "v", "failed": "x"}
START: dict[str, Any] = {"color": "tab:blue", "linestyle": "--", "linewidth": 0.8}
BEST_COLOUR, FAILED_COLOUR = "tab:red", "0.4"
SCORE_LABEL = f"mean {PSNR.axis_label}"
PANEL_INCHES, MIN_INCHES = 1.75, 6.2

Settings = NoSettings
select = select_nothing


@dataclass(frozen=True)
class Files:
    """The trials of a search, which are the numbers of the picture."""

    trials: Annotated[Path, About(help="the table of the trials, CSV")]
    output: Pictures


def plot(files: Files, settings: NoSettings) -> None:
    """Write the picture."""
    style.save_figure(plot_trials(read_trials(read_table(files.trials), str(files.trials))), files.output)


@dataclass(frozen=True)
class Trials:
    """The columns of a search's table."""

    numbers: np.ndarray  # (trial,) 1 on; the first are the values that the search starts from
    states: np.ndarray  # (trial,) complete, pruned or failed
    values: Mapping[str, np.ndarray]  # (trial,) each
    psnr_db: np.ndarray  # (trial,) mean over the videos, estimated where pruned; nan where failed
    n_videos: int

    @property
    def is_complete(self) -> np.ndarray:
        """Which trials have sampled all videos (trial,)."""
        return self.states == "complete"

    @property
    def best_so_far(self) -> np.ndarray:
        """The highest PSNR, dB, of the complete trials up to each (trial,); nan before the first."""
        return np.fmax.accumulate(np.where(self.is_complete, self.psnr_db, np.nan))


def read_trials(rows: Sequence[Mapping[str, str]], source: str) -> Trials:
    """Return the trials of a table's `rows`; raises `InputError` naming `source` for a table that is none of trials."""
    if not rows:
        raise InputError(f"{source} has no rows; tune with at least one trial")
    missing = [column for column in ("trial", "state", "estimated_psnr") if column not in rows[0]]
    if missing:
        raise InputError(f"{source} has no column {missing[0]}; it has {list(rows[0])}: give the table of a tuning")

    def column(name: str) -> np.ndarray:
        return np.array([float(row[name] or "nan") for row in rows])

    columns = list(rows[0])
    searched = takewhile(lambda name: not name.startswith("psnr"), columns[columns.index("state") + 1 :])
    return Trials(
        numbers=column("trial").astype(int),
        states=np.array([row["state"] for row in rows]),
        values={name: column(name) for name in searched},
        psnr_db=column("estimated_psnr"),
        n_videos=sum(name.startswith("psnr_") for name in rows[0]),
    )


def plot_trials(trials: Trials) -> Figure:
    """Return the picture: the score of trial after trial above, the score against each searched value below."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.ticker import MaxNLocator

    n_values = len(trials.values)
    colours = ScalarMappable(Normalize(1, max(2, trials.numbers[-1])), style.TIME_COLOURS)
    with style.styled():
        figure = style.new_figure(figsize=(max(MIN_INCHES, PANEL_INCHES * n_values + 0.9), 4.8))
        axes = figure.subplot_mosaic([["course"] * n_values, list(trials.values)], height_ratios=[1.2, 1])
        _plot_course(axes["course"], trials)
        for name, values in trials.values.items():
            _plot_against(axes[name], values, trials, colours)
            axes[name].set_xlabel(LABELS.get(name, name.removeprefix(OWN).replace("_", " ")))
            axes[name].sharey(axes["course"])
            axes[name].tick_params(labelleft=name == next(iter(trials.values)))
            axes[name].tick_params("x", rotation=35)
            if name != LINEAR:
                _set_log_axis(axes[name])
        axes[next(iter(trials.values))].set_ylabel(SCORE_LABEL)
        bar = figure.colorbar(colours, ax=[axes[name] for name in trials.values], label="trial", pad=0.01, aspect=15)
        bar.locator = MaxNLocator(integer=True)
    return figure


def _plot_course(axes: Axes, trials: Trials) -> None:
    from matplotlib.ticker import MaxNLocator

    complete, pruned, failed = (trials.states == state for state in MARKERS)
    axes.plot(trials.numbers, trials.best_so_far, drawstyle="steps-post", color=BEST_COLOUR, label="best so far")
    if complete[0]:
        axes.axhline(trials.psnr_db[0], label="the study's own values", **START)
    for chosen, colour, text in ((complete, "0.2", "all videos sampled"), (pruned, "0.6", "stopped early (estimated)")):
        if chosen.any():
            marker = MARKERS[trials.states[chosen][0]]
            axes.plot(trials.numbers[chosen], trials.psnr_db[chosen], marker, color=colour, markersize=4, label=text)
    if failed.any():
        _mark_failed(axes, trials.numbers[failed], label="failed")
    axes.set_xlabel("trial")
    axes.set_ylabel(SCORE_LABEL)
    axes.set_title(f"{len(trials.numbers)} trials on {trials.n_videos} validation videos", pad=20)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(linewidth=0.3, alpha=0.5)
    axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 0.98), ncols=5, columnspacing=1.2)


def _plot_against(axes: Axes, values: np.ndarray, trials: Trials, colours: ScalarMappable) -> None:
    for state, opacity in (("pruned", 0.6), ("complete", 1)):
        chosen = trials.states == state
        colour = colours.to_rgba(trials.numbers[chosen])
        axes.scatter(
            values[chosen], trials.psnr_db[chosen], c=colour, marker=MARKERS[state], s=14, alpha=opacity, linewidths=0
        )
    _mark_failed(axes, values[trials.states == "failed"])
    axes.axvline(values[0], **START)
    if trials.is_complete.any():
        best = int(np.nanargmax(np.where(trials.is_complete, trials.psnr_db, np.nan)))
        axes.plot(values[best], trials.psnr_db[best], "o", markersize=8, markerfacecolor="none", color=BEST_COLOUR)
    axes.grid(linewidth=0.3, alpha=0.5)


def _set_log_axis(axes: Axes) -> None:
    """Make x logarithmic, with two labels per decade: a search may span no more than one."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _mark_failed(axes: Axes, places: np.ndarray, label: str | None = None) -> None:
    """Mark failed trials, which have no score, at the lower edge."""
    foot = np.full(len(places), 0.03)
    axes.plot(
        places,
        foot,
        MARKERS["failed"],
        color=FAILED_COLOUR,
        markersize=4,
        transform=axes.get_xaxis_transform(),
        label=label,
    )
