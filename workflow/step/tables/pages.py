"""The results of a study in pages of the documentation: tables between marks, in place of what stood there.

A page has one of two pairs of marks for a task,

    <!-- results:TASK -->          the methods of the tour, in the columns that matter most
    <!-- all results:TASK -->      all methods, all columns, and how they differ from one of them

each of which ends with ``<!-- /results -->``. Nothing outside them is changed.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from step.config.sections import ModuleName, Name, Section
from step.config.study import Config
from step.errors import InputError
from step.io.atomic import whole_file
from step.io.tables import read_table
from step.metrics.catalogue import BY_NAME, own_metrics
from step.metrics.metric import Metric
from step.products import About, PairedWith
from step.tables.document import NOTHING
from step.tables.task_table import (
    COLUMNS,
    Row,
    TaskTable,
    all_of,
    arrange,
    decimals_of,
    format_value,
    number_of,
    score_text,
)

PLACE = re.compile(r"(<!-- (?P<all>all )?results:(?P<task>\w+) -->\n).*?(<!-- /results -->)", re.DOTALL)
"""A place for results, with both of its marks."""

BEGIN = re.compile(r"<!-- (?:all )?results:")
END = "<!-- /results -->"

SHORT_COLUMNS = tuple(BY_NAME[name] for name in ("psnr", "ssim", "d_psnr", "difference_correlation", "data_misfit"))
PAIRED = BY_NAME["psnr"]
"""The metric whose differences are shown."""


class PagesSettings(Section):
    """The tasks that pages may show, and the methods of each table."""

    tasks: dict[Name, ModuleName]  # the models of their measurements
    methods: tuple[Name, ...]
    short: tuple[Name, ...]
    metrics: tuple[ModuleName, ...]  # of your own, next to the library's


Settings = PagesSettings


def select(config: Config) -> PagesSettings:
    """Return all tasks of the study, its methods, and those of the tour."""
    return PagesSettings(
        tasks={name: config.tasks[name].measurement.model for name in config.targets.all},
        methods=tuple(config.methods),
        short=config.targets.tour.methods,
        metrics=config.evaluation.metrics,
    )


@dataclass(frozen=True)
class Files:
    """The tables of some tasks, and the pages that show them."""

    tasks: Annotated[
        Mapping[str, Path], About(help="a task and its table of metrics; once per task", words=("NAME", "CSV"))
    ]
    pages: Annotated[
        tuple[Path, ...], About(help="pages with places for results, which are filled in place", words=("MD",))
    ]
    paired_with: PairedWith | None = None


def tabulate(files: Files, settings: PagesSettings) -> None:
    """Fill the places of all pages, or none: raises `InputError` for a page without a place or an unknown task."""
    own = own_metrics(settings.metrics)
    tables = {
        task: arrange(task, settings.tasks[task], read_table(path), settings.methods, str(path), own)
        for task, path in files.tasks.items()
        if task in settings.tasks
    }
    filled = {page: _filled(page, tables, settings.short, files.paired_with) for page in files.pages}
    for page, text in filled.items():
        with whole_file(page) as part:
            part.write_text(text, encoding="utf-8")


def short_table(table: TaskTable, methods: Iterable[str]) -> str:
    """Return the rows of some `methods`, and of the references, in the columns that matter most, as Markdown."""
    chosen = set(methods)
    rows = [row for row in table.methods if row["method"] in chosen]
    return _markdown(table, [*rows, *table.references], SHORT_COLUMNS, None)


def whole_table(table: TaskTable, paired_with: str | None) -> str:
    """Return all rows and columns as Markdown, with each row's PSNR minus that of the method `paired_with`."""
    return _markdown(table, table.rows, (*COLUMNS, *table.own), paired_with)


def _filled(page: Path, tables: Mapping[str, TaskTable], short: Iterable[str], paired_with: str | None) -> str:
    """Return the text of `page` with the tables in their places."""
    if not page.is_file():
        raise InputError(f"no page {page}; give one with places for results")
    text = page.read_text(encoding="utf-8")
    if not BEGIN.search(text):
        raise InputError(f"{page} has no place for results; mark one with <!-- results:TASK --> and {END}")
    if len(BEGIN.findall(text)) > len(PLACE.findall(text)):
        raise InputError(f"{page} has a place for results without an end; end each with {END}")

    def table(place: re.Match[str]) -> str:
        if place["task"] not in tables:
            raise InputError(f"{page} shows the task {place['task']}; given are {list(tables)}: give it with --task")
        of_task = tables[place["task"]]
        made = whole_table(of_task, paired_with) if place["all"] else short_table(of_task, short)
        return f"{place[1]}{made}{place[4]}"

    return PLACE.sub(table, text)


def _markdown(table: TaskTable, rows: Iterable[Row], columns: Iterable[Metric], paired_with: str | None) -> str:
    """Return a table of the `rows`; with `paired_with`, differences of PSNR and their p stand at its end."""
    columns = list(columns)
    heads = ["method", *(metric.heading + (f" [{metric.unit}]" if metric.unit else "") for metric in columns)]
    heads += [f"PSNR − `{paired_with}`", "p"] if paired_with else []
    lines = [heads, ["---"] * len(heads)]
    for row in rows:
        cells = [f"`{row['method']}`", *(score_text(row, metric) for metric in columns)]
        lines.append(cells + (_difference(row, paired_with) if paired_with else []))
    videos = f"{all_of(table, 'videos')} test videos of {all_of(table, 'frames')} frames; mean (standard deviation)."
    return "\n".join(["", *(f"| {' | '.join(cells)} |" for cells in lines), "", videos, ""])


def _difference(row: Row, paired_with: str) -> list[str]:
    """Return how a row's PSNR differs from that of `paired_with`, with its standard error, and the corrected p."""
    column = f"{PAIRED.name}_minus_{paired_with}"
    value, error, p = (number_of(row, name) for name in (column, f"{column}_se", f"{column}_p_holm"))
    if value is None or row["method"] == paired_with:
        return [NOTHING, NOTHING]
    text = f"{value:+.{PAIRED.decimals}f}".replace("-", "−")
    return [f"{text} ± {format_value(error, decimals_of(PAIRED, error))}", NOTHING if p is None else f"{p:.3f}"]
