"""All methods of some tasks beside the paper's own figures (Tables 1 and 4), and their paired differences."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from step.config.sections import ModuleName, Name, Section
from step.config.study import Config
from step.errors import InputError
from step.figures import style
from step.io.tables import read_table
from step.metrics.catalogue import AUTHORS, BY_NAME, OF_SOME_MEASUREMENTS, own_metrics
from step.metrics.caveats import ORACLE_MARK, ORACLE_NOTE, STILL_NOTE, is_oracle
from step.metrics.metric import Metric
from step.metrics.significance import smallest_p
from step.products import About, Documents, PairedWith, Paper
from step.tables.document import NOTHING, Cell, Document, Line, Part, label_cells, title_of, write_document
from step.tables.paper import IN_THE_PAPER, Score, read_paper_scores, task_label

Row = Mapping[str, str]
"""One row of a task's table of metrics, as text."""

PaperScores = Mapping[tuple[str, str], Mapping[str, Score]]


COLUMNS = tuple(
    BY_NAME[name]
    for name in ("psnr", "ssim", "lpips", "d_psnr", "d_ssim", "fvd", "data_misfit", "difference_correlation")
)
"""The paper's columns in the paper's order, and ours."""

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

SIGNIFICANCE = ((0.001, "***"), (0.01, "**"), (0.05, "*"))
MOST_DECIMALS = 6  # with more, a number is written as a power of ten
SIGNIFICANT_DIGITS = 3  # at least so many of a data misfit, whose size depends on the units of the data

REFERENCES_HEADING = "References, which are not ranked"
UNDEFINED = "undefined"


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


@dataclass(frozen=True)
class Files:
    """The tables of some tasks, and the one of them all."""

    tasks: Annotated[
        Mapping[str, Path], About(help="a task and its table of metrics; once per task", words=("NAME", "CSV"))
    ]
    paper: Paper
    output: Documents
    paired_with: PairedWith | None = None


def tabulate(files: Files, settings: Settings) -> None:
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


@dataclass(frozen=True)
class TaskTable:
    """The rows of one task, methods in the study's order apart from references."""

    task: str
    model: str  # of the measurement
    methods: tuple[Row, ...]
    references: tuple[Row, ...]
    own: tuple[Metric, ...] = ()  # metrics beside the library's

    @property
    def paired(self) -> dict[str, Metric]:
        """The metrics whose differences are shown, video by video, by their names."""
        return {metric.name: metric for metric in (*COLUMNS, *self.own) if metric.name != "fvd"}

    @property
    def rows(self) -> tuple[Row, ...]:
        """All rows, references last."""
        return self.methods + self.references


def arrange(
    task: str, model: str, rows: Sequence[Row], methods: Iterable[str], source: str, own: Sequence[Metric] = ()
) -> TaskTable:
    """Return the `rows` of a task's table in the order of `methods`, every other row as a reference.

    Metrics of your `own` are columns behind the others.
    Raises `InputError`, naming `source`, where a method has no row or the table lacks a column.
    """
    needed = [name for metric in (*COLUMNS, *AUTHORS, *own) for name in (metric.name, *_spread(metric.name))]
    needed += ["method", "videos", "frames", "flow", "lpips_weights", "fvd_weights", "remarks"]
    missing = [column for column in needed if not rows or column not in rows[0]]
    if missing:
        raise InputError(f"{source} has no column {missing[0]}; tabulate the task {task} again")
    of_method = {row["method"]: row for row in rows}
    methods = list(methods)
    absent = [method for method in methods if method not in of_method]
    if absent:
        raise InputError(f"{source} has no row {absent[0]}; it has {list(of_method)}: tabulate the task {task} again")
    references = tuple(row for method, row in of_method.items() if method not in methods)
    return TaskTable(task, model, tuple(of_method[method] for method in methods), references, tuple(own))


def method_document(title: str, tables: Sequence[TaskTable], paper: PaperScores, paired_with: str | None) -> Document:
    """Return the tables of all tasks: what the methods score, then how they differ from `paired_with`.

    `paper` is by task and method; where it has no row, there is none in the table. Raises `InputError` where a
    table was not paired with that method.
    """
    parts = [_score_part(table, paper) for table in tables]
    if paired_with is not None:
        parts += [_difference_part(table, paired_with) for table in tables]
    rows = [row for table in tables for row in _tidy(table, paper, paired_with)]
    return Document(title, tuple(parts), tuple(rows))


def ranks(rows: Sequence[Row], metric: Metric) -> dict[str, int]:
    """Return the rank of each method in `metric`, 1 for the best; equal values share one, missing and nan have none.

    The black hole's data misfit ranks smaller first too, as in the paper: its statistic is never below 1. A metric of
    which neither way is better ranks nobody.
    """
    if metric.better is None:
        return {}
    values = {row["method"]: _number(row, metric.name) for row in rows}
    values = {method: value for method, value in values.items() if value is not None and not math.isnan(value)}
    ordered = sorted(values.values(), reverse=metric.better == "higher")
    return {method: ordered.index(value) + 1 for method, value in values.items()}


