"""The stations of a radio interferometer, from a table."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from step.errors import InputError


@dataclass(frozen=True)
class Station:
    """One station: where it stands, how sensitive it is, and how it errs."""

    station: str  # short code, e.g. AA
    name: str
    x_m: float  # geocentric position
    y_m: float
    z_m: float
    sefd_r_jy: float  # system equivalent flux density of the right-hand feed
    sefd_l_jy: float
    feed_parallactic: float  # the feed turns with parallactic angle, elevation and an offset, times these
    feed_elevation: float
    feed_offset_deg: float
    gain_offset: float  # fractional standard deviation of the gain: of its mean
    gain_scatter: float  # and from frame to frame
    leakage: float  # standard deviation of the real and the imaginary part of the D-terms


def read_array(path: Path) -> tuple[Station, ...]:
    """Return the stations of the table `path` (.csv), or of an array file of eht-imaging (.txt), in their order.

    An array file states no errors of gain: they are 0, and the leakage is the mean size of its D-terms' parts. Raises
    `InputError` where it is missing, lacks a column, has a text for a number, or names a station twice.
    """
    if not path.is_file():
        raise InputError(f"no table of stations {path}; give one with the task's measurement.array")
    rows = _rows_of_array_file(path) if path.suffix.lower() == ".txt" else _rows_of_table(path)
    names = [field.name for field in fields(Station)]
    missing = [name for name in names if not rows or name not in rows[0]]
    if missing:
        raise InputError(f"{path} has no column {missing[0]}; a table of stations has {', '.join(names)}")
    stations = tuple(_station(row, names, path) for row in rows)
    codes = [station.station for station in stations]
    twice = [code for code in codes if codes.count(code) > 1]
    if twice:
        raise InputError(f"{path} has the station {twice[0]} twice; name each once")
    return stations


def _rows_of_table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _rows_of_array_file(path: Path) -> list[dict[str, str]]:
    """Return the stations of an array file of eht-imaging as rows of a table; it has 5 or 13 columns, or a header.

    They are site, x, y, z and SEFD, or site, x, y, z, SEFD of R and L, factors of parallactic angle and elevation and
    offset of the feed, and real and imaginary parts of the D-terms of R and L.
    """
    lines = [line.split("#")[0].split() for line in path.read_text().splitlines()]
    cells = [line for line in lines if line and line[0].lower() != "site"]
    wrong = [line for line in cells if len(line) not in (5, 13)]
    if wrong or not cells:
        raise InputError(
            f"{path}, station {wrong[0][0] if wrong else 'none'}: an array file of eht-imaging has 5 or 13 columns "
            f"and a station at least, not {len(wrong[0]) if wrong else 0}; correct it"
        )
    return [_row_of_array_file(line, path) for line in cells]


def _row_of_array_file(cells: list[str], path: Path) -> dict[str, str]:
    site, *position = cells[:4]
    sefd_r, sefd_l, *feed = cells[4:9] if len(cells) == 13 else [cells[4], cells[4], "0", "0", "0"]
    try:
        leakage = math.sqrt(sum(float(part) ** 2 for part in cells[9:]) / 4)
    except ValueError as error:
        raise InputError(f"{path}, station {site}: {error}; give a number") from None
    values = [site, site, *position, sefd_r, sefd_l, *feed, "0", "0", str(leakage)]
    return dict(zip((field.name for field in fields(Station)), values, strict=True))


def by_sensitivity(stations: Sequence[Station]) -> list[int]:
    """Return the numbers of `stations`, the most sensitive first: the order in which eht-imaging makes closure sets.

    That is by ``sqrt(SEFD_r^2 + SEFD_l^2)``, and by their place in the table where it is the same.
    """
    return sorted(range(len(stations)), key=lambda n: math.hypot(stations[n].sefd_r_jy, stations[n].sefd_l_jy))


def _station(row: dict[str, str], names: list[str], path: Path) -> Station:
    try:
        numbers = {name: float(row[name]) for name in names if name not in ("station", "name")}
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}, station {row['station']}: {error}; give a number") from None
    if not (numbers["sefd_r_jy"] > 0 and numbers["sefd_l_jy"] > 0):
        raise InputError(f"{path}, station {row['station']}: a SEFD is not above 0; its noise would be unknown")
    return Station(row["station"], row["name"], **numbers)
