"""Tables as CSV: a list of rows, each a mapping from column to value."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from step.errors import InputError
from step.io.atomic import whole_file


def write_table(path: Path, rows: Sequence[Mapping[str, object]], columns: Sequence[str] = ()) -> None:
    """Write `rows` to `path`, whole or not at all; numbers are written so that reading gives them back exactly.

    The columns are `columns`, or those of the first row: give them where there may be no row.
    """
    with whole_file(path) as part, part.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns or (list(rows[0]) if rows else []))
        writer.writeheader()
        writer.writerows(rows)


def read_table(path: Path) -> list[dict[str, str]]:
    """Return the rows of `path`, all values as text."""
    if not path.is_file():
        raise InputError(f"no table {path}; has the stage that writes it run?")
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
