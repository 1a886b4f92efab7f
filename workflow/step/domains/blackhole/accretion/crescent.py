"""The time-averaged image of an accretion flow: shadow, photon ring and Doppler-boosted disk."""

import numpy as np

from step.domains.blackhole.accretion.accretion_flow import AccretionFlow
from step.domains.blackhole.accretion.plane import Plane


def paint_crescent(flow: AccretionFlow, plane: Plane) -> np.ndarray:
    """Return the time-averaged brightness (y, x) of `flow`, in arbitrary units.

    The disk has a soft inner edge and decays with a power of radius; the photon ring is a thin Gaussian.
    Brightness is boosted by ``g^(3 + spectral index)``.
    """
    emission = flow.emission
    begun = 1 / (1 + np.exp((emission.edge - plane.radius) / emission.edge_width))
    disk = begun * plane.radius**-emission.decay
    ring = emission.ring_brightness * np.exp(-(((plane.sky_radius - 1) / emission.ring_width) ** 2) / 2)
    return (disk + ring) * energy_shift(flow, plane) ** (3 + emission.spectral_index)


def energy_shift(flow: AccretionFlow, plane: Plane) -> np.ndarray:
    """Return g (y, x), a photon's energy at the observer relative to that in the gas.

    The gas orbits with a share of ``v = (r - 2)^(-1/2)``, the speed of a circular orbit around a Schwarzschild
    hole as a static observer at `r` sees it, so that ``g = ((1 - 2/r) (1 - v^2))^(1/2) / (1 - v_los)``. Circles
    appear one GM/c^2 larger than they are (Gralla & Lupsasca 2020, "just adding one").
    """
    # There are no circular orbits inside of 3 GM/c^2; the little light from there counts as if it came from 3.
    radius = np.maximum(plane.radius * flow.emission.ring_radius_m - 1, 3)
    speed = flow.emission.orbital_speed * (radius - 2) ** -0.5
    towards_us = -speed * np.sin(flow.view.inclination_rad) * np.cos(plane.azimuth_rad)
    return np.sqrt((1 - 2 / radius) * (1 - speed**2)) / (1 - towards_us)
