"""All methods of some tasks next to the paper's own figures (Tables 1 and 4), and their paired differences."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from step.config.sections import ModuleName, Name, Section
from step.config.study import Config
from step.errors import InputError
from step.io.tables import read_table
from step.metrics.catalogue import AUTHORS, BY_NAME, OF_SOME_MEASUREMENTS, own_metrics
from step.metrics.metric import Metric
from step.products import About, Documents, PairedWith, Paper
from step.tables.differences import difference_part
from step.tables.document import NOTHING, Cell, Document, Line, Look, Part, title_of, write_document
from step.tables.paper import IN_THE_PAPER, Score, read_paper_scores, task_label
from step.tables.task_table import (
    COLUMNS,
    REFERENCES_HEADING,
    UNDEFINED,
    Row,
    TaskTable,
    all_of,
    arrange,
    name_of,
    number_of,
    oracle_note,
    plain_label,
    score_text,
    spread_columns,
    still_note,
)

PaperScores = Mapping[tuple[str, str], Mapping[str, Score]]

AS_AUTHORS = {"psnr": "psnr_authors", "ssim": "ssim_authors"}
"""The columns in the authors' convention, where it is not ours: the paper's figures stand in them."""

AUTHORS_NOTE = (
    "As the authors scale: both channels of each video, real and imaginary part, are brought to [0, 1] by the video's "
    "own minimum and maximum, and compared. Only these columns compare with the paper's PSNR and SSIM; the others are "
    "of magnitudes over the truth's maximum."
)

MISFIT_HEADERS = {"vlbi": "Data misfit ↓ (1 at best)"}
"""By the model of the measurement: the paper's statistic of closure quantities is never below 1 (Eq. 13)."""

COVARIANCE_NOTE = (
    "χ² with covariance: of all independent closures, with the covariance of those that share visibilities; the same "
    "for any choice of set, 1 where the data are fitted to their errors."
)


class TaskOfTable(Section):
    """One task of the table."""

    task: Name
    model: ModuleName


class MethodsTableSettings(Section):
    """What the table shows, in its order."""

    table: Name
    tasks: tuple[TaskOfTable, ...]
    methods: tuple[Name, ...]
    metrics: tuple[ModuleName, ...]  # of your own, next to the library's


Settings = MethodsTableSettings


def select(config: Config, table: str) -> MethodsTableSettings:
    """Return the tasks and methods of one table."""
    tasks = tuple(TaskOfTable(task=task, model=config.tasks[task].measurement.model) for task in config.tables[table])
    return MethodsTableSettings(
        table=table, tasks=tasks, methods=tuple(config.methods), metrics=config.evaluation.metrics
    )


@dataclass(frozen=True)
class Files:
    """The tables of some tasks, and the one of them all."""

    tasks: Annotated[
        Mapping[str, Path], About(help="a task and its table of metrics; once per task", words=("NAME", "CSV"))
    ]
    paper: Paper
    output: Documents
    paired_with: PairedWith | None = None


def tabulate(files: Files, settings: MethodsTableSettings) -> None:
    """Write the table; raises `InputError` unless the files given are those of its tasks."""
    names = [chosen.task for chosen in settings.tasks]
    if sorted(files.tasks) != sorted(names):
        raise InputError(
            f"{settings.table} has the tasks {names}, given are {list(files.tasks)}; give each with --task"
        )
    own, methods = own_metrics(settings.metrics), settings.methods
    tables = [
        arrange(of.task, of.model, read_table(files.tasks[of.task]), methods, str(files.tasks[of.task]), own)
        for of in settings.tasks
    ]
    paper = read_paper_scores(read_table(files.paper), str(files.paper))
    document = method_document(f"{title_of(settings.table)}: all methods", tables, paper, files.paired_with)
    write_document(document, files.output)


def method_document(title: str, tables: Sequence[TaskTable], paper: PaperScores, paired_with: str | None) -> Document:
    """Return the tables of all tasks: what the methods score, then how they differ from `paired_with`.

    `paper` is by task and method; where it has no row, there is none in the table. Raises `InputError` where a
    table was not paired with that method.
    """
    parts = [_score_part(table, paper) for table in tables]
    if paired_with is not None:
        parts += [difference_part(table, paired_with) for table in tables]
    rows = [row for table in tables for row in _tidy(table, paper, paired_with)]
    return Document(title, tuple(parts), tuple(rows))


def ranks(rows: Sequence[Row], metric: Metric) -> dict[str, int]:
    """Return the rank of each method in `metric`, 1 for the best; equal values share one, missing and nan have none.

    The black hole's data misfit ranks smaller first too, as in the paper: its statistic is never below 1. A metric of
    which neither way is better ranks nobody.
    """
    if metric.better is None:
        return {}
    found = {row["method"]: number_of(row, metric.name) for row in rows}
    values = {method: value for method, value in found.items() if value is not None and not math.isnan(value)}
    ordered = sorted(values.values(), reverse=metric.better == "higher")
    return {method: ordered.index(value) + 1 for method, value in values.items()}


def _columns(table: TaskTable, paper: PaperScores) -> dict[str, Metric]:
    """Return the columns of a table: where it has the paper's rows, those in the authors' convention next to ours."""
    shown = {metric.name: [metric] for metric in COLUMNS}
    if _has_paper(table, paper):
        for metric, name in AS_AUTHORS.items():
            shown[metric] += [BY_NAME[name]] if any(number_of(row, name) is not None for row in table.rows) else []
    columns = [*(metric for metrics in shown.values() for metric in metrics), *table.own, *_of_some_measurements(table)]
    return {metric.name: metric for metric in columns}


def _of_some_measurements(table: TaskTable) -> list[Metric]:
    """Return the metrics that only some measurements have, and this task's too."""
    return [metric for metric in OF_SOME_MEASUREMENTS if metric.name in table.rows[0]]


