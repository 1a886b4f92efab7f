"""Where the pixels of an image lie in the plane of an accretion flow."""

from dataclasses import dataclass

import numpy as np

from step.domains.blackhole.accretion.accretion_flow import GRAVITATIONAL_RADIUS_UAS, AccretionFlow

SMALLEST_RADIUS = 0.4
"""Radii well inside the shadow, in units of the photon ring's, count as this one: nothing shines there."""


@dataclass(frozen=True)
class Plane:
    """Places of all pixels (y, x); radii are in units of the photon ring's.

    Azimuths grow counter-clockwise on the sky, from the side where the gas recedes.
    """

    sky_radius: np.ndarray  # about the ring's centre, on the sky
    log_radius: np.ndarray  # logarithm of the radius in the flow's plane
    azimuth_rad: np.ndarray  # in the flow's plane

    @property
    def radius(self) -> np.ndarray:
        """Radius in the flow's plane."""
        return np.exp(self.log_radius)


def place_pixels(flow: AccretionFlow, n_pixels: int, field_of_view_uas: float) -> Plane:
    """Return the places of the pixels of a square image; north is up, the first row, and east to the left.

    Light bending makes the disk's circles far rounder than ``cos(inclination)`` and lifts its far side.
    """
    view, ring = flow.view, flow.emission.ring_radius_m
    pixel_m = field_of_view_uas / n_pixels / GRAVITATIONAL_RADIUS_UAS
    right = pixel_m * (np.arange(n_pixels) - (n_pixels - 1) / 2)
    up = -right[:, None]
    cos, sin = np.cos(view.position_angle_rad), np.sin(view.position_angle_rad)
    across = (right * cos + up * sin - view.offset_m) / ring
    along = (up * cos - right * sin) / ring
    flatness = 1 - 0.35 * (1 - np.cos(view.inclination_rad))
    # Of gas that turns counter-clockwise the spin points at us, and what lies towards its tip is the far side.
    lift = 0.15 * np.sin(view.inclination_rad) * flow.rotation.direction
    depth = (along - lift) / flatness
    return Plane(
        sky_radius=np.hypot(across, along),
        log_radius=np.log(np.maximum(np.hypot(across, depth), SMALLEST_RADIUS)),
        azimuth_rad=np.arctan2(depth, across),
    )
