"""Which lines of k-space are measured (the paper's Fig. 9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from step.config.sections import Count, Name, Section
from step.config.study import Config
from step.config.tasks import CartesianMriSettings
from step.errors import InputError
from step.figures import style
from step.io.tables import write_table
from step.products import Pictures, Rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


PANEL_INCHES = 2.6


class TaskSampling(Section):
    """Which lines one task measures."""

    task: Name
    acceleration: Count
    acs_lines: int


class MasksSettings(Section):
    """The sampling of each of a domain's tasks, in their order."""

    n_lines: Count
    tasks: tuple[TaskSampling, ...]


Settings = MasksSettings


def select(config: Config, domain: str) -> MasksSettings:
    """Return the sampling of the tasks of `domain`; raises `InputError` where none is accelerated MRI."""
    tasks = tuple(
        TaskSampling(task=name, acceleration=task.measurement.acceleration, acs_lines=task.measurement.acs_lines)
        for name, task in config.tasks.items()
        if task.domain == domain and isinstance(task.measurement, CartesianMriSettings)
    )
    if not tasks:
        raise InputError(f"no task of {domain!r} has a measurement of model mri; there is no mask to plot")
    return MasksSettings(n_lines=config.video_format(domain).resolution, tasks=tasks)


@dataclass(frozen=True)
class Files:
    """The picture is of the settings alone."""

    output: Pictures
    data: Rows


def plot(files: Files, settings: MasksSettings) -> None:
    """Write the picture and its numbers."""
    from step.physics.masks import equispaced_mask

    masks = {
        f"{task.task}: R = {task.acceleration}, {task.acs_lines} ACS lines": equispaced_mask(
            settings.n_lines, task.acceleration, task.acs_lines
        ).numpy()
        for task in settings.tasks
    }
    style.save_figure(plot_masks(masks), files.output)
    write_mask_data(masks, files.data)


def plot_masks(masks: Mapping[str, np.ndarray]) -> Figure:
    """Return the picture of `masks`, each (ky,) of bool with the zero frequency at index n // 2, by title.

    Measured lines are white. The frames are square, so kx has as many samples as ky, all of them measured.
    """
    with style.styled():
        figure = style.new_figure(figsize=((PANEL_INCHES + 0.4) * len(masks), PANEL_INCHES + 0.7))
        for axes, (title, mask) in zip(figure.subplots(1, len(masks), squeeze=False)[0], masks.items(), strict=True):
            _plot_mask(axes, title, mask)
    return figure


def write_mask_data(masks: Mapping[str, np.ndarray], path: Path) -> None:
    """Write the lines as a table: mask, ky (cycles per field of view) and whether it is measured (0 or 1)."""
    rows = [
        {"mask": title, "ky": line - len(mask) // 2, "measured": int(measured)}
        for title, mask in masks.items()
        for line, measured in enumerate(mask)
    ]
    write_table(path, rows)


def _plot_mask(axes: Axes, title: str, mask: np.ndarray) -> None:
    n_lines = len(mask)
    first = -(n_lines // 2) - 0.5
    extent = (first, first + n_lines, first + n_lines, first)
    axes.imshow(np.repeat(mask[:, None], n_lines, axis=1), cmap="gray", vmin=0, vmax=1, extent=extent)
    axes.set_title(f"{title}\n{int(mask.sum())} of {n_lines} lines measured")
    axes.set_xlabel("frequency encoding kx\n[cycles per field of view]")
    axes.set_ylabel("phase encoding ky\n[cycles per field of view]")
