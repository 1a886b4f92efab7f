"""Hot spots: bright patches that appear, orbit with the local speed, are sheared into arcs, and fade."""

import functools
import math
from dataclasses import dataclass

import numpy as np
from scipy.special import i0e

from step.domains.blackhole.accretion.accretion_flow import AccretionFlow
from step.domains.blackhole.accretion.plane import Plane
from step.seeds import derive_seed

MEAN_FADING = 27 / 48
"""The mean of `fading` over a spot's life."""


@dataclass(frozen=True)
class Spot:
    """Where and when a spot appears."""

    birth_m: float
    log_radius: float
    azimuth_rad: float


class SpotField:
    """The brightness of all hot spots at any time; their births are a Poisson process."""

    def __init__(self, flow: AccretionFlow, plane: Plane):
        self._flow, self._plane = flow, plane
        self._speed = flow.rotation.angular_speed(plane.radius)
        self._generation = functools.lru_cache(maxsize=2)(self._sample_generation)

    def at(self, time_m: float) -> np.ndarray:
        """Return the spots' brightness (y, x), relative to that of the flow's mean image."""
        lifetime = self._flow.spots.lifetime_m
        newest = math.floor(time_m / lifetime)
        total = np.zeros_like(self._speed)
        for spot in (*self._generation(newest - 1), *self._generation(newest)):
            if 0 < time_m - spot.birth_m < lifetime:
                total += self._paint(spot, time_m - spot.birth_m)
        return total

    def mean(self) -> np.ndarray:
        """Return the average (y, x) of `at` over all time."""
        spots = self._flow.spots
        spread = math.hypot(spots.log_radius_width, spots.log_radius_spread)
        radial = np.exp(-(((self._plane.log_radius - spots.log_radius) / spread) ** 2) / 2)
        peak = i0e(spots.azimuth_width_rad**-2) * spots.log_radius_width / spread
        return spots.alive * spots.brightness * MEAN_FADING * peak * radial

    def _paint(self, spot: Spot, age_m: float) -> np.ndarray:
        """Return the brightness (y, x) of one spot; each part turns with its own speed, which makes an arc of it."""
        spots, plane = self._flow.spots, self._plane
        azimuth = plane.azimuth_rad - spot.azimuth_rad - age_m * self._speed
        radial = ((plane.log_radius - spot.log_radius) / spots.log_radius_width) ** 2 / 2
        around = (1 - np.cos(azimuth)) / spots.azimuth_width_rad**2
        return spots.brightness * fading(age_m / spots.lifetime_m) * np.exp(-radial - around)

    def _sample_generation(self, number: int) -> list[Spot]:
        """Return the spots that appear in the lifetime that begins after `number` lifetimes."""
        spots = self._flow.spots
        generator = np.random.default_rng(derive_seed(self._flow.seed, "spots", number))
        return [
            Spot(
                birth_m=(number + generator.uniform()) * spots.lifetime_m,
                log_radius=generator.normal(spots.log_radius, spots.log_radius_spread),
                azimuth_rad=generator.uniform(0, 2 * np.pi),
            )
            for _ in range(generator.poisson(spots.alive))
        ]


def fading(age: float) -> float:
    """Return a spot's brightness at `age`, a share of its lifetime: it rises to 1 at a third and falls to 0."""
    return 27 / 4 * age * (1 - age) ** 2
