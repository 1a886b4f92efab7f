"""Draw which lines of k-space the accelerated MRI tasks measure (the paper's Fig. 9)."""

import argparse
from pathlib import Path

from step.cli.files import add_pictures
from step.config.sections import Count, Name, Section
from step.config.study import Config
from step.config.tasks import CartesianMri
from step.errors import InputError


class TaskSampling(Section):
    """Which lines one task measures."""

    task: Name
    acceleration: Count
    acs_lines: int


class Settings(Section):
    """The sampling of each of a domain's tasks, in their order."""

    n_lines: Count
    tasks: tuple[TaskSampling, ...]


def select(config: Config, domain: str) -> Settings:
    """Return the sampling of the tasks of `domain`; raises `InputError` where none is accelerated MRI."""
    tasks = tuple(
        TaskSampling(task=name, acceleration=task.measurement.acceleration, acs_lines=task.measurement.acs_lines)
        for name, task in config.tasks.items()
        if task.domain == domain and isinstance(task.measurement, CartesianMri)
    )
    if not tasks:
        raise InputError(f"no task of {domain!r} has a measurement of model mri; there is no mask to draw")
    return Settings(n_lines=config.video_format(domain).resolution, tasks=tasks)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    add_pictures(parser)
    parser.add_argument("--data", required=True, type=Path, metavar="CSV", help="the lines that are drawn")


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write the picture and its numbers."""
    from step.figures.masks import draw_masks, write_mask_data
    from step.figures.style import save_figure
    from step.physics.masks import equispaced_mask

    masks = {
        f"{task.task}: R = {task.acceleration}, {task.acs_lines} ACS lines": equispaced_mask(
            settings.n_lines, task.acceleration, task.acs_lines
        ).numpy()
        for task in settings.tasks
    }
    save_figure(draw_masks(masks), arguments.output)
    write_mask_data(masks, arguments.data)
