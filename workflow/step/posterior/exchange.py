"""What a calibrated posterior leads to expect: that truth and samples of a video can be exchanged unnoticed.

Given a measurement, the truth is one more sample from the exact posterior. So the `members` of a video, its truth and
its L samples, are exchangeable, and a statistic is as likely with any of them in the truth's place. Where each
video's truth is exchanged for a member at random, the statistic's values are its exact distribution under
calibration, for any number of videos and samples, and however dependent the pixels of one video are. Only the videos
are taken as independent. Tests that count pixels as independent, as a chi-square of pooled ranks does, reject every
posterior instead.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Statistic = Callable[[np.ndarray], np.ndarray]
"""From what the truths of all videos say, (resample, video, ...), to the statistic (resample, ...)."""


@dataclass(frozen=True)
class Resamples:
    """Random numbers that all statistics share."""

    videos: np.ndarray  # (resample, video) int: the videos of a bootstrap resample
    members: np.ndarray  # (resample, video) int: the member in the truth's place; 0 is the truth


@dataclass(frozen=True)
class Finding:
    """A statistic, and what a calibrated posterior leads to expect of it; arrays are of the statistic's shape."""

    value: np.ndarray
    low: np.ndarray  # bootstrap interval over videos
    high: np.ndarray
    expected: np.ndarray  # mean over exchanges
    expected_low: np.ndarray  # interval over exchanges
    expected_high: np.ndarray
    p_above: np.ndarray  # how often an exchange gives the value or a larger one
    p_below: np.ndarray  # or a smaller one

    @property
    def p(self) -> np.ndarray:
        """The two-sided p of calibration."""
        return np.minimum(1, 2 * np.minimum(self.p_above, self.p_below))


def resample(n_videos: int, n_members: int, n_resamples: int, seed: int) -> Resamples:
    """Return `n_resamples` bootstrap resamples of the videos, and as many exchanges of truths for members."""
    generator = np.random.default_rng(seed)
    return Resamples(
        videos=generator.integers(n_videos, size=(n_resamples, n_videos)),
        members=generator.integers(n_members, size=(n_resamples, n_videos)),
    )


def examine(by_member: np.ndarray, statistic: Statistic, resamples: Resamples, interval: float) -> Finding:
    """Return what `statistic` is, and what it is expected to be.

    `by_member` (video, member, ...) is what each member says in the truth's place; member 0 is the truth. `interval`
    is the coverage of both intervals, e.g. 0.95. The observed arrangement counts as one exchange more, so that no p
    is 0.
    """
    value = statistic(by_member[None, :, 0])[0]
    resampled = statistic(by_member[resamples.videos, 0])
    exchanged = statistic(by_member[np.arange(len(by_member)), resamples.members])
    quantiles = [(1 - interval) / 2, (1 + interval) / 2]
    low, high = np.quantile(resampled, quantiles, axis=0)
    expected_low, expected_high = np.quantile(exchanged, quantiles, axis=0)
    # Sums in another order differ by rounding; equal ones must count as equal.
    near = np.isclose(exchanged, value, rtol=1e-9, atol=0)
    return Finding(
        value=value,
        low=low,
        high=high,
        expected=exchanged.mean(axis=0),
        expected_low=expected_low,
        expected_high=expected_high,
        p_above=(1 + ((exchanged > value) | near).sum(axis=0)) / (1 + len(exchanged)),
        p_below=(1 + ((exchanged < value) | near).sum(axis=0)) / (1 + len(exchanged)),
    )


def smallest_p(n_videos: int, n_members: int, resamples: int) -> float:
    """Return about the smallest two-sided p that `examine` can give: where every truth is the most extreme member."""
    return min(1.0, 2 * max(1 / n_members**n_videos, 1 / (1 + resamples)))


def mean(by_truth: np.ndarray) -> np.ndarray:
    """Return the mean (resample, ...) over videos of `by_truth` (resample, video, ...)."""
    return by_truth.mean(axis=1)


def root_of_ratio(by_truth: np.ndarray) -> np.ndarray:
    """Return the root (resample, ...) of the ratio of sums over videos of `by_truth` (resample, video, 2, ...)."""
    above, below = np.moveaxis(by_truth.sum(axis=1), 1, 0)
    return np.sqrt(above / below)
