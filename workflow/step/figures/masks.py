"""Which lines of k-space are measured (the paper's Fig. 9), over time where they change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from step.config.sections import Count, Name, Section
from step.config.study import Config
from step.config.tasks import CartesianMriSettings, LinePattern
from step.errors import InputError
from step.figures import style
from step.figures.lines import plot_lines_over_time
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
    pattern: LinePattern


class MasksSettings(Section):
    """The sampling of each of a domain's tasks, in their order."""

    n_frames: Count
    n_lines: Count
    tasks: tuple[TaskSampling, ...]


Settings = MasksSettings


def select(config: Config, domain: str) -> MasksSettings:
    """Return the sampling of the study's tasks of `domain`, those of ``targets.all`` (or all, if it has none).

    Raises `InputError` where no task of the domain is accelerated MRI.
    """
    found = {
        name: TaskSampling(
            task=name,
            acceleration=task.measurement.acceleration,
            acs_lines=task.measurement.acs_lines,
            pattern=task.measurement.pattern,
        )
        for name, task in config.tasks.items()
        if task.domain == domain and isinstance(task.measurement, CartesianMriSettings)
    }
    tasks = tuple(found[name] for name in found if name in config.targets.all) or tuple(found.values())
    if not tasks:
        raise InputError(f"no task of {domain!r} has a measurement of model mri; there is no mask to plot")
    video = config.video_format(domain)
    return MasksSettings(n_frames=video.frames, n_lines=video.resolution, tasks=tasks)


@dataclass(frozen=True)
class Files:
    """The picture is of the settings alone."""

    output: Pictures
    data: Rows


def plot(files: Files, settings: MasksSettings) -> None:
    """Write the picture and its numbers."""
    from step.physics.masks import line_masks

    masks = {}
    for task in settings.tasks:
        of_frames = line_masks(
            settings.n_frames, settings.n_lines, task.acceleration, task.acs_lines, task.pattern
        ).numpy()
        title = f"{task.task}: R = {task.acceleration}, {task.acs_lines} ACS lines"
        masks[title] = of_frames if task.pattern.kind != "equispaced" else of_frames[0]
    style.save_figure(plot_masks(masks), files.output)
    write_mask_data(masks, files.data)


def plot_masks(masks: Mapping[str, np.ndarray]) -> Figure:
    """Return the picture of `masks`, each (ky,) of bool with the zero frequency at index n // 2, by title.

    Measured lines are white. The frames are square, so kx has as many samples as ky, all of them measured. Of a mask
    (time, ky) the lines are plotted over time.
    """
    with style.styled():
        figure = style.new_figure(figsize=((PANEL_INCHES + 0.4) * len(masks), PANEL_INCHES + 0.7))
        for axes, (title, mask) in zip(figure.subplots(1, len(masks), squeeze=False)[0], masks.items(), strict=True):
            _plot_mask(axes, title, mask)
    return figure


def write_mask_data(masks: Mapping[str, np.ndarray], path: Path) -> None:
    """Write the lines as a table: mask, ky (cycles per field of view) and whether it is measured (0 or 1).

    If a mask changes, there is a column `frame` before ky; masks that do not are of frame 0.
    """
    changing = any(mask.ndim == 2 for mask in masks.values())
    rows = [
        {
            "mask": title,
            **({"frame": frame} if changing else {}),
            "ky": line - len(lines) // 2,
            "measured": int(measured),
        }
        for title, mask in masks.items()
        for frame, lines in enumerate(np.atleast_2d(mask))
        for line, measured in enumerate(lines)
    ]
    write_table(path, rows)


def _plot_mask(axes: Axes, title: str, mask: np.ndarray) -> None:
    if mask.ndim == 2:
        plot_lines_over_time(axes, mask)
        axes.set_title(f"{title}\n{mask.sum(1).mean():.3g} of {mask.shape[1]} lines measured per frame")
        return
    n_lines = len(mask)
    first = -(n_lines // 2) - 0.5
    extent = (first, first + n_lines, first + n_lines, first)
    axes.imshow(np.repeat(mask[:, None], n_lines, axis=1), cmap="gray", vmin=0, vmax=1, extent=extent)
    axes.set_title(f"{title}\n{int(mask.sum())} of {n_lines} lines measured")
    axes.set_xlabel("frequency encoding kx\n[cycles per field of view]")
    axes.set_ylabel("phase encoding ky\n[cycles per field of view]")
