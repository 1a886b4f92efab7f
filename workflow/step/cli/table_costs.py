"""Write the table of the sampler's settings and of what sampling took, beside the paper's (Table 2)."""

import argparse
from pathlib import Path

from step.cli.files import add_tables
from step.config.plan import compared_method
from step.config.sections import Name, Section
from step.config.study import Config
from step.config.tasks import Sampler
from step.errors import InputError


class SamplerOfTask(Section):
    """The sampler of one task."""

    task: Name
    domain: Name
    sampler: Sampler


class Settings(Section):
    """The samplers of the whole study's tasks, in their order, and the method whose costs stand beside the paper's."""

    tasks: tuple[SamplerOfTask, ...]
    method: Name


def select(config: Config) -> Settings:
    """Return the samplers of the tasks of the whole study."""
    tasks = {task: config.tasks[task] for task in config.targets.all}
    return Settings(
        tasks=tuple(
            SamplerOfTask(task=name, domain=chosen.domain, sampler=chosen.sampler) for name, chosen in tasks.items()
        ),
        method=compared_method(config),
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    parser.add_argument(
        "--costs",
        required=True,
        action="append",
        nargs="+",
        metavar=("TASK METHOD CSV", "CSV"),
        help="a task, a method and the costs of its sampling jobs; once per task and method",
    )
    parser.add_argument("--paper", required=True, type=Path, metavar="CSV", help="the paper's settings")
    add_tables(parser)


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write the table; raises `InputError` where costs are of another task, or a task has none."""
    from step.io.tables import read_table
    from step.tables.document import write_document
    from step.tables.paper import read_paper_settings
    from step.tables.settings import SampledTask, add_costs, cost_document

    files = _files_by_task(arguments.costs, settings)
    tasks = []
    for of in settings.tasks:
        costs = {
            method: add_costs([row for path in paths for row in read_table(path)], f"the cost of {method} in {of.task}")
            for method, paths in files[of.task].items()
        }
        tasks.append(SampledTask(of.task, of.domain, of.sampler, costs))
    paper = read_paper_settings(read_table(arguments.paper), "table2", str(arguments.paper))
    write_document(cost_document("Table 2: sampling", tasks, settings.method, paper), arguments.output)


def _files_by_task(groups: list[list[str]], settings: Settings) -> dict[str, dict[str, list[Path]]]:
    """Return the files of each task and method.

    Raises `InputError` unless they are of just the tasks of `settings`, the method that is shown among them.
    """
    tasks = [of.task for of in settings.tasks]
    files: dict[str, dict[str, list[Path]]] = {task: {} for task in tasks}
    for group in groups:
        if len(group) < 3:
            raise InputError(f"--costs {' '.join(group)}: give a task, a method and its files")
        task, method, *paths = group
        if task not in files or method in files[task]:
            raise InputError(f"--costs {task} {method}: give each method once, of the tasks {tasks}")
        files[task][method] = list(map(Path, paths))
    missing = [task for task, of_task in files.items() if not of_task]
    if missing:
        raise InputError(f"there are no costs of {missing[0]}; give them with --costs {missing[0]} METHOD FILE")
    missing = [task for task, of_task in files.items() if settings.method not in of_task]
    if missing:
        raise InputError(f"there are no costs of {settings.method} in {missing[0]}; give them with --costs")
    return files
