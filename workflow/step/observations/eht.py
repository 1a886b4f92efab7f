"""Visibilities that the Event Horizon Telescope measured, and videos of them as eht-imaging reads them."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from step.config.observations import EhtData
from step.config.sections import Count, NonNegative, Positive
from step.config.study import Config
from step.config.tasks import Scattering, Vlbi
from step.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from step.observations.recorded import Recorded
    from step.physics.display import Brightness
    from step.physics.visibilities import Visibilities

log = logging.getLogger(__name__)

EDGE_S = 0.05
"""A time this little before a frame or an interval is in it: those of uvfits are some milliseconds off."""

NAMED = 12
"""Closures at most that the log names."""

HALF_A_DAY_H = 12.0
"""No observation of one night takes longer: hours that lie further apart have begun anew at midnight."""

SCAN_GAP_S = 60.0
"""A scan ends where nothing is observed for longer."""


class EhtSettings(EhtData):
    """The file, and what its task and domain say of frames and stations."""

    start_utc_h: NonNegative | Literal["file"]
    frames: Count
    resolution: Count
    field_of_view_uas: Positive
    cadence_s: Positive
    array: Path
    task_source: str
    task_right_ascension_h: NonNegative
    task_declination_deg: float
    flux_sigma: Positive
    snr_window_s: Positive | None
    scattering: Scattering | None

    @property
    def start_h(self) -> float:
        """UTC of the first frame, h, once it is known; raises `ValueError` while only the files say it."""
        if not isinstance(self.start_utc_h, float):
            raise ValueError("start_utc_h is the files' own; take the settings of `started`")
        return self.start_utc_h


Settings = EhtSettings


def settings_of(config: Config, name: str) -> EhtSettings:
    """Return the settings of the observation `name`; raises `InputError` where its task is not of model vlbi."""
    chosen = config.observations[name]
    task = config.tasks[chosen.task]
    measurement = task.measurement
    if not isinstance(measurement, Vlbi):
        raise InputError(
            f"observations.{name} is of format eht, its task {chosen.task} of model {measurement.model}; "
            "name a task of model vlbi"
        )
    video = config.video_format(task.domain)
    values = chosen.data.model_dump()
    if values["start_utc_h"] is None:
        values["start_utc_h"] = measurement.start_utc_h
    values |= {key: getattr(measurement, key) for key in ("array", "flux_sigma", "snr_window_s", "scattering")}
    of_source = ("source", "right_ascension_h", "declination_deg")
    values |= {f"task_{key}": getattr(measurement, key) for key in of_source}
    values |= {key: getattr(video, key) for key in ("frames", "resolution", "field_of_view_uas", "cadence_s")}
    return EhtSettings(**values)


def files(settings: EhtSettings) -> list[Path]:
    """Return the files that the measurement is made of."""
    return [*settings.files, settings.array]


def uses_brightness(settings: EhtSettings) -> bool:
    """Return whether the measurement depends on how bright videos are, which gives the light curve its unit."""
    return settings.light_curve != "none"


def read(settings: EhtSettings, brightness: "Brightness | None") -> "tuple[dict[str, np.ndarray], dict[str, Any]]":
    """Return the measurement's arrays (see `step.physics.closures.to_measurement`) and what else is known.

    Visibilities are averaged coherently within frames and turned into closure sets: eht-imaging's minimal ones of the
    stations in the order `closure_order` of the attributes, and what they lack of a basis. `brightness` is
    that of the videos that the prior learned from, None where `uses_brightness` says no. Raises `InputError` for a file
    that cannot be used, a station that the task's array lacks, and where nothing was observed during the video.
    """
    import numpy as np

    from step.observations.error_budget import longer_than, with_compact_flux, with_errors
    from step.physics.closures import to_measurement

    recorded = record(settings)
    settings = started(settings, recorded)
    table, facts = to_visibilities(recorded, settings)
    known = facts["stations"].split()
    table = with_errors(average(_within_the_video(table, settings), settings), settings, known)
    flux, mean_flux_jy = _light_curve(table, settings, brightness)
    table = longer_than(with_compact_flux(table, settings.compact_flux_jy, mean_flux_jy), settings.uv_min)
    table = _behind_a_screen(table, settings, facts["frequency_hz"])
    attributes = {
        **facts,
        "mean_flux_jy": settings.compact_flux_jy or mean_flux_jy,
        "frame_times": settings.start_h + np.arange(settings.frames) * settings.cadence_s / 3600,
        "frame_time_unit": "UTC h",
        "pixel_size": settings.field_of_view_uas / settings.resolution,
        "pixel_unit": "uas",
        "file": _named(settings),
    }
    order = [known.index(code) for code in facts["closure_order"].split()]
    measurement = to_measurement(table, settings.frames, order, settings.snr_window_s) | flux
    counts = {
        name: int((measurement[f"{name}_sigma"] > 0).sum()) for name in ("closure_phase", "log_closure_amplitude")
    }
    if not any(counts.values()):
        raise InputError(
            f"{_named(settings)} has no closure during the video: at no time three stations observed one another "
            f"within {_interval(settings)}; give a file with more baselines, or raise the observation's data.average_s"
        )
    n_empty = settings.frames - len(np.unique(table.frame))
    log.info(
        "%s: %d visibilities of %s, %d closure phases, %d log closure amplitudes; %d of %d frames have no data",
        _named(settings),
        len(table),
        _interval(settings),
        *counts.values(),
        n_empty,
        settings.frames,
    )
    for kind, loops in (("closure_phase", "triangle"), ("log_closure_amplitude", "quadrangle")):
        beyond = _beyond_the_minimal_set(measurement, kind, loops, known)
        if beyond:
            named = ", ".join(beyond[:NAMED]) + (", ..." if len(beyond) > NAMED else "")
            log.info(
                "%s: %d of the %s are independent of eht-imaging's minimal sets, which lack them where baselines are "
                "missing: %s",
                _named(settings),
                len(beyond),
                kind.replace("_", " ") + "s",
                named,
            )
    if not counts["log_closure_amplitude"]:
        log.info(
            "%s: closure amplitudes need four stations at one time; there are closure phases alone", _named(settings)
        )
    return measurement, attributes


def _beyond_the_minimal_set(
    measurement: "Mapping[str, np.ndarray]", kind: str, loops: str, known: list[str]
) -> list[str]:
    """Return the stations and the time, as text, of each closure that is in none of eht-imaging's minimal sets."""
    import numpy as np

    names = []
    n_places = measurement["visibility"].shape[1]
    is_beyond = (measurement[f"{kind}_sigma"] > 0) & ~measurement[f"{kind}_minimal"]
    for frame, number in zip(*np.nonzero(is_beyond), strict=True):
        sides = measurement[loops][frame, number]
        sides = sides[sides < (2 * n_places if kind == "closure_phase" else n_places)] % n_places
        codes = dict.fromkeys(known[station] for side in sides for station in measurement["stations"][frame, side])
        names.append(f"{'-'.join(codes)} at {measurement['time_h'][frame, sides[0]]:.3f} h")
    return names


