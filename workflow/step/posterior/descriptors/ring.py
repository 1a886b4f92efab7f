"""A ring around a black hole: its radius, width, asymmetry and that one's position angle, and how it turns.

Azimuths and position angles are in degree from up, counter-clockwise as displayed (rows downwards, east to the left):
with north up they are east of north. Rotation is positive counter-clockwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.optimize import least_squares

from step.posterior.descriptors.appearance import average_image, centre_flux, flux_centroid
from step.posterior.descriptors.description import Description, feature_of, split_truth, with_truth
from step.posterior.descriptors.rotation import pattern_rotation, rotation_spectrum
from step.units import FWHM

"""Full width at half maximum of a Gaussian, in standard deviations."""

N_AZIMUTHS = 60
RADII_UNROLLED = np.linspace(-1, 1, 5)
"""Where the ring is unrolled, from its radius, in standard deviations of its width."""


@dataclass(frozen=True)
class Ring:
    """A ring of Gaussian profile; lengths in pixels."""

    centre_y: float
    centre_x: float
    radius: float
    sigma: float  # standard deviation of the profile
    asymmetry: float  # |first azimuthal Fourier coefficient| of the brightness along the ring, over the mean
    position_angle_deg: float  # of its brightest side

    def places(self, radius: np.ndarray, azimuth_rad: np.ndarray) -> np.ndarray:
        """Return (2, ...): y and x at `radius`, pixels, and `azimuth_rad` about the centre."""
        return np.stack([self.centre_y - radius * np.cos(azimuth_rad), self.centre_x - radius * np.sin(azimuth_rad)])


def describe(frames: np.ndarray, truth: np.ndarray | None, geometry: Mapping[str, float]) -> Description:
    """Return the description of the samples `frames` (sample, time, y, x), brightness in [0, 1].

    Features are `radius`, `width` (FWHM), `asymmetry`, its `position_angle` and the `rotation_rate` of the brightness
    pattern; lengths are in microarcsecond and rates in degree per hour, where `geometry` has `field_of_view_uas` and
    `cadence_s`, else in pixels and degree per frame. Vectors are the flux-centred average image, and how much of the
    pattern turns at each rate. Quantities are the features, with the `diameter` in place of the radius, and whether the
    pattern turns `counter_clockwise`.
    """
    videos = with_truth(frames, truth)
    images = [average_image(video) for video in videos]
    rings = [fit_ring(image) for image in images]
    maps = [unroll(video, ring) for video, ring in zip(videos, rings, strict=True)]
    pixel, length_unit = 1.0, "pixel"
    if "field_of_view_uas" in geometry:
        pixel, length_unit = geometry["field_of_view_uas"] / frames.shape[-1], "uas"
    rate, rate_unit = 1.0, "deg/frame"
    if "cadence_s" in geometry:
        rate, rate_unit = 3600 / geometry["cadence_s"], "deg/h"
    values = {
        "radius": [pixel * ring.radius for ring in rings],
        "width": [pixel * FWHM * ring.sigma for ring in rings],
        "asymmetry": [ring.asymmetry for ring in rings],
        "position_angle": [ring.position_angle_deg for ring in rings],
        "rotation_rate": [rate * pattern_rotation(map_) for map_ in maps],
    }
    units = {
        "radius": length_unit,
        "width": length_unit,
        "asymmetry": "",
        "position_angle": "deg",
        "rotation_rate": rate_unit,
    }
    features = {
        name: feature_of(np.array(values[name]), truth, units[name], name == "position_angle") for name in values
    }
    quantities = {
        "diameter": feature_of(2 * np.array(values["radius"]), truth, length_unit),
        **{name: feature for name, feature in features.items() if name != "radius"},
        "counter_clockwise": feature_of(
            (np.array(values["rotation_rate"]) > 0).astype(float), truth, "", is_event=True
        ),
    }
    return Description(
        features=features,
        vectors={
            "appearance": split_truth(np.stack([centre_flux(image).ravel() for image in images]), truth),
            "dynamics": split_truth(np.stack([rotation_spectrum(map_) for map_ in maps]), truth),
        },
        quantities=quantities,
    )


def fit_ring(image: np.ndarray) -> Ring:
    """Return the ring that is nearest to `image` (y, x), by least squares.

    The model is ``b + exp(-(r - radius)^2 / 2 sigma^2) (a_0 + sum over m = 1, 2 of a_m cos(m phi) + b_m sin(m phi))``.
    Its amplitudes follow from centre, radius and sigma, which alone are searched for.
    """
    y, x = np.indices(image.shape)
    target = (image / image.max()).ravel()
    largest = min(image.shape) / 2

    def basis(parameters: np.ndarray) -> np.ndarray:
        centre_y, centre_x, radius, sigma = parameters
        up, left = (centre_y - y).ravel(), (centre_x - x).ravel()
        profile = np.exp(-((np.hypot(up, left) - radius) ** 2) / (2 * sigma**2))
        azimuth = np.arctan2(left, up)
        waves = [wave(m * azimuth) for m in (1, 2) for wave in (np.cos, np.sin)]
        return np.stack([np.ones_like(profile), profile, *(profile * wave for wave in waves)], axis=1)

    def amplitudes(columns: np.ndarray) -> np.ndarray:
        return np.linalg.lstsq(columns, target, rcond=None)[0]

    def residual(parameters: np.ndarray) -> np.ndarray:
        columns = basis(parameters)
        return columns @ amplitudes(columns) - target

    centre = flux_centroid(image)
    low, high = np.array([0, 0, 1, 0.5]), np.array([image.shape[0], image.shape[1], largest, largest / 2])
    # Radius and width trade off against each other in blurred rings: the best of several starts is kept.
    starts = [np.clip([*centre, share * largest, largest / 6], low + 1e-3, high - 1e-3) for share in (0.3, 0.5, 0.7)]
    fits = [least_squares(residual, start, bounds=(low, high), xtol=1e-4, ftol=1e-6) for start in starts]
    best = min(fits, key=lambda fit: fit.cost).x
    centre_y, centre_x, radius, sigma = map(float, best)
    _, mean, cosine, sine, *_ = amplitudes(basis(best))
    asymmetry = np.hypot(cosine, sine) / (2 * max(abs(mean), 1e-12))
    position_angle_deg = float(np.rad2deg(np.arctan2(sine, cosine)))
    return Ring(centre_y, centre_x, radius, sigma, float(min(asymmetry, 1.0)), position_angle_deg)


def unroll(video: np.ndarray, ring: Ring) -> np.ndarray:
    """Return the azimuth-time map (time, azimuth) of `video` (time, y, x): its brightness along `ring`."""
    azimuth = 2 * np.pi * np.arange(N_AZIMUTHS) / N_AZIMUTHS
    radii = np.maximum(ring.radius + ring.sigma * RADII_UNROLLED, 0)
    places = ring.places(radii[:, None], azimuth[None])
    return np.stack([map_coordinates(frame, places, order=1, mode="constant").mean(axis=0) for frame in video])
