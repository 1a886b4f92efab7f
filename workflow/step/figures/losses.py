"""The course of a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np

from step.config.views import NoSettings, select_nothing
from step.errors import InputError
from step.figures import style
from step.io.tables import read_table
from step.products import About, Pictures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SMOOTHING_SHARE = 1 / 20  # the smoothed curve averages this share of the rows around each

Settings = NoSettings
select = select_nothing


@dataclass(frozen=True)
class Files:
    """The losses of one network, which are the numbers of the picture."""

    losses: Annotated[Path, About(help="the table of the training, CSV")]
    title: Annotated[str, About(help="what was trained, e.g. 'joint prior, mri'")]
    output: Pictures


def plot(files: Files, settings: NoSettings) -> None:
    """Write the picture."""
    columns = read_losses(read_table(files.losses), str(files.losses))
    style.save_figure(plot_losses(columns, files.title), files.output)


def read_losses(rows: Sequence[Mapping[str, str]], source: str) -> dict[str, np.ndarray]:
    """Return the columns of a training's table; an empty cell is nan.

    The columns are `step`, `epoch`, `loss` and, where there are any, `validation_loss` and `learning_rate`.
    Raises `InputError` naming `source` for a table without rows or without one of the first three.
    """
    if not rows:
        raise InputError(f"{source} has no rows; train for at least one step")
    missing = [column for column in ("step", "epoch", "loss") if column not in rows[0]]
    if missing:
        raise InputError(f"{source} has no column {missing[0]}; it has {list(rows[0])}: give a training's table")
    return {name: np.array([float(row[name] or "nan") for row in rows]) for name in rows[0]}


def smoothed(values: np.ndarray) -> np.ndarray:
    """Return the centred moving average of `values` over `SMOOTHING_SHARE` of them, fewer at the ends."""
    reach = int(len(values) * SMOOTHING_SHARE / 2)
    numbers = range(len(values))
    return np.array([values[max(0, n - reach) : n + reach + 1].mean() for n in numbers])


def plot_losses(columns: Mapping[str, np.ndarray], title: str) -> Figure:
    """Return the picture of one training: its losses over the steps, and the learning rate below."""
    has_rate = "learning_rate" in columns
    with style.styled():
        figure = style.new_figure(figsize=(5.5, 3.8 if has_rate else 3.0))
        ratios = [3, 1] if has_rate else [1]
        axes = figure.subplots(len(ratios), 1, sharex=True, height_ratios=ratios, squeeze=False)[:, 0]
        _plot_curves(axes[0], columns)
        _add_epochs(axes[0], columns)
        axes[0].set_title(title)
        if has_rate:
            axes[1].plot(columns["step"], columns["learning_rate"], color="black")
            axes[1].set_ylabel("learning rate")
            axes[1].set_ylim(bottom=0)
        axes[-1].set_xlabel("step")
    return figure


def _plot_curves(axes: Axes, columns: Mapping[str, np.ndarray]) -> None:
    axes.plot(columns["step"], columns["loss"], color="tab:blue", alpha=0.3, linewidth=0.7, label="training")
    axes.plot(columns["step"], smoothed(columns["loss"]), color="tab:blue", label="training, smoothed")
    validation = columns.get("validation_loss", np.array([np.nan]))
    measured = np.isfinite(validation)
    if measured.any():
        # Markers, where there are few values: a validation is rare, and the line between two is not data.
        marker = "o" if measured.sum() <= 50 else None
        axes.plot(
            columns["step"][measured],
            validation[measured],
            color="tab:orange",
            marker=marker,
            markersize=2.5,
            label="validation",
        )
    axes.set_yscale("log")
    axes.set_ylabel("loss")
    axes.grid(which="both", linewidth=0.3, alpha=0.5)
    axes.legend(frameon=False)


def _add_epochs(axes: Axes, columns: Mapping[str, np.ndarray]) -> None:
    """Count the epochs along the upper edge; they go with the steps at a fixed rate."""
    steps_per_epoch = columns["step"][-1] / columns["epoch"][-1]
    upper = axes.secondary_xaxis(
        "top", functions=(lambda step: step / steps_per_epoch, lambda epoch: epoch * steps_per_epoch)
    )
    upper.set_xlabel("epoch")