def _has_paper(table: TaskTable, paper: PaperScores) -> bool:
    return any((table.task, row["method"]) in paper for row in table.methods)


def _paper_score(scores: Mapping[str, Score], metric: str, columns: Collection[str]) -> Score:
    """Return what the paper has in the column `metric` of `columns`: PSNR and SSIM where they are like its own."""
    if AS_AUTHORS.get(metric) in columns:
        return "", ""
    paper_name = {name: metric for metric, name in AS_AUTHORS.items()}
    return scores.get(paper_name.get(metric, metric), ("", ""))


def _score_part(table: TaskTable, paper: PaperScores) -> Part:
    columns = _columns(table, paper)
    rank_of = {name: ranks(table.methods, metric) for name, metric in columns.items()}
    lines: list[Line] = []
    for row in table.methods:
        cells = [_score_cell(row, one, rank_of[name].get(row["method"])) for name, one in columns.items()]
        lines.append((Cell(name_of(row)), *cells))
        if (table.task, row["method"]) in paper:
            lines.append(_paper_line(row["method"], paper[table.task, row["method"]], columns))
    if table.references:
        lines.append((Cell(REFERENCES_HEADING),))
    lines += [
        (Cell(name_of(row)), *(_score_cell(row, metric, None) for metric in columns.values()))
        for row in table.references
    ]
    headers = {name: metric.heading for name, metric in columns.items()}
    headers["data_misfit"] = MISFIT_HEADERS.get(table.model, headers["data_misfit"])
    caption = f"{task_label(table.task)}: mean over videos (standard deviation); FVD with its bootstrap interval"
    return Part(caption, ("Methods", *headers.values()), tuple(lines), tuple(_score_notes(table, paper)))


def _score_cell(row: Row, metric: Metric, rank: int | None) -> Cell:
    looks: dict[int | None, Look] = {1: "best", 2: "second"}
    text = score_text(row, metric)
    return Cell(text, "plain" if text in (NOTHING, UNDEFINED) else looks.get(rank, "plain"))


def _paper_line(method: str, scores: Mapping[str, Score], columns: Collection[str]) -> Line:
    """Return the paper's own line, whose first cell says so."""
    texts = [f"{plain_label(method)}, {IN_THE_PAPER}"]
    for metric in columns:
        mean, std = _paper_score(scores, metric, columns)
        texts.append(f"{mean} ({std})" if std else mean or NOTHING)
    return tuple(Cell(text, "paper") for text in texts)


def _score_notes(table: TaskTable, paper: PaperScores) -> list[str]:
    notes = ["Best of the methods bold, second best underlined."]
    if _has_paper(table, paper):
        notes.append(
            f"Rows in italics, called “{IN_THE_PAPER}”, are not this study's: they are the figures that the paper "
            "prints, of its own data, sizes and networks."
        )
    if any(metric.name in _columns(table, paper) for metric in AUTHORS):
        notes.append(AUTHORS_NOTE)
    notes.append(f"{all_of(table, 'videos')} test videos of {all_of(table, 'frames')} frames.")
    notes += [COVARIANCE_NOTE] if _of_some_measurements(table) else []
    notes += oracle_note(table)
    notes += [f"Optical flow of {names}: {origin}." for origin, names in _by_text(table, "optical_flow").items()]
    for column, name in (("lpips_weights", "LPIPS"), ("fvd_weights", "FVD")):
        notes += [f"Weights of {name}: {weights}." for weights in _by_text(table, column)]
    notes += [f"{remark} ({names})." for remark, names in _by_text(table, "remarks").items()]
    if any(number_of(row, "fvd") is not None for row in table.rows):
        notes.append("Resampled sets repeat videos, so an interval of FVD may lie above the value itself.")
    return notes + still_note(table, "difference_correlation")


def _tidy(table: TaskTable, paper: PaperScores, paired_with: str | None) -> Iterable[dict[str, object]]:
    """Yield one row per value: of ours, of the references, and of the paper."""
    columns = _columns(table, paper)
    for metric in columns:
        rank_of = ranks(table.methods, columns[metric])
        for row in table.rows:
            low, high = spread_columns("fvd") if metric == "fvd" else ("", "")
            column = f"{metric}_minus_{paired_with}"
            yield {
                "task": table.task,
                "method": row["method"],
                "kind": "ours" if row in table.methods else "reference",
                "metric": metric,
                "mean": row[metric],
                "std": row.get(f"{metric}_std", ""),
                "low": row.get(low, ""),
                "high": row.get(high, ""),
                "rank": rank_of.get(row["method"], ""),
                "difference": row.get(column, ""),
                "se": row.get(f"{column}_se", ""),
                "p": row.get(f"{column}_p", ""),
                "p_holm": row.get(f"{column}_p_holm", ""),
                "optical_flow": row["optical_flow"],
                "remark": row["remarks"],
            }
            mean, std = _paper_score(paper.get((table.task, row["method"]), {}), metric, columns)
            if mean:
                empty = dict.fromkeys(
                    ("low", "high", "rank", "difference", "se", "p", "p_holm", "optical_flow", "remark"), ""
                )
                names = {"task": table.task, "method": row["method"], "kind": "paper", "metric": metric}
                yield {**names, "mean": mean, "std": std, **empty}


def _by_text(table: TaskTable, column: str) -> dict[str, str]:
    """Return the texts of a column, each with the names of its rows: `all rows`, or their labels."""
    names: dict[str, list[str]] = {}
    for row in table.rows:
        if row[column]:
            names.setdefault(row[column], []).append(plain_label(row["method"]))
    everyone = len(table.rows)
    return {text: "all rows" if len(of) == everyone else ", ".join(of) for text, of in names.items()}
