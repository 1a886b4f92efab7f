"""Central intervals of a number that posterior samples have, equally likely or not."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from step.errors import InputError
from step.particles import lineage_size

FEWEST = 1.5
"""Effective samples below which there is no interval: between one and two there is a spread, but not yet a scale."""

ORDER_STATISTICS = "order statistics"
STUDENT = "Student's t"


@dataclass(frozen=True)
class Interval:
    """Where a number lies with a probability; an angle may leave [-180, 180) at one end."""

    mean: float
    deviation: float  # unbiased standard deviation of the samples
    low: float
    high: float
    by: str  # `ORDER_STATISTICS` or `STUDENT`
    effective_samples: float  # Kish: 1 / sum of squared weights, those of one lineage together

    def holds(self, value: float, is_angle: bool = False) -> bool:
        """Return whether `value` is inside."""
        nearest = self.mean + float(wrap(value - self.mean)) if is_angle else value
        return self.low <= nearest <= self.high


def wrap(degrees: np.ndarray | float) -> np.ndarray:
    """Return `degrees` in [-180, 180)."""
    return np.mod(np.asarray(degrees) + 180, 360) - 180


def central_interval(
    values: np.ndarray,
    coverage: float,
    weights: np.ndarray | None = None,
    is_angle: bool = False,
    lineages: np.ndarray | None = None,
) -> Interval:
    """Return the interval that holds a further sample of the same distribution with the probability `coverage`.

    `values` (sample,) have the `weights` (sample,), None where they are alike. Where there are enough effective samples
    n it reaches between their order statistics at ``(1 -+ coverage) / 2 (n + 1)``, which assumes nothing of the
    distribution. Fewer do not reach so far: then it is Student's, ``mean +- t s sqrt(1 + 1/n)`` with n - 1 degrees of
    freedom, which is exact for a normal distribution. Angles, degree, are taken about the direction of their mean
    vector. Samples of one of the `lineages` (sample,) int are one piece of evidence; None where each is its own. Raises
    `InputError` for fewer than two effective samples.
    """
    weights = np.full(len(values), 1.0) if weights is None else np.asarray(weights, float)
    weights = weights / weights.sum()
    n = lineage_size(weights, lineages)
    if n < FEWEST:
        raise InputError(
            f"there are {n:.1f} effective samples; an interval needs two or more, take more with `samples`"
        )
    centre = 0.0
    if is_angle:
        centre = float(np.angle(weights @ np.exp(1j * np.deg2rad(values)), deg=True))
        values = wrap(values - centre)
    mean = float(weights @ values)
    deviation = float(np.sqrt(weights @ np.square(values - mean) * n / (n - 1)))
    below = (1 - coverage) / 2
    # The least and the largest of n stand at 1 / (n + 1) and n / (n + 1); rounding must not shift the border.
    if below * (n + 1) >= 1 - 1e-9:
        order = np.argsort(values)
        places = (np.cumsum(weights[order]) - weights[order] / 2) * n / (n + 1) + 1 / (2 * (n + 1))
        low, high = np.interp([below, 1 - below], places, values[order])
        by = ORDER_STATISTICS
    else:
        reach = float(stats.t.ppf(1 - below, n - 1)) * deviation * np.sqrt(1 + 1 / n)
        low, high, by = mean - reach, mean + reach, STUDENT
    return Interval(centre + mean, deviation, centre + float(low), centre + float(high), by, n)
