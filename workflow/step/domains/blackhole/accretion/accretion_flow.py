"""Random parameters of one simulated accretion flow around Sgr A*.

Lengths are in GM/c^2 and times in GM/c^3, radii of the flow in units of its photon ring's. Ranges are those of the
Event Horizon Telescope's papers on Sgr A* (ring, spectral index, gas slower than Kepler's); they need
only be plausible, so they are written where they are sampled rather than in the configuration.
"""

from dataclasses import dataclass

import numpy as np

GRAVITATIONAL_TIME_S = 20.4
"""GM/c^3 of Sgr A*."""

GRAVITATIONAL_RADIUS_UAS = 5.0
"""GM/(c^2 D) of Sgr A*."""


@dataclass(frozen=True)
class View:
    """How the flow is seen."""

    inclination_rad: float  # between the line of sight and the spin axis, whichever of its ends is nearer
    position_angle_rad: float  # of the spin axis's tip on the sky, east of north
    offset_m: float  # of the ring from the image's centre, across the spin axis, to where the gas recedes


@dataclass(frozen=True)
class Emission:
    """The time-averaged brightness in the flow's plane."""

    ring_radius_m: float  # of the photon ring
    ring_width: float  # standard deviation
    ring_brightness: float  # at its peak, relative to the disk's inner edge
    edge: float  # radius at which the disk begins
    edge_width: float
    decay: float  # exponent of the disk's brightness outside
    orbital_speed: float  # of the gas, relative to that of circular orbits
    spectral_index: float  # alpha in flux density ~ frequency^-alpha


@dataclass(frozen=True)
class Rotation:
    """How the brightness pattern turns; what is farther out turns more slowly."""

    direction: int  # +1: counter-clockwise on the sky with north up and east to the left; -1: clockwise
    speed_rad_per_m: float  # at the photon ring
    shear: float  # exponent of the speed's decay with radius

    def angular_speed(self, radius: np.ndarray) -> np.ndarray:
        """Return the signed angular speed, rad per GM/c^3, at `radius` in units of the photon ring's."""
        return self.direction * self.speed_rad_per_m * radius**-self.shear


@dataclass(frozen=True)
class Turbulence:
    """The Gaussian field whose exponential modulates the brightness."""

    strength: float  # standard deviation of the logarithm of brightness
    lifetime_m: float  # from the appearance of a pattern to its peak, and from there to its end
    slope: float  # exponent of the power's decay with azimuthal order
    radial_scale: float  # correlation length in the logarithm of radius


@dataclass(frozen=True)
class HotSpots:
    """Spots that appear, are sheared into arcs, and fade."""

    alive: float  # mean number at a time
    brightness: float  # at a spot's peak, relative to the mean there
    lifetime_m: float
    log_radius: float  # mean logarithm of the radius at which they orbit
    log_radius_spread: float  # its standard deviation
    log_radius_width: float  # standard deviation of a spot's profile
    azimuth_width_rad: float


@dataclass(frozen=True)
class AccretionFlow:
    """Everything that stays the same over the life of a flow, and the seed of what does not."""

    seed: int
    view: View
    emission: Emission
    rotation: Rotation
    turbulence: Turbulence
    spots: HotSpots


def sample_accretion_flow(seed: int, pattern_speed_deg_per_m: tuple[float, float]) -> AccretionFlow:
    """Return the random flow of `seed`; the speed of its pattern lies in the given range and turns either way."""
    generator = np.random.default_rng(seed)
    between = generator.uniform
    inclination_rad = np.deg2rad(between(10, 80))
    spin = between(0, 0.9)
    return AccretionFlow(
        seed=seed,
        view=View(
            inclination_rad=inclination_rad,
            position_angle_rad=between(0, 2 * np.pi),
            # The frame dragging of a Kerr hole displaces its shadow so, to first order in the spin.
            offset_m=2 * spin * np.sin(inclination_rad),
        ),
        emission=_sample_emission(generator),
        rotation=Rotation(
            direction=int(generator.choice((-1, 1))),
            speed_rad_per_m=np.deg2rad(between(*pattern_speed_deg_per_m)),
            shear=between(0.5, 1.5),
        ),
        turbulence=Turbulence(
            strength=between(0.18, 0.34),
            lifetime_m=between(50, 120),
            slope=between(1, 2.5),
            radial_scale=between(0.25, 0.5),
        ),
        spots=HotSpots(
            alive=between(0.3, 2.2),
            brightness=between(0.7, 2.0),
            lifetime_m=between(90, 260),
            log_radius=between(0.0, 0.2),
            log_radius_spread=0.12,
            log_radius_width=between(0.12, 0.2),
            azimuth_width_rad=between(0.25, 0.45),
        ),
    )


def _sample_emission(generator: np.random.Generator) -> Emission:
    between = generator.uniform
    return Emission(
        ring_radius_m=np.sqrt(27) * between(0.85, 1.15),
        ring_width=between(0.06, 0.12),
        ring_brightness=between(0.4, 1.0),
        edge=between(0.8, 0.95),
        edge_width=between(0.04, 0.08),
        decay=between(3, 5),
        orbital_speed=between(0.35, 0.7),
        spectral_index=between(0, 1),
    )
