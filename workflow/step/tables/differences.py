"""How each method of a task differs from one of them, video by video."""

import math
from collections.abc import Mapping

from step.errors import InputError
from step.metrics.metric import Metric
from step.metrics.significance import smallest_p
from step.tables.document import NOTHING, Cell, Line, Part, label_cells
from step.tables.paper import task_label
from step.tables.task_table import (
    REFERENCES_HEADING,
    UNDEFINED,
    Row,
    TaskTable,
    all_of,
    decimals_of,
    format_value,
    name_of,
    number_of,
    oracle_note,
    plain_label,
    still_note,
)

SIGNIFICANCE = ((0.001, "***"), (0.01, "**"), (0.05, "*"))


def difference_part(table: TaskTable, paired_with: str) -> Part:
    """Return each method minus `paired_with`; raises `InputError` where the table was not paired with that."""
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
                [name_of(row), *(_difference(row, metric, columns[name]) for name, metric in table.paired.items())]
            )
            for row in others
        ]
    caption = (
        f"{task_label(table.task)}: each method minus {plain_label(paired_with)}, mean over "
        f"{all_of(table, 'videos')} videos ± standard error; paired sign-flip permutation test of the mean, two-sided"
    )
    notes = [
        "Holm-corrected over the methods within a metric: * p < 0.05, ** p < 0.01, *** p < 0.001.",
        _reach(int(table.rows[0]["videos"]), sum(row["method"] != paired_with for row in table.methods)),
        *oracle_note(table),
        f"{NOTHING}: not measured, the table above says why." if _has_gaps(table, columns) else "",
        *still_note(table, columns["difference_correlation"]),
    ]
    headers = [metric.heading for metric in table.paired.values()]
    return Part(caption, ("Methods", *headers), tuple(lines), tuple(filter(None, notes)))


def stars(p: float | None) -> str:
    """Return the mark of a corrected p: * below 0.05, ** below 0.01, *** below 0.001."""
    return next((mark for level, mark in SIGNIFICANCE if p is not None and p < level), "")


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
    return any(number_of(row, column) is None for row in table.rows for column in columns.values())


def _difference(row: Row, metric: Metric, column: str) -> str:
    value, error = number_of(row, column), number_of(row, f"{column}_se")
    if value is None:
        return NOTHING
    if math.isnan(value):
        return UNDEFINED
    decimals = decimals_of(metric, value)
    spread = f" ± {format_value(error, decimals)}" if error is not None and not math.isnan(error) else ""
    return f"{value:+.{decimals}f}{spread}{stars(number_of(row, f'{column}_p_holm'))}".replace("-", "−")
