"""Images of Sgr A* as the ray tracer ipole writes them, one a file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from step.domains.blackhole.accretion.accretion_flow import GRAVITATIONAL_RADIUS_UAS, GRAVITATIONAL_TIME_S
from step.io.hdf5 import create_hdf5
from step.units import RAD_PER_UAS

SPEED_OF_LIGHT_CM_S = 2.99792458e10
JANSKY_CGS = 1e-23

LENGTH_UNIT_CM = SPEED_OF_LIGHT_CM_S * GRAVITATIONAL_TIME_S
DISTANCE_CM = LENGTH_UNIT_CM / (GRAVITATIONAL_RADIUS_UAS * RAD_PER_UAS)
MASS_UNIT_G = 1e18
"""Of the density of a simulation; these images have none, but readers expect the entry."""


@dataclass(frozen=True)
class IpoleHeader:
    """What a file says of its image."""

    field_of_view_uas: float
    frequency_hz: float
    time_m: float


def write_ipole_image(path: Path, header: IpoleHeader, image: np.ndarray) -> None:
    """Write `image` (y, x), square and in Jy per pixel, unpolarised; north is up and east to the left.

    ``pol`` (x, y, 5) holds the intensities I, Q, U, V in cgs units, with y upwards, and the optical depth; ``scale``
    turns intensity into Jy per pixel.
    """
    n_pixels = len(image)
    side_m = header.field_of_view_uas / GRAVITATIONAL_RADIUS_UAS
    scale = (header.field_of_view_uas * RAD_PER_UAS / n_pixels) ** 2 / JANSKY_CGS
    pol = np.zeros((n_pixels, n_pixels, 5), np.float32)
    pol[:, :, 0] = image[::-1].T / scale
    entries = {
        "scale": scale,
        "freqcgs": header.frequency_hz,
        "dsource": DISTANCE_CM,
        "t": header.time_m,
        "camera/nx": n_pixels,
        "camera/ny": n_pixels,
        "camera/dx": side_m,
        "camera/dy": side_m,
        "camera/fovx_dsource": header.field_of_view_uas,
        "camera/fovy_dsource": header.field_of_view_uas,
        "units/L_unit": LENGTH_UNIT_CM,
        "units/M_unit": MASS_UNIT_G,
        "units/T_unit": GRAVITATIONAL_TIME_S,
    }
    with create_hdf5(path) as file:
        file.create_dataset("pol", data=pol, compression="gzip")
        for name, value in entries.items():
            file[f"header/{name}"] = value
