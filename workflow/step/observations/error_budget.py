"""What averaged visibilities are known to be worth: flags, baselines within a site, and errors beyond the thermal."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from step.config.observations import EhtData
from step.errors import InputError
from step.observations.recorded import Recorded
from step.physics.visibilities import Visibilities

log = logging.getLogger(__name__)

ZERO_BASELINE = 1e8
"""Baselines below this many wavelengths are within one site (130 km at 1.3 mm) and see the whole flux."""


def without_flagged(recorded: Recorded, flagged: Sequence[str]) -> Recorded:
    """Return the rows of stations that are not `flagged`; raises `InputError` for a code that no row has."""
    for code in flagged:
        if not ((recorded.one == code) | (recorded.other == code)).any():
            there = sorted({*map(str, recorded.one), *map(str, recorded.other)})
            raise InputError(f"data.flag_stations names {code}; the files have visibilities of {', '.join(there)}")
    is_kept = ~(np.isin(recorded.one, list(flagged)) | np.isin(recorded.other, list(flagged)))
    if flagged:
        log.info("%d of %d visibilities are of flagged stations and left out", (~is_kept).sum(), len(recorded))
    if not is_kept.any():
        raise InputError("data.flag_stations leaves no visibility; flag fewer stations")
    return recorded[is_kept]


def is_zero_baseline(table: Visibilities) -> np.ndarray:
    """Return which rows (row,) are of two stations of one site."""
    return np.hypot(*table.uv.T) < ZERO_BASELINE


def with_errors(table: Visibilities, settings: EhtData, codes: Sequence[str]) -> Visibilities:
    """Return `table`, its errors those of noise and of the whole budget, added in quadrature.

    They are fractions of each visibility's amplitude, of all (`systematic`) and of each of its two stations
    (`station_systematic`, by the stations' `codes`), and an absolute one, of refraction by a scattering screen, which a
    baseline within one site does not see. Raises `InputError` for a station that is not there.
    """
    of_station = _by_number(settings.station_systematic, codes)
    fraction = np.hypot(settings.systematic, np.hypot(*of_station[table.stations].T))
    refraction = np.where(is_zero_baseline(table), 0, settings.refractive_noise_jy)
    return replace(table, sigma=np.sqrt(table.sigma**2 + (fraction * np.abs(table.value)) ** 2 + refraction**2))


def with_compact_flux(table: Visibilities, compact_jy: float | None, measured_jy: float) -> Visibilities:
    """Return `table`, the rows within one site scaled from the flux that they measure on average to the compact one.

    What is larger than the field of view is seen by these baselines alone (M87's jet): their closures with others
    would be wrong. Nothing is done where `compact_jy` is None, or no baseline is that short.
    """
    if compact_jy is None or not np.isfinite(measured_jy):
        return table
    factor = np.where(is_zero_baseline(table), compact_jy / measured_jy, 1)
    log.info("baselines within a site scaled from %.3f to the compact flux of %.3f Jy", measured_jy, compact_jy)
    return replace(table, value=factor * table.value, sigma=factor * table.sigma)


def longer_than(table: Visibilities, uv_min: float) -> Visibilities:
    """Return the rows whose baseline has at least `uv_min` wavelengths; raises `InputError` where there is none."""
    is_long = np.hypot(*table.uv.T) >= uv_min
    if not is_long.all():
        log.info("%d of %d averages are shorter than uv_min and in no closure", (~is_long).sum(), len(table))
    if not is_long.any():
        raise InputError(f"data.uv_min is {uv_min:g} wavelengths, no baseline has as many; lower it")
    return table[is_long]


def _by_number(of_code: Mapping[str, float], codes: Sequence[str]) -> np.ndarray:
    """Return the values by station number, 0 where `of_code` has none."""
    for code in of_code:
        if code not in codes:
            raise InputError(f"data.station_systematic names {code}; the stations are {', '.join(codes)}")
    return np.array([of_code.get(code, 0.0) for code in codes])
