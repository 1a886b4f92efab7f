"""The rows of a table of settings next to the paper's, for Tables 2 and 3."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from step.errors import InputError
from step.tables.document import NOTHING, Cell, Line
from step.tables.paper import IN_THE_PAPER

PaperSettings = Mapping[tuple[str, str], str]
"""The paper's values by domain and row."""


@dataclass(frozen=True)
class Setting:
    """A row of a table of settings: its key in the paper's table, its name, and the heading above it, if any."""

    key: str
    label: str
    heading: str = ""


def setting_columns(names: Mapping[str, str]) -> tuple[str, ...]:
    """Return the headers: each of `names` and, next to it, the same in the paper."""
    return ("", *(column for name in names.values() for column in (name, f"{name}, {IN_THE_PAPER}")))


def setting_lines(
    settings: Sequence[Setting],
    values: Mapping[str, Mapping[str, str]],
    domains: Mapping[str, str],
    paper: PaperSettings,
) -> tuple[Line, ...]:
    """Return a line for each of `settings`: the `values` of each column by key, and the paper's of its domain."""
    lines: list[Line] = []
    for setting in settings:
        if setting.heading:
            lines.append((Cell(setting.heading),))
        cells = [Cell(setting.label)]
        for column, of_column in values.items():
            cells.append(Cell(of_column.get(setting.key, NOTHING)))
            cells.append(Cell(paper.get((domains[column], setting.key), NOTHING), "paper"))
        lines.append(tuple(cells))
    return tuple(lines)


def tidy_settings(
    settings: Sequence[Setting],
    values: Mapping[str, Mapping[str, str]],
    domains: Mapping[str, str],
    paper: PaperSettings,
    method: str,
) -> list[dict[str, str]]:
    """Return the same values, one row for each column and setting."""
    return [
        tidy_row(
            column, method, setting.key, of_column.get(setting.key, ""), paper.get((domains[column], setting.key), "")
        )
        for column, of_column in values.items()
        for setting in settings
    ]


def tidy_row(column: str, method: str, key: str, ours: str, theirs: str) -> dict[str, str]:
    """Return one row: a value of ours and of the paper's, '' where there is none."""
    return {"column": column, "method": method, "row": key, "ours": ours, "paper": theirs}


def short_text(value: float) -> str:
    """Return `value` with six digits at most."""
    return f"{value:.6g}"


def number_in(row: Mapping[str, str], column: str, source: str) -> float:
    """Return the number in a `column` of `row`; raises `InputError`, naming `source`, where it is none."""
    try:
        return float(row[column])
    except ValueError:
        raise InputError(f"{column} in {source} is {row[column]!r}, no number; run the stage that writes it") from None
