"""A recalibration of spreads: factors that validation videos call for, by which intervals and spreads are multiplied.

It changes no sample and no mean. A factor is the error over the spread of videos whose truth is known, of which no one
is a test video: what the samples say of how far off they are is multiplied by how far off they were. So it answers to
the videos that it was found on, not to a model: it is no posterior, and it is named wherever it was applied.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from step.config.calibration import ProperFraction
from step.config.sections import Section
from step.config.study import Config
from step.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from step.posterior.intervals import Interval

log = logging.getLogger(__name__)

PIXEL = "pixel"
"""What the factor of the pixels' spread is called, next to those of quantities."""

COLUMNS = ("quantity", "factor", "low", "high", "interval", "videos", "samples")


class RecalibrationSettings(Section):
    """How likely the interval of a factor is to hold it."""

    interval: ProperFraction


def recalibration_settings(config: Config) -> RecalibrationSettings:
    """Return the part of `config` that the factors' intervals depend on."""
    return RecalibrationSettings(interval=config.calibration.interval)


@dataclass(frozen=True)
class Factor:
    """What the spread of one quantity is to be multiplied by."""

    quantity: str  # or `PIXEL`
    factor: float  # error over spread of the validation videos
    low: float  # interval: of pixels by bootstrap over videos, of quantities by chi-square with one error a video
    high: float
    interval: float  # its coverage
    videos: int
    samples: int  # of each video


def find_factors(
    calibration: Sequence[Mapping[str, str]], quantities: Sequence[Mapping[str, str]], settings: RecalibrationSettings
) -> list[Factor]:
    """Return the factor of the pixels' spread, then those of the quantities, from the tables of validation videos.

    `calibration` are the rows of the table of calibration, `quantities` those of quantities with their truths. The
    square of a factor is the mean squared error over the mean squared spread, ``deviation^2 (1 + 1/L)`` of L effective
    samples. Quantities without a spread have none. Raises `InputError` where there are no such rows.
    """
    pixels = [row for row in calibration if row.get("statistic") == "error_over_spread"]
    if not pixels:
        raise InputError("the table of calibration has no error_over_spread; calibrate the validation videos again")
    values = {name: float(pixels[0][name]) for name in ("value", "low", "high", "interval")}
    counts = {name: int(pixels[0][name]) for name in ("videos", "samples")}
    factors = [Factor(PIXEL, values["value"], values["low"], values["high"], values["interval"], **counts)]
    for name in dict.fromkeys(row["quantity"] for row in quantities):
        rows = [row for row in quantities if row["quantity"] == name and row["truth"] and row["deviation"]]
        found = _factor_of(name, rows, settings)
        if found is not None:
            factors.append(found)
    for one in factors:
        log.info(
            "%s: error over spread %.2f (%.2f to %.2f) on %d validation videos",
            *(one.quantity, one.factor, one.low, one.high, one.videos),
        )
    return factors


def _factor_of(name: str, rows: Sequence[Mapping[str, str]], settings: RecalibrationSettings) -> Factor | None:
    """Return the factor of the quantity `name`, of which `rows` are; None where they have no spread."""
    import numpy as np
    from scipy import stats

    from step.posterior.intervals import wrap

    videos = list(dict.fromkeys(row["video"] for row in rows))
    errors, spreads = np.zeros(len(videos)), np.zeros(len(videos))
    for row in rows:
        error, place = float(row["mean"]) - float(row["truth"]), videos.index(row["video"])
        errors[place] += (float(wrap(error)) if row["unit"] == "deg" else error) ** 2
        spreads[place] += float(row["deviation"]) ** 2 * (1 + 1 / float(row["effective_samples"]))
    if not (len(videos) and np.isfinite(spreads).all() and spreads.sum() > 0):
        return None
    # A bootstrap of few videos would be far too narrow: three may be right by chance.
    below, n = (1 - settings.interval) / 2, len(videos)
    factor = float(np.sqrt(errors.sum() / spreads.sum()))
    low, high = (factor * float(np.sqrt(n / stats.chi2.ppf(level, n))) for level in (1 - below, below))
    return Factor(name, factor, low, high, settings.interval, n, int(rows[0]["samples"]))


def read_factors(path: Path) -> dict[str, float]:
    """Return the factors in the table `path` by quantity; raises `InputError` for another table, or none above 0."""
    from step.io.tables import read_table

    rows = read_table(path)
    missing = [name for name in COLUMNS if not rows or name not in rows[0]]
    if missing:
        raise InputError(f"{path} has no column {missing[0]}; give the table of the stage recalibrate")
    factors = {row["quantity"]: float(row["factor"]) for row in rows}
    wrong = [name for name, factor in factors.items() if not 0 < factor < float("inf")]
    if wrong:
        raise InputError(
            f"{path}: the factor of {wrong[0]} is {factors[wrong[0]]:g}, not above 0; take more validation videos"
        )
    return factors


def stretch(samples: "np.ndarray", factor: float, mean: "np.ndarray") -> "np.ndarray":
    """Return `samples` (sample, ...) with `factor` times their distance from their `mean` (...), in their own type."""
    stretched: np.ndarray = (mean + factor * (samples - mean)).astype(samples.dtype)
    return stretched


def stretch_interval(interval: "Interval", factor: float) -> "Interval":
    """Return the `interval` with `factor` times its reach from the mean, on either side, and times its deviation."""
    reach = [factor * (end - interval.mean) for end in (interval.low, interval.high)]
    return replace(
        interval,
        deviation=factor * interval.deviation,
        low=interval.mean + reach[0],
        high=interval.mean + reach[1],
    )
