"""The table of a task, its methods apart from references, and how its values are written."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from step.errors import InputError
from step.figures import style
from step.metrics.catalogue import AUTHORS, BY_NAME
from step.metrics.caveats import ORACLE_MARK, ORACLE_NOTE, STILL_NOTE, is_oracle
from step.metrics.metric import Metric
from step.tables.document import NOTHING

Row = Mapping[str, str]
"""One row of a task's table of metrics, as text."""

COLUMNS = tuple(
    BY_NAME[name]
    for name in ("psnr", "ssim", "lpips", "d_psnr", "d_ssim", "fvd", "data_misfit", "difference_correlation")
)
"""The paper's columns in the paper's order, and ours."""

MOST_DECIMALS = 6  # with more, a number is written as a power of ten
SIGNIFICANT_DIGITS = 3  # at least so many of a data misfit, whose size depends on the units of the data
REFERENCES_HEADING = "References, which are not ranked"
UNDEFINED = "undefined"


@dataclass(frozen=True)
class TaskTable:
    """The rows of one task, methods in the study's order apart from references."""

    task: str
    model: str  # of the measurement
    methods: tuple[Row, ...]
    references: tuple[Row, ...]
    own: tuple[Metric, ...] = ()  # metrics next to the library's

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
    needed = [name for metric in (*COLUMNS, *AUTHORS, *own) for name in (metric.name, *spread_columns(metric.name))]
    needed += ["method", "videos", "frames", "optical_flow", "lpips_weights", "fvd_weights", "remarks"]
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


def oracle_note(table: TaskTable) -> list[str]:
    """Return the note on methods that move noise by the truth's optical flow, if there is one."""
    return [f"{ORACLE_MARK} {ORACLE_NOTE}."] if any(is_oracle(row["optical_flow"]) for row in table.rows) else []


def still_note(table: TaskTable, column: str) -> list[str]:
    """Return the note on videos that stand still, if `column` is undefined in a row."""
    values = [number_of(row, column) for row in table.rows]
    return [f"{STILL_NOTE}."] if any(value is not None and math.isnan(value) for value in values) else []


def spread_columns(metric: str) -> tuple[str, ...]:
    """Return the columns of how far `metric` spreads."""
    return ("fvd_low", "fvd_high") if metric == "fvd" else (f"{metric}_std",)


def number_of(row: Row, column: str) -> float | None:
    """Return the number in a `column` of `row`, None in an empty cell; raises `InputError` for another text."""
    text = row.get(column, "")
    try:
        return float(text) if text else None
    except ValueError:
        raise InputError(f"{column} of {row['method']} is {text!r}, no number; tabulate again") from None


def decimals_of(metric: Metric, value: float | None) -> int:
    """Return with how many decimals `value` is written."""
    decimals = metric.decimals
    if metric.name != "data_misfit" or not value or not math.isfinite(value):
        return decimals
    return max(decimals, SIGNIFICANT_DIGITS - 1 - math.floor(math.log10(abs(value))))


def format_value(value: float | None, decimals: int) -> str:
    """Return `value` as text: with so many `decimals`, or where they are too many, as a power of ten."""
    if value is None:
        return NOTHING
    if math.isnan(value):
        return UNDEFINED
    text = f"{value:.{decimals}f}" if decimals <= MOST_DECIMALS else f"{value:.1e}"
    return text.replace("-", "−")


def score_text(row: Row, metric: Metric) -> str:
    """Return what `row` scores in `metric` as text, with its standard deviation, or with the interval of FVD."""
    value = number_of(row, metric.name)
    if value is None or math.isnan(value):
        return NOTHING if value is None else UNDEFINED
    decimals = decimals_of(metric, value)
    if metric.name == "fvd":
        low, high = (format_value(number_of(row, column), decimals) for column in spread_columns("fvd"))
        return f"{format_value(value, decimals)} [{low}, {high}]"
    std = number_of(row, f"{metric.name}_std")
    spread = f" ({format_value(std, decimals)})" if std is not None and not math.isnan(std) else ""
    return f"{format_value(value, decimals)}{spread}"


def plain_label(method: str) -> str:
    """Return the name of `method` in a line."""
    return " ".join(style.label(method).split())


def name_of(row: Row) -> str:
    """Return the name of a row's method, marked where it is an oracle."""
    return f"{plain_label(row['method'])}{ORACLE_MARK if is_oracle(row['optical_flow']) else ''}"


def all_of(table: TaskTable, column: str) -> str:
    """Return what the rows say in `column`, each text once."""
    return "/".join(dict.fromkeys(row[column] for row in table.rows))
