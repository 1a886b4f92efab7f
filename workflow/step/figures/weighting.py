"""How weighted samples were annealed: the likelihood's power, the effective size and the resamplings of each level."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from step.config.sections import Count, Section
from step.config.study import Config
from step.errors import InputError
from step.figures import style
from step.io.reconstructions import Reconstruction, read_reconstructions
from step.io.tables import write_table
from step.products import Pictures, Rows, Samples

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TRACED = ("sigma", "power", "effective_size", "resampled")
COLUMNS = ("video", "island", "level", *TRACED, "misfit")
PANEL_INCHES = 2.6
MARK_COLOUR, LIMIT_COLOUR = "tab:red", "0.4"


class WeightingSettings(Section):
    """What decides when weights cannot be trusted."""

    trusted_size: Count


Settings = WeightingSettings


def select(config: Config, task: str, method: str) -> WeightingSettings:
    """Return the settings of the picture of a task's method; raises `InputError` where its sampler gives no weights."""
    sampler = config.methods[method].sampler
    own = config.tasks[task].samplers.get(sampler)
    size = None if own is None else own.model_dump().get("trusted_size")
    if size is None:
        raise InputError(f"method {method} has the sampler {sampler}, whose samples have no weights; take `weighted`")
    return WeightingSettings(trusted_size=size)


@dataclass(frozen=True)
class Files:
    """The samples, which hold how they were annealed."""

    reconstructions: Samples
    output: Pictures
    data: Rows


def plot(files: Files, settings: WeightingSettings) -> None:
    """Write picture and numbers; raises `InputError` for samples without weights."""
    islands = [
        island
        for file in files.reconstructions  # one at a time: no island is in two of them
        for found in read_reconstructions([Path(file)]).values()
        for island in islands_of(found)
    ]
    style.save_figure(plot_weighting(islands, settings.trusted_size), files.output)
    write_table(files.data, [row for number, island in enumerate(islands) for row in island.rows(number)], COLUMNS)


@dataclass(frozen=True)
class IslandTrace:
    """How the particles of one island were annealed, level by level."""

    video: str
    n_particles: int
    n_ancestors: int
    sigma: np.ndarray  # (level,) noise; 0 where the power rises without noise
    power: np.ndarray  # (level,) of the likelihood: one over the temperature
    effective_size: np.ndarray  # (level,) before resampling
    resampled: np.ndarray  # (level,) bool
    misfit: np.ndarray  # (level,) mean over the particles

    def rows(self, number: int) -> list[dict[str, object]]:
        """Return the table of the levels of island `number`."""
        columns = {name: getattr(self, name) for name in (*TRACED, "misfit")}
        return [
            {"video": self.video, "island": number, "level": level} | {name: of[level] for name, of in columns.items()}
            for level in range(len(self.sigma))
        ]


def islands_of(found: Reconstruction) -> list[IslandTrace]:
    """Return how each island of the samples `found` was annealed; raises `InputError` where they have no weights."""
    missing = [name for name in TRACED if name not in found.trace]
    if missing or found.log_weights is None:
        raise InputError(f"samples of {found.video} have no weights and no {', '.join(TRACED)}; sample with `weighted`")
    courses = np.stack([found.trace[name] for name in TRACED], axis=2)  # (sample, level, name): alike within an island
    new = np.ones(len(courses), bool)
    new[1:] = [not np.array_equal(one, other, equal_nan=True) for one, other in pairwise(courses)]
    islands = []
    for rows in np.split(np.arange(len(courses)), np.flatnonzero(new)[1:]):
        sigma, power, size, resampled = courses[rows[0]].T
        n_levels = int((~np.isnan(sigma)).sum())
        islands.append(
            IslandTrace(
                video=found.video,
                n_particles=len(rows),
                n_ancestors=len(np.unique(found.lineages[rows])),
                sigma=sigma[:n_levels],
                power=power[:n_levels],
                effective_size=size[:n_levels],
                resampled=resampled[:n_levels] > 0,
                misfit=found.trace["misfit"][rows, :n_levels].mean(axis=0),
            )
        )
    return islands


def plot_weighting(islands: list[IslandTrace], trusted: int) -> Figure:
    """Return the picture: temperatures, effective sizes with resamplings, and misfits, a line for each island.

    The title says how many islands had an effective size, or ancestors, below the `trusted` number.
    """
    with style.styled():
        figure = style.new_figure((3 * PANEL_INCHES + 0.6, PANEL_INCHES + 0.4))
        temperature, size, misfit = figure.subplots(1, 3)
        for island in islands:
            levels = np.arange(1, len(island.sigma) + 1)
            for axes, values in (
                (temperature, 1 / np.maximum(island.power, np.finfo(np.float32).tiny)),
                (size, island.effective_size),
                (misfit, island.misfit),
            ):
                axes.plot(levels, values, color="0.3", linewidth=0.8, alpha=0.8)
            marked = island.resampled
            size.plot(levels[marked], island.effective_size[marked], "v", color=MARK_COLOUR, markersize=3)
        _finish(temperature, "temperature (1 over the power)", is_log=True)
        _finish(size, "effective size before resampling", is_log=False)
        _finish(misfit, "data misfit, mean over particles", is_log=True)
        size.axhline(trusted, color=LIMIT_COLOUR, linestyle="--", linewidth=0.8)
        size.plot([], [], "v", color=MARK_COLOUR, markersize=3, label="resampled")
        size.plot([], [], color=LIMIT_COLOUR, linestyle="--", linewidth=0.8, label=f"trusted from {trusted} on")
        size.set_ylim(0, 1.05 * max(island.n_particles for island in islands))
        size.legend(frameon=False, fontsize=6)
        figure.suptitle(say_trust(islands, trusted), fontsize=8)
    return figure


def say_trust(islands: list[IslandTrace], trusted: int) -> str:
    """Return in words whether the weights can be trusted, and whether they are those of the posterior."""
    few = [one for one in islands if min(one.effective_size.min(), one.n_ancestors) < trusted]
    said = f"{len(islands)} islands of {islands[0].n_particles} particles"
    said += f"; of {len(few)} the weights cannot be trusted" if few else "; the weights can be trusted"
    power = min(one.power[-1] for one in islands)
    return said if power == 1 else f"{said}; tempered posterior, temperature {1 / power:.3g}"


def _finish(axes: Axes, label: str, is_log: bool) -> None:
    axes.set(xlabel="level", ylabel=label)
    if is_log:
        axes.set_yscale("log")
    axes.grid(linewidth=0.3, alpha=0.5)
