"""A random field in the flow's plane that turns with it, is sheared, and keeps renewing itself."""

import functools
import math

import numpy as np

from step.domains.blackhole.accretion.accretion_flow import AccretionFlow
from step.domains.blackhole.accretion.plane import Plane
from step.seeds import derive_seed

N_ORDERS = 8
"""Azimuthal orders 0 to 7; finer structure would be blurred away."""

N_WAVES = 16
"""Radial waves of each order; the sum of many is a Gaussian process in the logarithm of radius."""

N_RADII = 96
"""Radii at which a pattern is computed; pixels are interpolated between them."""

OVERLAP = 2
"""Patterns that appear within a lifetime; twice as many are seen at any time."""


class TurbulentField:
    """A Gaussian field of zero mean and unit variance over (ln radius, azimuth), at any time.

    Patterns appear at regular times, each with a texture of its own, turn with the local angular speed from then on,
    so that shear winds them up into trailing spirals, and fade. Their weights are arches of a sine whose squares
    sum to one, so the variance never changes. A pattern is a Fourier series in azimuth on a grid of radii.
    """

    def __init__(self, flow: AccretionFlow, plane: Plane):
        self._flow = flow
        self._log_radii = np.linspace(plane.log_radius.min(), plane.log_radius.max(), N_RADII)
        self._orders = np.arange(N_ORDERS)[:, None]
        self._turning = self._orders * flow.rotation.angular_speed(np.exp(self._log_radii))
        self._pattern = functools.lru_cache(maxsize=2 * OVERLAP)(self._sample_pattern)
        place = (plane.log_radius - self._log_radii[0]) / (self._log_radii[1] - self._log_radii[0])
        self._below = np.minimum(place.astype(int), N_RADII - 2)
        self._share_above = place - self._below
        self._waves = np.exp(1j * self._orders[..., None] * plane.azimuth_rad)

    def at(self, time_m: float) -> np.ndarray:
        """Return the field (y, x), the real part of ``sum_m C_m(radius) exp(i m azimuth)``."""
        field = np.zeros_like(self._share_above)
        for series, wave in zip(self._coefficients(time_m), self._waves, strict=True):
            here = series[self._below]
            here += self._share_above * (series[self._below + 1] - here)
            field += here.real * wave.real - here.imag * wave.imag
        return field

    def _coefficients(self, time_m: float) -> np.ndarray:
        """Return C (order, radius), the sum of all patterns that are seen."""
        lifetime = self._flow.turbulence.lifetime_m
        newest = math.floor(time_m * OVERLAP / lifetime)
        total = np.zeros((N_ORDERS, N_RADII), complex)
        for number in range(newest - 2 * OVERLAP + 1, newest + 1):
            age = time_m - number * lifetime / OVERLAP
            weight = math.sin(math.pi / 2 * age / lifetime) / math.sqrt(OVERLAP)
            total += weight * np.exp(-1j * age * self._turning) * self._pattern(number)
        return total

    def _sample_pattern(self, number: int) -> np.ndarray:
        """Return the coefficients (order, radius) of the pattern that is `number` in the order of appearance."""
        settings = self._flow.turbulence
        generator = np.random.default_rng(derive_seed(self._flow.seed, "turbulence", number))
        shape = (N_ORDERS, N_WAVES, 1)
        amplitudes = generator.normal(size=shape) + 1j * generator.normal(size=shape)
        waves = generator.normal(0, 1 / settings.radial_scale, shape)
        power = np.maximum(self._orders, 2.0) ** -settings.slope
        # Order 0 does not move; it gives the light curve its part of the variability.
        power[0] *= 1.5
        radial = (amplitudes * np.exp(1j * waves * self._log_radii)).sum(1) / math.sqrt(N_WAVES)
        return np.sqrt(power / power.sum()) * radial
