"""Simulated observations: the geometry and the errors of eht-imaging, with visibilities of our own transform."""

from collections.abc import Callable, Sequence

import numpy as np

from step.config.tasks import Vlbi
from step.errors import InputError
from step.physics.array import Station
from step.physics.eht_imaging import eht_imaging, seeded
from step.physics.visibilities import Visibilities


def simulate_observation(
    ideal: Callable[[np.ndarray, np.ndarray], np.ndarray],
    stations: Sequence[Station],
    settings: Vlbi,
    n_frames: int,
    cadence_s: float,
    seed: int,
) -> Visibilities:
    """Return one simulated visibility per frame and baseline whose two stations see the source (Eq. 8).

    ``ideal(frame, uv)`` gives the source's own visibilities in Jy for rows of frame numbers and baselines (row, 2) in
    wavelengths. The same `seed` gives the same errors in every process.
    """
    observation = schedule(stations, settings, n_frames, cadence_s)
    frame = np.rint((observation.data["time"] - settings.start_utc_h) * 3600 / cadence_s).astype(int)
    uv = np.stack([observation.data["u"], observation.data["v"]], axis=-1)
    observation.data["vis"] = ideal(frame, uv)
    with seeded(seed) as its_seed:
        observation.data = _disturb(observation, stations, settings, its_seed)
    number = {station.station: n for n, station in enumerate(stations)}
    data = observation.data
    return Visibilities(
        frame=frame,
        time_h=data["time"],
        stations=np.array([[number[a], number[b]] for a, b in zip(data["t1"], data["t2"], strict=True)]),
        uv=uv,
        value=data["vis"],
        sigma=data["sigma"],
    )


def schedule(stations: Sequence[Station], settings: Vlbi, n_frames: int, cadence_s: float):
    """Return eht-imaging's observation without data: times, baselines and the standard deviations of thermal noise.

    Raises `InputError` where no two stations see the source.
    """
    eht = eht_imaging()
    columns = [(s.station, *(s.x_m, s.y_m, s.z_m), *(s.sefd_r_jy, s.sefd_l_jy), 0, 0, *_feed(s)) for s in stations]
    array = eht.array.Array(np.array(columns, dtype=eht.const_def.DTARR))
    last_h = settings.start_utc_h + (n_frames - 0.5) * cadence_s / 3600
    low, high = settings.elevation_deg
    geometry = (
        settings.right_ascension_h,
        settings.declination_deg,
        settings.frequency_hz,
        settings.bandwidth_hz,
        settings.integration_s,
        cadence_s,
        settings.start_utc_h,
        last_h,
    )
    try:
        return array.obsdata(*geometry, mjd=settings.mjd, tau=settings.opacity, elevmin=low, elevmax=high)
    except Exception as error:
        if "No mutual visibilities" not in str(error):
            raise
        raise InputError(
            f"no two stations see the source between {settings.start_utc_h:.2f} and {last_h:.2f} h UTC at elevations "
            f"of {low} to {high} degrees; change the task's start_utc_h, array or elevation_deg"
        ) from None


def _feed(station: Station) -> tuple[float, float, float]:
    return station.feed_parallactic, station.feed_elevation, station.feed_offset_deg


def _disturb(observation, stations: Sequence[Station], settings: Vlbi, seed: str) -> np.ndarray:
    """Return the observation's table with the errors that the settings name."""
    errors = settings.errors
    return eht_imaging().observing.obs_simulate.add_jones_and_noise(
        observation,
        add_th_noise="thermal" in errors,
        opacitycal="atmosphere" not in errors,
        ampcal="gains" not in errors,
        phasecal="phases" not in errors,
        dcal="leakage" not in errors,
        taup=settings.opacity_error,
        gain_offset={s.station: s.gain_offset for s in stations},
        gainp={s.station: s.gain_scatter for s in stations},
        dterm_offset={s.station: s.leakage for s in stations},
        seed=seed,
        verbose=False,
    )