def record(settings: EhtSettings) -> "Recorded":
    """Return the measurements of the files, but for flagged stations; raises `InputError` for those of another source.

    The source is the observation's, or where that is null the task's.
    """
    from step.observations.error_budget import without_flagged
    from step.observations.sources import check_source
    from step.observations.visibility_files import read_files

    recorded = read_files(settings.files, settings.polarisation)
    of_task = settings.task_right_ascension_h, settings.task_declination_deg
    check_source(recorded, settings, settings.task_source, of_task)
    return without_flagged(recorded, settings.flag_stations)


def started(settings: EhtSettings, recorded: "Recorded") -> EhtSettings:
    """Return `settings` with the time of the first visibility where they leave the start to the files.

    Of hours that begin anew at midnight it is the first after the longest pause.
    """
    import numpy as np

    if settings.start_utc_h != "file":
        return settings
    times_h = np.unique(recorded.time_h)
    start_h = times_h[0]
    if len(times_h) > 1 and times_h[-1] < 24 and times_h[-1] - times_h[0] > HALF_A_DAY_H:
        start_h = times_h[np.argmax(np.diff(times_h)) + 1]
    log.info("the video begins with the first visibility, at %.4f h UTC", start_h)
    return settings.model_copy(update={"start_utc_h": float(start_h)})


def read_visibilities(settings: EhtSettings) -> "tuple[Visibilities, dict[str, Any]]":
    """Return all visibilities of the files, as `to_visibilities` does."""
    recorded = record(settings)
    return to_visibilities(recorded, started(settings, recorded))


