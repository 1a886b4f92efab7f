"""Write a table of all methods of some tasks beside the paper's figures, and of their paired differences."""

import argparse
from pathlib import Path

from step.cli.files import add_tables
from step.config.sections import ModuleName, Name, Section
from step.config.study import Config
from step.errors import InputError


class TaskOfTable(Section):
    """One task of the table."""

    task: Name
    model: ModuleName


class Settings(Section):
    """What the table shows, in its order."""

    table: Name
    tasks: tuple[TaskOfTable, ...]
    methods: tuple[Name, ...]
    metrics: tuple[ModuleName, ...]  # of your own, beside the library's


def select(config: Config, table: str) -> Settings:
    """Return the tasks and methods of one table."""
    tasks = tuple(TaskOfTable(task=task, model=config.tasks[task].measurement.model) for task in config.tables[table])
    return Settings(table=table, tasks=tasks, methods=tuple(config.methods), metrics=config.evaluation.metrics)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    parser.add_argument(
        "--task",
        required=True,
        dest="tasks",
        action="append",
        nargs=2,
        metavar=("NAME", "CSV"),
        help="a task and its table of metrics; once per task",
    )
    parser.add_argument("--paper", required=True, type=Path, metavar="CSV", help="the paper's figures")
    parser.add_argument(
        "--paired-with", metavar="NAME", help="also give each method's metrics minus this one's, video by video"
    )
    add_tables(parser)


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write the table; raises `InputError` unless the files given are those of its tasks."""
    from step.io.tables import read_table
    from step.metrics.catalogue import own_metrics
    from step.tables.document import title_of, write_document
    from step.tables.methods import arrange, method_document
    from step.tables.paper import read_paper_scores

    files = dict(arguments.tasks)
    names = [chosen.task for chosen in settings.tasks]
    if sorted(task for task, _ in arguments.tasks) != sorted(names):
        raise InputError(f"{settings.table} has the tasks {names}, given are {list(files)}; give each with --task")
    own, methods = own_metrics(settings.metrics), settings.methods
    tables = [
        arrange(chosen.task, chosen.model, read_table(Path(files[chosen.task])), methods, files[chosen.task], own)
        for chosen in settings.tasks
    ]
    paper = read_paper_scores(read_table(arguments.paper), str(arguments.paper))
    document = method_document(f"{title_of(settings.table)}: all methods", tables, paper, arguments.paired_with)
    write_document(document, arguments.output)
