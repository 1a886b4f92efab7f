"""Whether one method is better than another, video by video, and in how many comparisons at once."""

from collections.abc import Mapping

import numpy as np

EXACT_UP_TO = 16
"""Up to so many videos all ``2^n`` signs are tried; beyond, `RESAMPLES` are taken, which then are fewer."""

RESAMPLES = 2**EXACT_UP_TO
TOLERANCE = 1e-9  # relative: sums that are equal but for rounding count as equal


def sign_flip_p(differences: np.ndarray, seed: int) -> float | None:
    """Return the two-sided p of the paired sign-flip permutation test of the mean of `differences` (video,).

    If two methods are alike, each difference is as likely with the other sign, and nothing else is assumed: not
    normal differences, as the t-test does, nor equal weight for large and small ones, as Wilcoxon's test does,
    whose quantity is not the mean that the tables print. p is the share of signs whose mean is at least as far
    from 0 as the observed one; where the signs are sampled, the observed ones count as one sample more, so that p is
    never 0. None for fewer than two videos, and where a difference is nan.
    """
    n = len(differences)
    if n < 2 or np.isnan(differences).any():
        return None
    observed = abs(differences.sum()) * (1 - TOLERANCE)
    reached = np.abs(_signs(n, seed) @ differences) >= observed
    added = 0 if n <= EXACT_UP_TO else 1
    return float((reached.sum() + added) / (len(reached) + added))


def smallest_p(n: int) -> float:
    """Return the smallest p that `sign_flip_p` can give for `n` videos: all signs alike, or all turned."""
    return 2 / 2**n if n <= EXACT_UP_TO else 1 / (RESAMPLES + 1)


def holm(p_values: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return `p_values` corrected for their number (Holm 1979), by the same names; None is no comparison.

    The k-th smallest of m is multiplied by ``m - k + 1``, is at least its predecessor and at most 1.
    """
    corrected: dict[str, float | None] = dict.fromkeys(p_values)
    compared = {name: p for name, p in p_values.items() if p is not None}
    largest = 0.0
    for number, name in enumerate(sorted(compared, key=compared.__getitem__)):
        largest = max(largest, min(1.0, (len(compared) - number) * compared[name]))
        corrected[name] = largest
    return corrected


def _signs(n: int, seed: int) -> np.ndarray:
    """Return rows of signs (row, n): all of them, or `RESAMPLES` random ones."""
    if n <= EXACT_UP_TO:
        bits = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    else:
        bits = np.random.default_rng(seed).integers(2, size=(RESAMPLES, n))
    return 1.0 - 2.0 * bits
