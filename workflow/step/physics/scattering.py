"""What interstellar scattering leaves of visibilities: the ensemble average of Johnson et al. (2018, ApJ 865, 104).

A thin screen between source and observer shifts the phases of the light; its phase structure function D(r) multiplies a
visibility, averaged over realisations of the screen, by ``exp(-D(b / (1 + M)) / 2)``, b the baseline and M the distance
of the screen over that from screen to source. Below the inner scale of the turbulence D is quadratic, which is a
Gaussian as wide as the square of the wavelength; above it D grows as ``r^alpha``, and the kernel falls more slowly.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from step.config.tasks import Scattering
from step.units import C_M_PER_S, RAD_PER_UAS

REFERENCE_M = 0.01
"""The wavelength that the settings' widths are given at."""

GAUSSIAN = math.sqrt(2 * math.log(2)) / math.pi
"""A Gaussian of full width theta at half maximum has visibilities ``exp(-(theta u / GAUSSIAN)^2 / 2)``."""


@dataclass(frozen=True)
class Axis:
    """The structure function along one axis of the screen, at the reference wavelength."""

    inner: float  # A: D = A (r / r_in)^2 far below the inner scale
    outer: float  # B: D = B (r / r_in)^alpha far above it

    def structure(self, r: np.ndarray, alpha: float) -> np.ndarray:
        """Return D at distances `r` in units of the inner scale, going over from A to B (their Eq. 11)."""
        ratio = 2 * self.inner / (alpha * self.outer)
        bend = (1 + ratio ** (2 / (2 - alpha)) * r**2) ** (alpha / 2) - 1
        return self.outer * ratio ** (-alpha / (2 - alpha)) * bend


def ensemble_kernel(settings: Scattering, uv: np.ndarray, frequency_hz: float) -> np.ndarray:
    """Return what the screen multiplies visibilities at `uv` by (...), real, from 0 to 1.

    `uv` (..., 2) are baselines in wavelengths at `frequency_hz`, towards east and north.
    """
    wavelength_m = C_M_PER_S / frequency_hz
    magnification = settings.observer_screen_kpc / settings.screen_source_kpc
    on_screen_m = np.hypot(uv[..., 0], uv[..., 1]) * wavelength_m / (1 + magnification)
    r = on_screen_m / (1e3 * settings.inner_scale_km)
    major, minor = (axis.structure(r, settings.alpha) for axis in _axes(settings))
    from_major = np.arctan2(uv[..., 0], uv[..., 1]) - np.deg2rad(settings.position_angle_deg)
    structure = (major + minor) / 2 + (major - minor) / 2 * np.cos(2 * from_major)
    return np.exp(-((wavelength_m / REFERENCE_M) ** 2) * structure / 2)


@cache
def _axes(settings: Scattering) -> tuple[Axis, Axis]:
    """Return the structure functions along the major and the minor axis of the dipole model.

    The directions in which the magnetic field wanders have the density ``(1 + k sin^2 phi)^(-(alpha + 2) / 2)``, phi
    from the major axis, with k such that the quadratic parts have the ratio of the squared widths.
    """
    from scipy.integrate import quad
    from scipy.optimize import brentq

    alpha = settings.alpha
    inner_m = 1e3 * settings.inner_scale_km
    magnification = settings.observer_screen_kpc / settings.screen_source_kpc
    reach = inner_m * (1 + magnification) / (GAUSSIAN * REFERENCE_M)
    quadratic = [(reach * mas * 1e3 * RAD_PER_UAS) ** 2 for mas in (settings.major_mas, settings.minor_mas)]

    def mean(weight: Callable[[float], float], k: float) -> float:
        """Return the mean of `weight` over the directions."""

        def density(phi: float) -> float:
            return (1 + k * math.sin(phi) ** 2) ** (-(alpha + 2) / 2)

        weighted = quad(lambda phi: weight(phi) * density(phi), 0, math.pi / 2, limit=200)[0]
        return weighted / quad(density, 0, math.pi / 2, limit=200)[0]

    def excess(log_k: float) -> float:
        along = mean(lambda phi: math.cos(phi) ** 2, math.expm1(log_k))
        return along * quadratic[1] - (1 - along) * quadratic[0]

    k = 0.0 if quadratic[0] == quadratic[1] else math.expm1(brentq(excess, 0, math.log(1e12), xtol=1e-12))
    factor = sum(quadratic) * 2 ** (2 - alpha) * math.sqrt(math.pi) / (alpha * math.gamma((alpha + 1) / 2))
    outer = [
        mean(lambda phi: abs(math.cos(phi)) ** alpha, k),
        mean(lambda phi: abs(math.sin(phi)) ** alpha, k),
    ]
    major, minor = (Axis(inner, factor * share) for inner, share in zip(quadratic, outer, strict=True))
    return major, minor