def stars(p: float | None) -> str:
    """Return the mark of a corrected p: * below 0.05, ** below 0.01, *** below 0.001."""
    return next((mark for level, mark in SIGNIFICANCE if p is not None and p < level), "")


def _columns(table: TaskTable, paper: PaperScores) -> dict[str, Metric]:
    """Return the columns of a table: where it has the paper's rows, those in the authors' convention beside ours."""
    shown = {metric.name: [metric] for metric in COLUMNS}
    if _has_paper(table, paper):
        for metric, name in AS_AUTHORS.items():
            shown[metric] += [BY_NAME[name]] if any(_number(row, name) is not None for row in table.rows) else []
    columns = [*(metric for metrics in shown.values() for metric in metrics), *table.own, *_beside(table)]
    return {metric.name: metric for metric in columns}


def _beside(table: TaskTable) -> list[Metric]:
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
        lines.append((Cell(_name(row)), *cells))
        if (table.task, row["method"]) in paper:
            lines.append(_paper_line(row["method"], paper[table.task, row["method"]], columns))
    if table.references:
        lines.append((Cell(REFERENCES_HEADING),))
    lines += [
        (Cell(_name(row)), *(_score_cell(row, metric, None) for metric in columns.values())) for row in table.references
    ]
    headers = {name: metric.heading for name, metric in columns.items()}
    headers["data_misfit"] = MISFIT_HEADERS.get(table.model, headers["data_misfit"])
    caption = f"{task_label(table.task)}: mean over videos (standard deviation); FVD with its bootstrap interval"
    return Part(caption, ("Methods", *headers.values()), tuple(lines), tuple(_score_notes(table, paper)))


def _score_cell(row: Row, metric: Metric, rank: int | None) -> Cell:
    look = {1: "best", 2: "second"}.get(rank, "plain")
    value = _number(row, metric.name)
    if value is None or math.isnan(value):
        return Cell(NOTHING if value is None else UNDEFINED)
    decimals = _decimals(metric, value)
    if metric.name == "fvd":
        low, high = (_format(_number(row, column), decimals) for column in _spread("fvd"))
        return Cell(f"{_format(value, decimals)} [{low}, {high}]", look)
    std = _number(row, f"{metric.name}_std")
    spread = f" ({_format(std, decimals)})" if std is not None and not math.isnan(std) else ""
    return Cell(f"{_format(value, decimals)}{spread}", look)


def _paper_line(method: str, scores: Mapping[str, Score], columns: Collection[str]) -> Line:
    """Return the paper's own line, whose first cell says so."""
    texts = [f"{_plain_label(method)}, {IN_THE_PAPER}"]
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
    notes.append(f"{_all_of(table, 'videos')} test videos of {_all_of(table, 'frames')} frames.")
    notes += [COVARIANCE_NOTE] if _beside(table) else []
    notes += _oracle_note(table)
    notes += [f"Flow of {names}: {flow}." for flow, names in _by_text(table, "flow").items()]
    for column, name in (("lpips_weights", "LPIPS"), ("fvd_weights", "FVD")):
        notes += [f"Weights of {name}: {weights}." for weights in _by_text(table, column)]
    notes += [f"{remark} ({names})." for remark, names in _by_text(table, "remarks").items()]
    if any(_number(row, "fvd") is not None for row in table.rows):
        notes.append("Resampled sets repeat videos, so an interval of FVD may lie above the value itself.")
    return notes + _still_note(table, "difference_correlation")


def _oracle_note(table: TaskTable) -> list[str]:
    return [f"{ORACLE_MARK} {ORACLE_NOTE}."] if any(is_oracle(row["flow"]) for row in table.rows) else []


def _still_note(table: TaskTable, column: str) -> list[str]:
    values = [_number(row, column) for row in table.rows]
    return [f"{STILL_NOTE}."] if any(value is not None and math.isnan(value) for value in values) else []


