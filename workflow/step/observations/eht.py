"""Visibilities that the Event Horizon Telescope measured, and videos of them as eht-imaging reads them."""

import csv
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from step.config.observations import EhtData
from step.config.sections import Count, NonNegative, Positive
from step.config.study import Config
from step.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from step.io.videos import VideoStore
    from step.physics.visibilities import Visibilities

log = logging.getLogger(__name__)

ZERO_BASELINE = 1e8
"""Baselines below this many wavelengths are within one site (130 km at 1.3 mm) and see the whole flux."""

CSV_COLUMNS = ("time(UTC)", "T1", "T2", "U(lambda)", "V(lambda)", "Iamp(Jy)", "Iphase(d)", "Isigma(Jy)")


class Settings(EhtData):
    """The file, and what its task and domain say of frames and stations."""

    start_utc_h: NonNegative
    frames: Count
    resolution: Count
    field_of_view_uas: Positive
    cadence_s: Positive
    array: Path
    right_ascension_h: NonNegative
    declination_deg: float
    flux_sigma: Positive


def settings_of(config: Config, name: str) -> Settings:
    """Return the settings of the observation `name`; raises `InputError` where its task is not of model vlbi."""
    chosen = config.observations[name]
    task = config.tasks[chosen.task]
    if task.measurement.model != "vlbi":
        raise InputError(
            f"observations.{name} is of format eht, its task {chosen.task} of model {task.measurement.model}; "
            "name a task of model vlbi"
        )
    video = config.video_format(task.domain)
    values = chosen.data.model_dump()
    if values["start_utc_h"] is None:
        values["start_utc_h"] = task.measurement.start_utc_h
    of_task = ("array", "right_ascension_h", "declination_deg", "flux_sigma")
    values |= {key: getattr(task.measurement, key) for key in of_task}
    values |= {key: getattr(video, key) for key in ("frames", "resolution", "field_of_view_uas", "cadence_s")}
    return Settings(**values)


def files(settings: Settings) -> list[Path]:
    """Return the files that the measurement is made of."""
    return [settings.file, settings.array]


def uses_training(settings: Settings) -> bool:
    """Return whether the measurement depends on the training videos: their mean flux gives the light curve its unit."""
    return settings.light_curve != "none"


def read(settings: Settings, training: "VideoStore | None") -> "tuple[dict[str, np.ndarray], dict[str, object]]":
    """Return the measurement's arrays (see `step.physics.closures.to_measurement`) and what else is known.

    Visibilities are averaged coherently within frames and turned into minimal closure sets. `training` are videos that
    say how bright a video is on average, None where `uses_training` says no. Raises `InputError` for a file that cannot
    be used, a station that the task's array lacks, and where nothing was observed during the video.
    """
    import numpy as np

    from step.physics.closures import to_measurement

    recorded, facts = read_visibilities(settings)
    table = average(_within_the_video(recorded, settings), settings)
    flux, mean_flux_jy = _light_curve(table, settings, training)
    attributes = {
        **facts,
        "mean_flux_jy": mean_flux_jy,
        "frame_times": settings.start_utc_h + np.arange(settings.frames) * settings.cadence_s / 3600,
        "frame_time_unit": "UTC h",
        "pixel_size": settings.field_of_view_uas / settings.resolution,
        "pixel_unit": "uas",
        "file": str(settings.file),
    }
    measurement = to_measurement(table, settings.frames) | flux
    counts = {
        name: int((measurement[f"{name}_sigma"] > 0).sum()) for name in ("closure_phase", "log_closure_amplitude")
    }
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
    return measurement, attributes


def read_visibilities(settings: Settings) -> "tuple[Visibilities, dict[str, object]]":
    """Return all visibilities of the file, their frames numbered from the first of the video, and its header."""
    import numpy as np

    from step.physics.array import read_array
    from step.physics.visibilities import Visibilities

    if not settings.file.is_file():
        raise InputError(f"no file {settings.file}; give the observation's data.file an existing one")
    readers = {".uvfits": _read_uvfits, ".csv": _read_csv}
    if settings.file.suffix not in readers:
        raise InputError(f"{settings.file} is neither .uvfits nor .csv; convert it, eht-imaging writes uvfits")
    columns, facts = readers[settings.file.suffix](settings)
    known = [station.station for station in read_array(settings.array)]
    unknown = sorted({*columns["one"], *columns["other"]} - set(known))
    if unknown:
        raise InputError(
            f"{settings.file} has the station {unknown[0]}, the array {settings.array} has {', '.join(known)}; "
            "add it there"
        )
    time_h, value, sigma = columns["time_h"], columns["value"], columns["sigma"]
    if not (np.isfinite(value).all() and np.isfinite(sigma).all() and (sigma > 0).all()):
        raise InputError(
            f"{settings.file} has visibilities that are not finite or whose sigma is not above 0; flag them"
        )
    order = np.argsort(time_h, kind="stable")
    # A microsecond, so that a time on the edge of two frames does not fall to either side as it rounds.
    frame = np.floor((time_h - settings.start_utc_h) * 3600 / settings.cadence_s + 1e-6 / settings.cadence_s)
    table = Visibilities(
        frame=frame.astype(int),
        time_h=time_h,
        stations=np.array(
            [[known.index(a), known.index(b)] for a, b in zip(columns["one"], columns["other"], strict=True)]
        ),
        uv=np.stack([columns["u"], columns["v"]], axis=-1),
        value=value,
        sigma=sigma,
    )
    return table[order], facts


