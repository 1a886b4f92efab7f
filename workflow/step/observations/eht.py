"""Visibilities that the Event Horizon Telescope measured, and videos of them as eht-imaging reads them."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from step.config.observations import EhtData
from step.config.sections import Count, NonNegative, Positive
from step.config.study import Config
from step.config.tasks import Vlbi
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

ZERO_BASELINE = 1e8
"""Baselines below this many wavelengths are within one site (130 km at 1.3 mm) and see the whole flux."""

UVFITS, TABLES = (".uvfits", ".uvp"), (".csv", ".txt")
"""Suffixes of the formats, in whatever case."""


class EhtSettings(EhtData):
    """The file, and what its task and domain say of frames and stations."""

    start_utc_h: NonNegative
    frames: Count
    resolution: Count
    field_of_view_uas: Positive
    cadence_s: Positive
    array: Path
    task_source: str
    task_right_ascension_h: NonNegative
    task_declination_deg: float
    flux_sigma: Positive


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
    values |= {key: getattr(measurement, key) for key in ("array", "flux_sigma")}
    of_source = ("source", "right_ascension_h", "declination_deg")
    values |= {f"task_{key}": getattr(measurement, key) for key in of_source}
    values |= {key: getattr(video, key) for key in ("frames", "resolution", "field_of_view_uas", "cadence_s")}
    return EhtSettings(**values)


def files(settings: EhtSettings) -> list[Path]:
    """Return the files that the measurement is made of."""
    return [settings.file, settings.array]


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

    from step.physics.array import read_array
    from step.physics.closures import to_measurement

    recorded, facts = read_visibilities(settings)
    table = average(_within_the_video(recorded, settings), settings)
    flux, mean_flux_jy = _light_curve(table, settings, brightness)
    attributes = {
        **facts,
        "mean_flux_jy": mean_flux_jy,
        "frame_times": settings.start_utc_h + np.arange(settings.frames) * settings.cadence_s / 3600,
        "frame_time_unit": "UTC h",
        "pixel_size": settings.field_of_view_uas / settings.resolution,
        "pixel_unit": "uas",
        "file": str(settings.file),
    }
    known = [station.station for station in read_array(settings.array)]
    order = [known.index(code) for code in facts["closure_order"].split()]
    measurement = to_measurement(table, settings.frames, order) | flux
    counts = {
        name: int((measurement[f"{name}_sigma"] > 0).sum()) for name in ("closure_phase", "log_closure_amplitude")
    }
    if not any(counts.values()):
        raise InputError(
            f"{settings.file} has no closure during the video: at no time three stations observed one another within "
            f"{settings.average_s:g} s; give a file with more baselines, or raise the observation's data.average_s"
        )
    n_empty = settings.frames - len(np.unique(table.frame))
    log.info(
        "%s: %d visibilities of %s s, %d closure phases, %d log closure amplitudes; %d of %d frames have no data",
        settings.file,
        len(table),
        f"{settings.average_s:g}",
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
                settings.file,
                len(beyond),
                kind.replace("_", " ") + "s",
                named,
            )
    if not counts["log_closure_amplitude"]:
        log.info("%s: closure amplitudes need four stations at one time; there are closure phases alone", settings.file)
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


def read_visibilities(settings: EhtSettings) -> "tuple[Visibilities, dict[str, Any]]":
    """Return all visibilities of the file, their frames numbered from the first of the video, and its header.

    They are sorted by time. Each baseline has one direction, from the station that the array has first to the other.
    """
    import numpy as np

    from step.observations.recorded import keep_measurements, turn_to
    from step.physics.array import by_sensitivity, read_array
    from step.physics.visibilities import Visibilities

    recorded = keep_measurements(_read_file(settings.file), settings.file)
    stations = read_array(settings.array)
    known = [station.station for station in stations]
    unknown = sorted({*recorded.one, *recorded.other} - set(known))
    if unknown:
        raise InputError(
            f"{settings.file} has the station {unknown[0]}, the array {settings.array} has {', '.join(known)}; "
            "add it there"
        )
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
    right_ascension_h, declination_deg = _coordinates(recorded, settings)
    by_file = [code for code in recorded.sites if code in known]
    by_array = [known[number] for number in by_sensitivity(stations)]
    facts = {
        "closure_order": " ".join(dict.fromkeys([*by_file, *by_array])),
        "source": recorded.source,
        "mjd": recorded.mjd,
        "frequency_hz": recorded.frequency_hz,
        "right_ascension_h": right_ascension_h,
        "declination_deg": declination_deg,
    }
    return table[np.argsort(time_h, kind="stable")], facts


def average(table: "Visibilities", settings: EhtSettings) -> "Visibilities":
    """Return the coherent averages of each baseline over `average_s` within frames, systematic errors added.

    Intervals begin with each frame. An average is weighted by the inverse variances; all averages of an interval
    have one time, the mean of its visibilities.
    """
    import numpy as np

    from step.physics.visibilities import Visibilities

    since_frame_s = (table.time_h - settings.start_utc_h) * 3600 - table.frame * settings.cadence_s
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
    value = mean(table.value.real) + 1j * mean(table.value.imag)
    return Visibilities(
        frame=groups[:, 0],
        time_h=times[of_interval.ravel()],
        stations=groups[:, 2:],
        uv=np.stack([mean(table.uv[:, 0]), mean(table.uv[:, 1])], axis=-1),
        value=value,
        sigma=np.hypot(1 / np.sqrt(total), settings.systematic * np.abs(value)),
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


def _read_file(file: Path) -> "Recorded":
    from step.observations.uvfits import read_uvfits
    from step.observations.visibility_tables import read_visibility_table

    if not file.is_file():
        raise InputError(f"no file {file}; give the observation's data.file an existing one")
    suffix = file.suffix.lower()
    if suffix not in UVFITS + TABLES:
        raise InputError(f"{file} is none of {', '.join(UVFITS + TABLES)}; convert it, eht-imaging writes uvfits")
    return read_uvfits(file) if suffix in UVFITS else read_visibility_table(file)


def _coordinates(recorded: "Recorded", settings: EhtSettings) -> tuple[float, float]:
    """Return right ascension (h) and declination (degree): the file's own, else the observation's, else the task's.

    The task's are taken for a file of the task's own source alone.
    """
    if recorded.right_ascension_h is not None and recorded.declination_deg is not None:
        if settings.right_ascension_h is not None:
            raise InputError(
                f"{settings.file} has coordinates of its own, right ascension {recorded.right_ascension_h:.5f} h, "
                f"declination {recorded.declination_deg:.5f} degrees; set data.right_ascension_h and "
                "data.declination_deg to null"
            )
        return recorded.right_ascension_h, recorded.declination_deg
    if settings.right_ascension_h is not None and settings.declination_deg is not None:
        return settings.right_ascension_h, settings.declination_deg
    if _plain(recorded.source) != _plain(settings.task_source):
        raise InputError(
            f"{settings.file} is a table, without coordinates, of {recorded.source or 'no named source'}, and the task "
            f"of {settings.task_source}; set the observation's data.right_ascension_h and data.declination_deg"
        )
    return settings.task_right_ascension_h, settings.task_declination_deg


def _plain(source: str) -> str:
    return "".join(filter(str.isalnum, source.casefold()))


def _frames(time_h: "np.ndarray", settings: EhtSettings) -> "np.ndarray":
    import numpy as np

    frame = np.floor((time_h - settings.start_utc_h) * 3600 / settings.cadence_s + EDGE_S / settings.cadence_s)
    return frame.astype(int)


def _times_of_the_video(time_h: "np.ndarray", settings: EhtSettings) -> "np.ndarray":
    """Return `time_h` with 24 h more where that is within the video and the time itself is not.

    Files of a night over midnight may count hours from 0 again.
    """
    import numpy as np

    def inside(times: np.ndarray) -> np.ndarray:
        frame = _frames(times, settings)
        return (frame >= 0) & (frame < settings.frames)

    after_midnight = ~inside(time_h) & inside(time_h + 24)
    if after_midnight.any():
        log.info(
            "%s: %d of %d visibilities have times modulo 24 h, a day too early for the video, and are of the day after",
            settings.file,
            after_midnight.sum(),
            len(time_h),
        )
    return np.where(after_midnight, time_h + 24, time_h)


def _within_the_video(table: "Visibilities", settings: EhtSettings) -> "Visibilities":
    inside = (table.frame >= 0) & (table.frame < settings.frames)
    last_h = settings.start_utc_h + settings.frames * settings.cadence_s / 3600
    if not inside.any():
        raise InputError(
            f"{settings.file} was observed from {table.time_h.min():.3f} to {table.time_h.max():.3f} h UTC, the video "
            f"is from {settings.start_utc_h:.3f} to {last_h:.3f} h; set the observation's data.start_utc_h"
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

    none = {"flux": np.zeros(settings.frames), "flux_sigma": np.zeros(settings.frames)}
    zero = np.hypot(*table.uv.T) < ZERO_BASELINE
    if not zero.any():
        if settings.light_curve == "zero_baseline":
            raise InputError(
                f"{settings.file} has no baseline within a site, which would show the flux; set data.light_curve: none"
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
