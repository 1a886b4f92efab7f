"""Errors of phases and amplitudes that hold at any signal-to-noise ratio, as far as that is known.

To first order the phase and the logarithm of the amplitude of ``V = A + n`` have the variance ``(sigma / |V|)^2``. Near
a ratio ``s = A / sigma`` of 1 that fails threefold: the logarithm is biased, both have other variances, and ``|V|`` is
itself a bad estimate of A, which errs as the phase and the amplitude do. Here the moments are those of the Rice
distribution at s, averaged over what all visibilities of a baseline within a window of time say of A; the mean over
the window errs independently of each of them, nearly.
"""

from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import numpy as np
import torch

from step.physics.visibilities import Visibilities

GRID = np.linspace(0.02, 8, 200)
"""The signal-to-noise ratios over which low ones are averaged."""

HIGH = 5.0
"""Above this ratio each visibility's own is taken: first order holds to some percent, and sources vary."""

FINE = 20001
"""Points of the integrals over Rice's distribution, which ends where `REACH` errors above s are passed."""

REACH = 12.0

Values = TypeVar("Values", np.ndarray, torch.Tensor)


@dataclass(frozen=True)
class Moments:
    """What is known of each visibility's phase and log amplitude beyond their values."""

    log_bias: np.ndarray  # (row,) mean of log |V| - log A
    log_variance: np.ndarray  # (row,) variance of log |V|
    coherence: np.ndarray  # (row, 2) mean of cos(n times the phase's error), n = 1, 2
    is_first_order: bool

    def __getitem__(self, rows: np.ndarray) -> "Moments":
        """Return the moments of some rows."""
        return Moments(self.log_bias[rows], self.log_variance[rows], self.coherence[rows], self.is_first_order)


def first_order(visibilities: Visibilities) -> Moments:
    """Return the moments that each visibility's own ratio gives to first order; no bias."""
    variance = relative_variance(visibilities.value, visibilities.sigma)
    return Moments(np.zeros(len(variance)), variance, np.exp(-variance[:, None] / 2 * np.array([1, 4])), True)


def relative_variance(value: Values, sigma: Values) -> Values:
    """Return ``(sigma / |V|)^2``, the variance of phase (rad^2) and log amplitude; 0 for a visibility of 0, unused."""
    amplitude = abs(value)
    return (sigma / (amplitude + (amplitude == 0))) ** 2 * (amplitude != 0)


def moments(visibilities: Visibilities, window_s: float) -> Moments:
    """Return the moments of Rice's distribution, with amplitudes estimated within `window_s` seconds.

    What the window says of ``s^2`` is a normal distribution; s is positive, and equally likely a priori.
    """
    squared, variance = _squared_ratio(visibilities, window_s)
    log_chance = -((GRID**2 - squared[:, None]) ** 2) / (2 * variance[:, None])
    chance = np.exp(log_chance - log_chance.max(axis=1, keepdims=True))
    chance /= chance.sum(axis=1, keepdims=True)
    own = np.sqrt(np.maximum((np.abs(visibilities.value) / visibilities.sigma) ** 2 - 1, 1))
    is_high = squared > HIGH**2
    biases, variances = log_bias(GRID), log_variance(GRID)
    mean_bias = chance @ biases
    spread = chance @ (variances + biases**2) - mean_bias**2
    low_coherence, high_coherence = chance @ coherence(GRID), coherence(own)
    return Moments(
        log_bias=np.where(is_high, log_bias(own), mean_bias),
        log_variance=np.where(is_high, log_variance(own), spread),
        coherence=np.where(is_high[:, None], high_coherence, low_coherence),
        is_first_order=False,
    )


def log_bias(ratio: np.ndarray) -> np.ndarray:
    """Return the mean of ``log |V| - log A`` at ratios s above 0: ``E1(s^2 / 2) / 2``."""
    from scipy.special import exp1

    return exp1(np.square(ratio) / 2) / 2


def log_variance(ratio: np.ndarray) -> np.ndarray:
    """Return the variance of ``log |V|`` at ratios s above 0: ``pi^2 / 24`` for a small, ``1 / s^2`` for a large s."""
    known, values = _log_variances()
    return np.where(ratio < known[-1], np.interp(ratio, known, values), 1 / np.square(ratio))


def coherence(ratio: np.ndarray) -> np.ndarray:
    """Return the means (..., 2) of ``cos(phi)`` and ``cos(2 phi)``, phi the phase's error, at ratios s above 0."""
    from scipy.special import ive

    quarter, half = np.square(ratio) / 4, np.square(ratio) / 2
    once = np.sqrt(np.pi / 8) * ratio * (ive(0, quarter) + ive(1, quarter))
    return np.stack([once, 1 + np.expm1(-half) / half], axis=-1)


@cache
def _log_variances() -> tuple[np.ndarray, np.ndarray]:
    """Return ratios s, and the variance of ``log |V|`` at each by an integral over Rice's distribution."""
    from scipy.special import ive

    ratios, values = np.linspace(0, 30, 601), np.empty(601)
    for number, ratio in enumerate(ratios):
        amplitude = np.linspace(0, ratio + REACH, FINE)[1:]
        density = amplitude * np.exp(-((amplitude - ratio) ** 2) / 2) * ive(0, amplitude * ratio)
        density /= density.sum()
        logarithm = np.log(amplitude)
        values[number] = density @ (logarithm - density @ logarithm) ** 2
    return ratios, values


def _squared_ratio(visibilities: Visibilities, window_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Return what the window says of each row's ``s^2``, and the variance of that, both (row,).

    ``|V|^2 - 2 sigma^2`` has the mean ``A^2`` and the variance ``4 sigma^2 A^2 + 4 sigma^4``; rows weigh by the inverse
    of the latter's last term.
    """
    noise = np.square(visibilities.sigma)
    own = np.square(np.abs(visibilities.value)) - 2 * noise
    squared, variance = np.empty(len(noise)), np.empty(len(noise))
    _, pairs = np.unique(visibilities.stations, axis=0, return_inverse=True)
    pairs = pairs.ravel()
    for pair in range(pairs.max() + 1):
        rows = np.flatnonzero(pairs == pair)
        times_s = 3600 * visibilities.time_h[rows]
        weight = (np.abs(times_s[:, None] - times_s) <= window_s / 2) / np.square(noise[rows])
        weight /= weight.sum(axis=1, keepdims=True)
        mean = weight @ own[rows]
        of_rows = 4 * noise[rows] * (np.maximum(mean, 0)[:, None] + noise[rows])
        squared[rows] = mean / noise[rows]
        variance[rows] = (np.square(weight) * of_rows).sum(axis=1) / np.square(noise[rows])
    return squared, variance