def average(table: "Visibilities", settings: Settings) -> "Visibilities":
    """Return the coherent averages of each baseline over `average_s` within frames, systematic errors added.

    Intervals begin with each frame. An average is weighted by the inverse variances; all averages of an interval
    have one time, the mean of its visibilities.
    """
    import numpy as np

    from step.physics.visibilities import Visibilities

    since_frame_s = (table.time_h - settings.start_utc_h) * 3600 - table.frame * settings.cadence_s
    interval = np.floor(since_frame_s / settings.average_s + 1e-6 / settings.average_s).astype(int)
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
    settings: Settings,
    videos: "Mapping[str, np.ndarray]",
    measurement: "Mapping[str, np.ndarray]",
    attributes: Mapping[str, object],
    folder: Path,
) -> None:
    """Write `videos` (time, 1, y, x) by name as movies of eht-imaging, ``NAME.h5``, and FITS frames, ``NAME/``.

    Their unit is Jy per pixel: each has the mean flux that was measured (1 Jy where it was not), the deviation that
    of the mean video, so that the factor is the same.
    """
    import numpy as np

    from step.io.eht_movies import EhtMovieHeader, write_eht_movie
    from step.io.fits_images import write_fits_frame
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
        brightness = video[:, 0] / 2 if name == "std" else (video[:, 0] + 1) / 2
        scaled_by = (videos["mean"][:, 0] + 1) / 2 if name == "std" else brightness
        frames = flux_jy / scaled_by.sum(axis=(1, 2), dtype=np.float64).mean() * brightness.astype(np.float64)
        write_eht_movie(folder / f"{name}.h5", header, times_h, frames)
        for number, (time_h, frame) in enumerate(zip(times_h, frames, strict=True)):
            write_fits_frame(folder / name / f"frame_{number:03d}.fits", header, float(time_h), frame)


def _read_uvfits(settings: Settings) -> "tuple[dict[str, np.ndarray], dict[str, object]]":
    import contextlib
    import io

    from step.physics.eht_imaging import eht_imaging

    eht = eht_imaging()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            observation = eht.obsdata.load_uvfits(str(settings.file))
    except Exception as error:  # whatever eht-imaging and astropy raise for a file that is not what they expect
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"eht-imaging cannot read {settings.file}: {reason}; copy it again, or convert it") from None
    data = observation.data
    columns = {"time_h": data["time"], "one": data["t1"], "other": data["t2"], "u": data["u"], "v": data["v"]}
    facts = {
        "source": str(observation.source),
        "mjd": int(observation.mjd),
        "frequency_hz": float(observation.rf),
        "right_ascension_h": float(observation.ra),
        "declination_deg": float(observation.dec),
    }
    return columns | {"value": data["vis"], "sigma": data["sigma"]}, facts


def _read_csv(settings: Settings) -> "tuple[dict[str, np.ndarray], dict[str, object]]":
    import numpy as np

    with settings.file.open(newline="") as file:
        header = re.match(r"#SRC:(.*),DATE\(MJD\):(\d+),FREQ:([\d.]+)GHz", file.readline())
        names = file.readline().removeprefix("#").strip().split(",")
        if not header or tuple(names) != CSV_COLUMNS:
            raise InputError(
                f"{settings.file} does not begin as a table of the EHT does, `#SRC:...,DATE(MJD):...,FREQ:...GHz` and "
                f"`#{','.join(CSV_COLUMNS)}`; convert it to that or to uvfits"
            )
        rows = [row for row in csv.reader(file) if row]
    try:
        numbers = np.array([[float(row[n]) for n in (0, 3, 4, 5, 6, 7)] for row in rows])
    except (ValueError, IndexError) as error:
        raise InputError(
            f"{settings.file}: {error}; every row has {len(CSV_COLUMNS)} values, numbers but T1, T2"
        ) from None
    if not rows:
        raise InputError(f"{settings.file} has no visibilities; give another file")
    time_h, u, v, amplitude, phase_deg, sigma = numbers.T
    columns = {
        "time_h": time_h,
        "u": u,
        "v": v,
        "sigma": sigma,
        "value": amplitude * np.exp(1j * np.deg2rad(phase_deg)),
    }
    columns |= {"one": np.array([row[1] for row in rows]), "other": np.array([row[2] for row in rows])}
    facts = {
        "source": header[1],
        "mjd": int(header[2]),
        "frequency_hz": float(header[3]) * 1e9,
        "right_ascension_h": settings.right_ascension_h,
        "declination_deg": settings.declination_deg,
    }
    return columns, facts


def _within_the_video(table: "Visibilities", settings: Settings) -> "Visibilities":
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
    table: "Visibilities", settings: Settings, training: "VideoStore | None"
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
    of_videos = np.array([(training.video(n)[:, 0] + 1).sum(axis=(1, 2)).mean() / 2 for n in range(len(training))])
    unit = of_videos.mean() / flux_jy.mean()
    flux, sigma = none["flux"], none["flux_sigma"]
    flux[seen] = unit * flux_jy
    sigma[seen] = np.sqrt(unit**2 / total[seen] + of_videos.std() ** 2 + settings.flux_sigma**2)
    return {"flux": flux, "flux_sigma": sigma}, float(flux_jy.mean())