def to_visibilities(recorded: "Recorded", settings: EhtSettings) -> "tuple[Visibilities, dict[str, Any]]":
    """Return visibilities with their frames, numbered from the first of the video, and what the header says of them.

    They are sorted by time. Stations are those of the task's array, and then those that the files have besides, as
    `stations` names them. Each baseline has one direction, from the station that comes first to the other.
    """
    import numpy as np

    from step.observations.recorded import turn_to
    from step.observations.sources import coordinates
    from step.physics.array import by_sensitivity, read_array
    from step.physics.visibilities import Visibilities

    stations = read_array(settings.array)
    of_array = [station.station for station in stations]
    there = sorted({*map(str, recorded.one), *map(str, recorded.other)})
    known = list(dict.fromkeys([*of_array, *recorded.sites, *there]))
    new = sorted(set(there) - set(of_array))
    if new:
        log.info("%s: the array %s lacks %s", _named(settings), settings.array, ", ".join(new))
    time_h = _times_of_the_video(recorded.time_h, settings)
    first, second = (np.array([known.index(code) for code in codes]) for codes in (recorded.one, recorded.other))
    pairs, turned = turn_to(first, second, recorded)
    table = Visibilities(
        frame=_frames(time_h, settings),
        time_h=time_h,
        stations=pairs,
        uv=turned.uv,
        value=turned.value,
        sigma=turned.sigma,
    )
    of_task = settings.task_right_ascension_h, settings.task_declination_deg
    right_ascension_h, declination_deg = coordinates(recorded, settings, settings.task_source, of_task)
    by_array = [of_array[number] for number in by_sensitivity(stations)]
    facts = {
        "stations": " ".join(known),
        "closure_order": " ".join(dict.fromkeys([*recorded.sites, *by_array, *known])),
        "source": recorded.source,
        "mjd": recorded.mjd,
        "frequency_hz": recorded.frequency_hz,
        "right_ascension_h": right_ascension_h,
        "declination_deg": declination_deg,
    }
    return table[np.argsort(time_h, kind="stable")], facts


def average(table: "Visibilities", settings: EhtSettings) -> "Visibilities":
    """Return the coherent averages of each baseline over `average_s` within frames.

    Intervals begin with each frame, or with each scan. An average is weighted by the inverse variances; all averages
    of an interval have one time, the mean of its visibilities.
    """
    import numpy as np

    from step.physics.visibilities import Visibilities

    if settings.average_s == "scan":
        begins = np.diff(table.time_h, prepend=table.time_h[:1]) * 3600 > SCAN_GAP_S
        interval = np.cumsum(begins)
    else:
        since_frame_s = (table.time_h - settings.start_h) * 3600 - table.frame * settings.cadence_s
        interval = np.floor(since_frame_s / settings.average_s + EDGE_S / settings.average_s).astype(int)
    keys = np.stack([table.frame, interval, *table.stations.T], axis=-1)
    groups, of_group = np.unique(keys, axis=0, return_inverse=True)
    of_group = of_group.ravel()
    weight = 1 / table.sigma**2
    total = np.bincount(of_group, weight)

    def mean(column: np.ndarray) -> np.ndarray:
        return np.bincount(of_group, weight * column) / total

    _, of_interval = np.unique(groups[:, :2], axis=0, return_inverse=True)
    rows_interval = of_interval.ravel()[of_group]
    times = np.bincount(rows_interval, table.time_h) / np.bincount(rows_interval)
    return Visibilities(
        frame=groups[:, 0],
        time_h=times[of_interval.ravel()],
        stations=groups[:, 2:],
        uv=np.stack([mean(table.uv[:, 0]), mean(table.uv[:, 1])], axis=-1),
        value=mean(table.value.real) + 1j * mean(table.value.imag),
        sigma=1 / np.sqrt(total),
    )


def export(
    settings: EhtSettings,
    videos: "Mapping[str, np.ndarray]",
    measurement: "Mapping[str, np.ndarray]",
    attributes: Mapping[str, Any],
    folder: Path,
) -> None:
    """Write `videos` (time, 1, y, x) by name as movies of eht-imaging, ``NAME.h5``, and FITS frames, ``NAME/``.

    Their unit is Jy per pixel: each has the mean flux that was measured (1 Jy where it was not), the deviation that
    of the mean video, so that the factor is the same.
    """
    import numpy as np

    from step.io.eht_movies import EhtMovieHeader, write_eht_movie
    from step.io.fits_images import write_fits_frame
    from step.physics.display import in_jansky
    from step.units import RAD_PER_UAS

    measured = float(attributes["mean_flux_jy"])
    flux_jy = measured if np.isfinite(measured) else 1.0
    header = EhtMovieHeader(
        pixel_rad=float(attributes["pixel_size"]) * RAD_PER_UAS,
        source=str(attributes["source"]),
        ra_h=float(attributes["right_ascension_h"]),
        dec_deg=float(attributes["declination_deg"]),
        rf_hz=float(attributes["frequency_hz"]),
        mjd=int(attributes["mjd"]),
    )
    times_h = np.asarray(attributes["frame_times"])
    for name, video in videos.items():
        frames = in_jansky(video, flux_jy, videos["mean"] if name == "std" else None)
        write_eht_movie(folder / f"{name}.h5", header, times_h, frames)
        for number, (time_h, frame) in enumerate(zip(times_h, frames, strict=True)):
            write_fits_frame(folder / name / f"frame_{number:03d}.fits", header, float(time_h), frame)