def _difference_part(table: TaskTable, paired_with: str) -> Part:
    columns = {name: f"{name}_minus_{paired_with}" for name in table.paired}
    if columns["psnr"] not in table.rows[0]:
        raise InputError(f"the table of {table.task} has no column {columns['psnr']}; tabulate it --paired-with that")
    lines: list[Line] = []
    for rows, heading in ((table.methods, None), (table.references, REFERENCES_HEADING.replace("ranked", "tested"))):
        others = [row for row in rows if row["method"] != paired_with]
        if others and heading:
            lines.append((Cell(heading),))
        lines += [
            label_cells(
                [_name(row), *(_difference(row, metric, columns[name]) for name, metric in table.paired.items())]
            )
            for row in others
        ]
    caption = (
        f"{task_label(table.task)}: each method minus {_plain_label(paired_with)}, mean over "
        f"{_all_of(table, 'videos')} videos ± standard error; paired sign-flip permutation test of the mean, two-sided"
    )
    notes = [
        "Holm-corrected over the methods within a metric: * p < 0.05, ** p < 0.01, *** p < 0.001.",
        _reach(int(table.rows[0]["videos"]), sum(row["method"] != paired_with for row in table.methods)),
        *_oracle_note(table),
        f"{NOTHING}: not measured, the table above says why." if _has_gaps(table, columns) else "",
        *_still_note(table, columns["difference_correlation"]),
    ]
    headers = [metric.heading for metric in table.paired.values()]
    return Part(caption, ("Methods", *headers), tuple(lines), tuple(filter(None, notes)))


def _reach(n_videos: int, n_methods: int) -> str:
    """Return which marks so few videos can never get; '' where they can get them all."""
    smallest = n_methods * smallest_p(n_videos)
    beyond = [mark for level, mark in reversed(SIGNIFICANCE) if smallest >= level]
    if not beyond:
        return ""
    return (
        f"A method that differs one way in every one of the {n_videos} videos has a p of {min(smallest, 1):.2g}, "
        f"corrected for {n_methods} methods: too few videos for {', '.join(beyond)}."
    )


def _has_gaps(table: TaskTable, columns: Mapping[str, str]) -> bool:
    return any(_number(row, column) is None for row in table.rows for column in columns.values())


def _difference(row: Row, metric: Metric, column: str) -> str:
    value, error = _number(row, column), _number(row, f"{column}_se")
    if value is None:
        return NOTHING
    if math.isnan(value):
        return UNDEFINED
    decimals = _decimals(metric, value)
    spread = f" ± {_format(error, decimals)}" if error is not None and not math.isnan(error) else ""
    return f"{value:+.{decimals}f}{spread}{stars(_number(row, f'{column}_p_holm'))}".replace("-", "−")


def _tidy(table: TaskTable, paper: PaperScores, paired_with: str | None) -> Iterable[dict[str, object]]:
    """Yield one row per value: of ours, of the references, and of the paper."""
    columns = _columns(table, paper)
    for metric in columns:
        rank_of = ranks(table.methods, columns[metric])
        for row in table.rows:
            low, high = _spread("fvd") if metric == "fvd" else ("", "")
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
                "flow": row["flow"],
                "remark": row["remarks"],
            }
            mean, std = _paper_score(paper.get((table.task, row["method"]), {}), metric, columns)
            if mean:
                empty = dict.fromkeys(("low", "high", "rank", "difference", "se", "p", "p_holm", "flow", "remark"), "")
                names = {"task": table.task, "method": row["method"], "kind": "paper", "metric": metric}
                yield {**names, "mean": mean, "std": std, **empty}


def _spread(metric: str) -> tuple[str, ...]:
    return ("fvd_low", "fvd_high") if metric == "fvd" else (f"{metric}_std",)


def _number(row: Row, column: str) -> float | None:
    text = row.get(column, "")
    try:
        return float(text) if text else None
    except ValueError:
        raise InputError(f"{column} of {row['method']} is {text!r}, no number; tabulate again") from None


def _decimals(metric: Metric, value: float | None) -> int:
    decimals = metric.decimals
    if metric.name != "data_misfit" or not value or not math.isfinite(value):
        return decimals
    return max(decimals, SIGNIFICANT_DIGITS - 1 - math.floor(math.log10(abs(value))))


def _format(value: float | None, decimals: int) -> str:
    if value is None:
        return NOTHING
    if math.isnan(value):
        return UNDEFINED
    text = f"{value:.{decimals}f}" if decimals <= MOST_DECIMALS else f"{value:.1e}"
    return text.replace("-", "−")


def _plain_label(method: str) -> str:
    return " ".join(style.label(method).split())


def _name(row: Row) -> str:
    return f"{_plain_label(row['method'])}{ORACLE_MARK if is_oracle(row['flow']) else ''}"


def _all_of(table: TaskTable, column: str) -> str:
    return "/".join(dict.fromkeys(row[column] for row in table.rows))


def _by_text(table: TaskTable, column: str) -> dict[str, str]:
    """Return the texts of a column, each with the names of its rows: `all rows`, or their labels."""
    names: dict[str, list[str]] = {}
    for row in table.rows:
        if row[column]:
            names.setdefault(row[column], []).append(_plain_label(row["method"]))
    everyone = len(table.rows)
    return {text: "all rows" if len(of) == everyone else ", ".join(of) for text, of in names.items()}
