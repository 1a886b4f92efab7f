"""How fast, and which way, a pattern turns along a ring."""

import numpy as np

LONGEST_LAG = 0.2
"""Part of a video over which a pattern is followed; turbulence lives little longer than its pattern stays alike."""

N_RATES = 121
N_ORDERS = 8
"""Azimuthal orders that are followed, 1 on; finer structure is below what a ring's width resolves."""


def pattern_rotation(azimuth_time: np.ndarray) -> float:
    """Return the rate, degree per frame, at which the pattern of `azimuth_time` (time, azimuth) turns.

    Positive is towards growing azimuth. It is where `rotation_spectrum` is largest, refined by a parabola; 0 where
    nothing moves.
    """
    rates, spectrum = rates_deg(len(azimuth_time)), rotation_spectrum(azimuth_time)
    if not spectrum.any():
        return 0.0
    peak = int(np.clip(spectrum.argmax(), 1, N_RATES - 2))
    before, at, after = spectrum[peak - 1 : peak + 2]
    curvature = before - 2 * at + after
    offset = 0.5 * (before - after) / curvature if curvature < 0 else 0.0
    return float(rates[peak] + np.clip(offset, -1, 1) * (rates[1] - rates[0]))


def rotation_spectrum(azimuth_time: np.ndarray) -> np.ndarray:
    """Return how much of a pattern turns at each of `rates_deg`, (rate,); 1 is all of it.

    `azimuth_time` is the brightness (time, azimuth) along a ring. What stands still (the mean over time) and what
    brightens everywhere (the mean over azimuths) are no pattern and are left out of q in
    ``S(rate) = mean over lags l of the correlation of q(t, phi) with q(t + l, phi + l rate)``.
    """
    pattern = azimuth_time - azimuth_time.mean(axis=0)
    orders = np.fft.fft(pattern, axis=1)[:, 1 : N_ORDERS + 1]
    power = (np.abs(orders) ** 2).sum(axis=1)
    m = np.arange(1, orders.shape[1] + 1)
    spectra = np.zeros((_longest_lag(len(pattern)), N_RATES))
    for lag, spectrum in enumerate(spectra, start=1):
        norm = np.sqrt(power[lag:].sum() * power[:-lag].sum())
        if norm > 0:
            cross = (orders[lag:] * orders[:-lag].conj()).sum(axis=0)
            # A pattern that turns by a moves the phase of its order m by -m a.
            turned_back = np.exp(1j * np.deg2rad(np.outer(rates_deg(len(pattern)), m * lag)))
            spectrum[:] = (cross * turned_back).real.sum(axis=1) / norm
    return spectra.mean(axis=0)


def rates_deg(n_frames: int) -> np.ndarray:
    """Return the rates (rate,) that are tried, degree per frame: up to half a turn within the longest lag."""
    fastest = 180 / _longest_lag(n_frames)
    return np.linspace(-fastest, fastest, N_RATES)


def _longest_lag(n_frames: int) -> int:
    return max(1, int(LONGEST_LAG * n_frames))
