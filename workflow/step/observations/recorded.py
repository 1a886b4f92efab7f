"""Visibilities as a file records them, and which of its rows are measurements of the source."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from step.errors import InputError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recorded:
    """The rows of a file of visibilities, and what its header says."""

    place: np.ndarray  # (row,) int: its line in a table, its number from 1 in a uvfits file
    time_h: np.ndarray  # (row,) UTC of the day `mjd`
    one: np.ndarray  # (row,) code of the first station
    other: np.ndarray  # (row,) code of the second station
    uv: np.ndarray  # (row, 2) wavelengths, towards east and north
    value: np.ndarray  # (row,) complex, Jy
    sigma: np.ndarray  # (row,) standard deviation of real and imaginary part, Jy
    source: str
    mjd: int
    frequency_hz: float
    right_ascension_h: float | None  # None where files of this kind do not say it
    declination_deg: float | None
    sites: tuple[str, ...] = ()  # all stations in the order in which eht-imaging makes closures; () where none is said

    def __getitem__(self, rows: np.ndarray) -> "Recorded":
        """Return the record with some of its rows, a mask or their numbers."""
        columns = {name: column[rows] for name, column in vars(self).items() if isinstance(column, np.ndarray)}
        return replace(self, **columns)

    def __len__(self) -> int:
        return len(self.value)


def keep_measurements(recorded: Recorded, file: Path) -> Recorded:
    """Return the rows of two different stations that have a value; the log counts the others.

    A value that is not finite, or exactly 0, marks a measurement that is missing: so do files where it is flagged, and
    readers that put 0 for what is not finite. Raises `InputError`, which names the row, for a time or baseline that is
    not finite, and for a sigma that is not above 0: nobody flags with these, so they are mistakes; and where no row is
    left.
    """
    is_pair = recorded.one != recorded.other
    has_value = np.isfinite(recorded.value) & (recorded.value != 0)
    for dropped, what in (
        (~is_pair, "of one station with itself are"),
        (is_pair & ~has_value, "without a value (not finite, or exactly 0) are"),
    ):
        if dropped.any():
            log.info("%s: %d of %d visibilities %s left out", file, dropped.sum(), len(recorded), what)
    kept = recorded[is_pair & has_value]
    if not len(kept):
        raise InputError(f"{file} has no visibilities of two stations with a value; give another file")
    _check(kept, np.isfinite(kept.time_h) & np.isfinite(kept.uv).all(-1), "its time or baseline is not finite", file)
    _check(kept, np.isfinite(kept.sigma) & (kept.sigma > 0), "its sigma is not finite and above 0", file)
    return kept


def turn_to(first: np.ndarray, second: np.ndarray, recorded: Recorded) -> tuple[np.ndarray, Recorded]:
    """Return the pairs of station numbers (row, 2), the smaller one first, and the rows turned to that direction.

    `first` and `second` (row,) are the stations' numbers as the rows have them. The visibility of the opposite
    baseline is the complex conjugate, at the opposite `uv`.
    """
    turned = first > second
    pairs = np.stack([np.minimum(first, second), np.maximum(first, second)], axis=-1)
    one, other = (
        np.where(turned, recorded.other, recorded.one),
        np.where(turned, recorded.one, recorded.other),
    )
    value = np.where(turned, recorded.value.conj(), recorded.value)
    uv = np.where(turned[:, None], -recorded.uv, recorded.uv)
    return pairs, replace(recorded, one=one, other=other, uv=uv, value=value)


def _check(recorded: Recorded, is_right: np.ndarray, fault: str, file: Path) -> None:
    if not is_right.all():
        number = int(np.argmin(is_right))
        raise InputError(
            f"{file}, row {recorded.place[number]}, {recorded.one[number]}-{recorded.other[number]}: {fault}, as of "
            f"{np.count_nonzero(~is_right)} of {len(recorded)} visibilities; correct them, or take them out"
        )
