"""Tables of visibilities as data releases of the Event Horizon Telescope have them."""

import csv
import logging
import re
from pathlib import Path

import numpy as np

from step.errors import InputError
from step.observations.recorded import Recorded

log = logging.getLogger(__name__)

COLUMNS = ("time(UTC)", "T1", "T2", "U(lambda)", "V(lambda)", "Iamp(Jy)", "Iphase(d)", "Isigma(Jy)")
STATIONS = (1, 2)
NUMBERS = (0, 3, 4, 5, 6, 7)

HEADER = re.compile(
    r"#\s*SRC:\s*(?P<source>.*?)[,\s]\s*DATE\(MJD\):\s*(?P<mjd>[^,\s]+)[,\s]\s*"
    r"FREQ:\s*(?P<frequency>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(?P<unit>[^,\s]*)[,\s]*"
)

HZ = {"hz": 1.0, "khz": 1e3, "mhz": 1e6, "ghz": 1e9, "thz": 1e12}


def read_visibility_table(file: Path) -> Recorded:
    """Return the rows of the table `file`: separated by commas (`.csv`), or by spaces (`.txt`).

    Empty lines and lines that begin with ``#`` are passed over. The text is UTF-8, or what is not is read as Latin-1,
    which concerns the source's name alone. Tables have no coordinates. Raises `InputError` where the file is no such
    table, a row lacks a value or has a text for a number, or there is no row.
    """
    lines = [
        (number, line.strip())
        for number, line in enumerate(re.split(r"\r\n|\r|\n", _read_text(file)), 1)
        if line.strip()
    ]
    header = HEADER.fullmatch(lines[0][1]) if lines else None
    if not header or len(lines) < 2 or tuple(_cells(lines[1][1].removeprefix("#"))) != COLUMNS:
        raise InputError(
            f"{file} does not begin as a table of the EHT does, `#SRC:...,DATE(MJD):...,FREQ:...GHz` and "
            f"`#{','.join(COLUMNS)}`; convert it to that or to uvfits"
        )
    rows = [(number, _cells(line)) for number, line in lines[2:] if not line.startswith("#")]
    if not rows:
        raise InputError(f"{file} has no visibilities; give another file")
    time_h, u, v, amplitude, phase_deg, sigma = np.array([_numbers(cells, n, file) for n, cells in rows]).T
    with np.errstate(invalid="ignore"):  # what is not finite stays so, and is for others to judge
        value = amplitude * np.exp(1j * np.deg2rad(phase_deg))
    one, other = (np.array([cells[column] for _, cells in rows]) for column in STATIONS)
    return Recorded(
        place=np.array([number for number, _ in rows]),
        time_h=time_h,
        one=one,
        other=other,
        uv=np.stack([u, v], axis=-1),
        value=value,
        sigma=sigma,
        source=header["source"].strip(),
        mjd=_whole_day(header["mjd"], file),
        frequency_hz=_frequency_hz(header["frequency"], header["unit"], file),
        right_ascension_h=None,
        declination_deg=None,
    )


def _read_text(file: Path) -> str:
    content = file.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        log.info("%s is not UTF-8 and read as Latin-1", file)
        return content.decode("latin-1")


def _cells(line: str) -> list[str]:
    cells = next(csv.reader([line])) if "," in line else line.split()
    return [cell.strip() for cell in cells]


def _numbers(cells: list[str], number: int, file: Path) -> list[float]:
    fault = f"it has {len(cells)}"
    if len(cells) == len(COLUMNS):
        try:
            return [float(cells[column]) for column in NUMBERS]
        except ValueError as error:
            fault = str(error)
    raise InputError(f"{file}, line {number}: {fault}; every row has {len(COLUMNS)} values, numbers but T1, T2")


def _whole_day(text: str, file: Path) -> int:
    try:
        mjd = float(text)
    except ValueError:
        mjd = float("nan")
    if not (mjd > 0 and mjd.is_integer()):
        raise InputError(
            f"{file} has DATE(MJD):{text}; give the day as a whole number, whose hours the column time(UTC) counts"
        )
    return int(mjd)


def _frequency_hz(number: str, unit: str, file: Path) -> float:
    frequency_hz = float(number) * HZ.get(unit.lower(), np.nan)
    if not (np.isfinite(frequency_hz) and frequency_hz > 0):
        raise InputError(f"{file} has FREQ:{number}{unit}; give a number above 0 with Hz, kHz, MHz, GHz or THz")
    return frequency_hz
