"""Files of visibilities that eht-imaging simulates, which the tests of measured data share."""

import contextlib
import io
from pathlib import Path

import numpy as np
from step.physics.eht_imaging import eht_imaging

M87 = {"ra": 12.513729, "dec": 12.391123}
STATIONS_2018 = {
    "AA": (2225061.0, -5440057.0, -2481681.0, 74),
    "AX": (2225039.0, -5441197.0, -2479303.0, 4700),
    "GL": (541547.0, -1387978.0, 6180982.0, 5000),
    "LM": (-768713.0, -5988541.0, 2063275.0, 4500),
    "PV": (5088967.0, -301681.0, 3825015.0, 1900),
    "MG": (-1828796.0, -5054406.0, 3427865.0, 17100),
    "MM": (-5464584.0, -2493001.0, 2150653.0, 10500),
    "SW": (-5464523.0, -2493147.0, 2150611.0, 6200),
}
"""An array with stations and codes that the table of 2017 does not have: geocentric position (m), SEFD (Jy)."""


def write_m87_2018(
    path: Path,
    frequency_hz: float = 227.1e9,
    source: str = "M87",
    mjd: int = 58229,
    place: dict[str, float] = M87,
    first_h: float = 23.0,
) -> Path:
    """Write a ring at `place` for 3 hours from `first_h` on, a row every 3 minutes, with noise alone; return `path`."""
    eht = eht_imaging()
    rows = [(code, *xyz, sefd, sefd, 0, 0, 0, 0, 0) for code, (*xyz, sefd) in STATIONS_2018.items()]
    array = eht.array.Array(np.array(rows, dtype=eht.const_def.DTARR))
    with contextlib.redirect_stdout(io.StringIO()):
        observation = array.obsdata(
            place["ra"],
            place["dec"],
            frequency_hz,
            2e9,
            30.0,
            180.0,
            first_h,
            first_h + 3,
            mjd=mjd,
            tau=0.1,
            elevmin=10,
        )
        y, x = np.mgrid[:32, :32] - 15.5
        ring = np.exp(-(((np.hypot(x, y) - 5.2) / 2) ** 2)) * (1 + 0.5 * y / 15)
        image = eht.image.Image(
            1.2 * ring / ring.sum(), 4e-6 / 206265, place["ra"], place["dec"], rf=frequency_hz, mjd=mjd
        )
        simulated = image.observe_same(observation, ttype="direct", add_th_noise=True, seed=3, verbose=False)
        simulated.source = source
        simulated.save_uvfits(str(path))
    return path