def _behind_a_screen(table: "Visibilities", settings: EhtSettings, frequency_hz: float) -> "Visibilities":
    """Return `table` with the kernel of the task's scattering screen at the frequency of the files."""
    from dataclasses import replace

    from step.physics.scattering import ensemble_kernel

    if settings.scattering is None:
        return table
    return replace(table, kernel=ensemble_kernel(settings.scattering, table.uv, frequency_hz))


def _named(settings: EhtSettings) -> str:
    return ", ".join(map(str, settings.files))


def _interval(settings: EhtSettings) -> str:
    return "a scan" if settings.average_s == "scan" else f"{settings.average_s:g} s"


def _frames(time_h: "np.ndarray", settings: EhtSettings) -> "np.ndarray":
    import numpy as np

    frame = np.floor((time_h - settings.start_h) * 3600 / settings.cadence_s + EDGE_S / settings.cadence_s)
    return frame.astype(int)


def _times_of_the_video(time_h: "np.ndarray", settings: EhtSettings) -> "np.ndarray":
    """Return `time_h` with 24 h more or less where that is within the video and the time itself is not.

    Files of a night over midnight may count hours from 0 again, or go on past 24 where the video's start does not.
    """
    import numpy as np

    def inside(times: np.ndarray) -> np.ndarray:
        frame = _frames(times, settings)
        return (frame >= 0) & (frame < settings.frames)

    for day_h, what in (
        (24, "modulo 24 h, a day too early for the video, and are of the day after"),
        (-24, "past 24 h"),
    ):
        moved = ~inside(time_h) & inside(time_h + day_h)
        if day_h < 0 and inside(time_h).any():
            break  # what is a day later than the rest of the video is another night
        if moved.any():
            log.info("%s: %d of %d visibilities have times %s", _named(settings), moved.sum(), len(time_h), what)
        time_h = np.where(moved, time_h + day_h, time_h)
    return time_h


def _within_the_video(table: "Visibilities", settings: EhtSettings) -> "Visibilities":
    inside = (table.frame >= 0) & (table.frame < settings.frames)
    last_h = settings.start_h + settings.frames * settings.cadence_s / 3600
    if not inside.any():
        raise InputError(
            f"{_named(settings)} was observed from {table.time_h.min():.3f} to {table.time_h.max():.3f} h UTC, the "
            f"video is from {settings.start_h:.3f} to {last_h:.3f} h; set the observation's data.start_utc_h"
        )
    if not inside.all():
        log.info("%d of %d visibilities are outside the video's time and left out", (~inside).sum(), len(inside))
    return table[inside]


def _light_curve(
    table: "Visibilities", settings: EhtSettings, brightness: "Brightness | None"
) -> "tuple[dict[str, np.ndarray], float]":
    """Return `flux` and `flux_sigma` (time,) in units of a video's brightness, sigma 0 for none, and the mean in Jy.

    How bright the brightest pixel is, which is the unit of a video, the data do not say. So the mean flux is given the
    mean of the training videos, with their spread as its error.
    """
    import numpy as np

    from step.observations.error_budget import is_zero_baseline

    none = {"flux": np.zeros(settings.frames), "flux_sigma": np.zeros(settings.frames)}
    zero = is_zero_baseline(table)
    if not zero.any():
        if settings.light_curve == "zero_baseline":
            raise InputError(
                f"{_named(settings)} has no baseline within a site, which would show the flux; set "
                "data.light_curve: none"
            )
        return none, float("nan")
    weight = np.where(zero, 1 / table.sigma**2, 0)
    total = np.bincount(table.frame, weight, settings.frames)
    seen = total > 0
    flux_jy = np.bincount(table.frame, weight * np.abs(table.value), settings.frames)[seen] / total[seen]
    if settings.light_curve == "none":
        return none, float(flux_jy.mean())
    if brightness is None:
        raise ValueError("a light curve is in units of how bright videos are; give their brightness")
    unit = brightness.mean / flux_jy.mean()
    flux, sigma = none["flux"], none["flux_sigma"]
    flux[seen] = unit * flux_jy
    sigma[seen] = np.sqrt(unit**2 / total[seen] + brightness.std**2 + settings.flux_sigma**2)
    return {"flux": flux, "flux_sigma": sigma}, float(flux_jy.mean())
