"""Movies and single images of every raw format, checked, on their way to the raw store."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np

from step.domains.blackhole import fits_frames, ipole, npy_frames
from step.domains.blackhole.data import MovieFiles
from step.domains.blackhole.movie_tree import KEYS, MovieIngestion, RawSource, files_of_kind
from step.domains.blackhole.raw_frames import REMEDY, FrameHeader
from step.errors import InputError
from step.io.eht_movies import open_eht_movie
from step.io.movies import MovieFacts, RawMovie
from step.units import RAD_PER_UAS

READERS: dict[str, ModuleType] = {"ipole": ipole, "fits": fits_frames, "npy": npy_frames}
"""By format the module whose `read_header` and `read_frame` know files of one frame."""

TOLERANCE = 0.01
"""By which what files say may differ from what the study says: masses of Sgr A*, and with them times, do."""

NEAR_A_FRAME = 1e-3
"""By which part of the cadence a movie may end too early."""


@dataclass(frozen=True)
class FoundMovie:
    """What the files of a movie say, before the study's wishes are looked at."""

    header: FrameHeader  # of the first frame, and of all but for the time
    times_s: np.ndarray | None  # (time,), float64; None where the files do not say it
    frames: Iterable[tuple[str, np.ndarray]]  # where it is from and (y, x) in Jy per pixel; read as they are asked for
    n_frames: int


def read_sources(settings: MovieIngestion, root: Path, sources: Iterable[RawSource]) -> Iterator[RawMovie]:
    """Yield each of `sources`, whose frames are read as they are asked for, before the next source is.

    Raises `InputError` for files that cannot be used: not what the format says, without or with contradicting pixel
    sizes or times, too short or too coarse in time for the study, with frames that differ in size, are not finite, or
    have no flux.
    """
    for source in sources:
        files = files_of_kind(settings)[source.kind]
        with _open(source, files) as found:
            pixel_rad = _pixel_rad(found, files, source)
            times_s = np.empty(0)
            if source.kind == "movie":
                times_s = _times_s(found, files, source)
                _check_times(times_s, settings, source)
            facts = MovieFacts(
                source=source.source,
                subject=source.subject,
                file=source.path.relative_to(root).as_posix(),
                kind=source.kind,
                pixel_rad=pixel_rad,
                times_s=times_s,
                **{name: getattr(found.header, name) for name in ("ra_h", "dec_deg", "rf_hz", "mjd")},
            )
            yield RawMovie(facts, found.n_frames, (_checked(frame, file) for file, frame in found.frames))


@contextmanager
def _open(source: RawSource, files: MovieFiles) -> Iterator[FoundMovie]:
    if files.format == "ehtim":
        with open_eht_movie(source.path) as movie:
            header = FrameHeader(
                shape=movie.dataset.shape[1:],
                pixel_rad=movie.header.pixel_rad,
                ra_h=movie.header.ra_h,
                dec_deg=movie.header.dec_deg,
                rf_hz=movie.header.rf_hz,
                mjd=movie.header.mjd + movie.times_h[0] / 24,
            )
            frames = ((f"frame {number} of {source.path}", frame) for number, frame in enumerate(movie.frames))
            yield FoundMovie(header, 3600 * movie.times_h, frames, len(movie.times_h))
    else:
        yield _open_frames(source, READERS[files.format])


def _open_frames(source: RawSource, reader: ModuleType) -> FoundMovie:
    headers = {path: reader.read_header(path) for path in source.files}
    _check_alike(headers)
    ordered, times_s = _in_order_of_time(headers) if source.kind == "movie" else (source.files, None)
    frames = ((str(path), reader.read_frame(path)) for path in ordered)
    return FoundMovie(headers[ordered[0]], times_s, frames, len(ordered))


def _check_alike(headers: dict[Path, FrameHeader]) -> None:
    (first, expected), *others = headers.items()
    for path, header in others:
        if header.shape != expected.shape:
            raise InputError(
                f"frames have different sizes (y, x), {header.shape} in {path}, {expected.shape} in {first}; {REMEDY}"
            )
        if not _agree(header.pixel_rad, expected.pixel_rad, 1e-5):
            raise InputError(
                f"frames have different pixels, of {_uas(header.pixel_rad)} in {path}, of {_uas(expected.pixel_rad)} "
                f"in {first}; {REMEDY}"
            )


def _in_order_of_time(headers: dict[Path, FrameHeader]) -> tuple[Sequence[Path], np.ndarray | None]:
    """Return the files in the order of their times, and these; as they come, and None, where they do not say them."""
    times = {path: header.time_s for path, header in headers.items()}
    known = {path: time_s for path, time_s in times.items() if time_s is not None}
    # Codes that know no time may write the same one into all files.
    if not known or (len(times) > 1 and len(set(times.values())) == 1):
        return list(times), None
    for path in times:
        if path not in known:
            raise InputError(f"{path} does not say its time, other frames of its movie do; {REMEDY}")
    ordered = sorted(known, key=known.__getitem__)
    for one, other in pairwise(ordered):
        if known[one] == known[other]:
            raise InputError(f"{one} and {other} are both of time {known[one]:g} s; {REMEDY}")
    return ordered, np.array([known[path] for path in ordered])


def _pixel_rad(found: FoundMovie, files: MovieFiles, source: RawSource) -> float:
    said, key = found.header.pixel_rad, f"{KEYS[source.kind]}.pixel_uas"
    configured = None if files.pixel_uas is None else files.pixel_uas * RAD_PER_UAS
    if said is None:
        if configured is None:
            raise InputError(f"{files.format} files do not say how large a pixel is: {source.path}; set {key}")
        return configured
    if configured is not None and not _agree(said, configured, TOLERANCE):
        raise InputError(f"a pixel has {_uas(said)}, {key} is {files.pixel_uas}: {source.path}; set it to null")
    return said


def _times_s(found: FoundMovie, files: MovieFiles, source: RawSource) -> np.ndarray:
    """Return the times of the frames from the first on."""
    key = f"{KEYS[source.kind]}.cadence_s"
    if found.times_s is None:
        if files.cadence_s is None:
            raise InputError(f"the files do not say the times of their frames: {source.path}; set {key}")
        return files.cadence_s * np.arange(found.n_frames)
    times_s = found.times_s - found.times_s[0]
    steps = np.diff(times_s, prepend=-np.inf)
    disordered = np.flatnonzero(~(np.isfinite(found.times_s) & (steps > 0)))
    if len(disordered):
        number = disordered[0]
        raise InputError(
            f"times do not increase, frame {number} has {found.times_s[number]:g} s: {source.path}; put the frames in "
            f"order, or {REMEDY}"
        )
    if files.cadence_s is not None and len(steps) > 1:
        cadence_s = np.median(steps[1:])
        if not _agree(cadence_s, files.cadence_s, TOLERANCE):
            raise InputError(
                f"frames are {cadence_s:g} s apart, {key} is {files.cadence_s:g}: {source.path}; set it to null"
            )
    return times_s


def _check_times(times_s: np.ndarray, settings: MovieIngestion, source: RawSource) -> None:
    cadence_s = settings.cadence_s
    widest = float(np.diff(times_s).max(initial=0))
    if widest > (1 + TOLERANCE) * cadence_s:
        raise InputError(
            f"frames are up to {widest:g} s apart, the study needs {cadence_s:g} s: {source.path}; raise "
            f"data.blackhole.cadence_s or {REMEDY}"
        )
    n_frames = int(times_s[-1] / cadence_s + NEAR_A_FRAME) + 1
    if n_frames < settings.frames:
        raise InputError(
            f"movie has {n_frames} frames at {cadence_s:g} s, lasting {times_s[-1]:g} s, the study needs "
            f"{settings.frames}: {source.path}; lower data.blackhole.cadence_s or frames, or {REMEDY}"
        )


def _checked(frame: np.ndarray, file: str) -> np.ndarray:
    """Return `frame` as float32; raises `InputError` where it is not finite or has no flux."""
    with np.errstate(over="ignore"):
        frame = frame.astype(np.float32)
    n_bad = np.count_nonzero(~np.isfinite(frame))
    if n_bad:
        raise InputError(f"{n_bad} pixels of {frame.size} are not finite: {file}; {REMEDY}")
    flux_jy = frame.sum(dtype=np.float64)
    if not flux_jy > 0:
        raise InputError(f"the total flux is {flux_jy:g} Jy, a frame has some: {file}; {REMEDY}")
    return frame


def _agree(one: float | None, other: float | None, tolerance: float) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= tolerance * other


def _uas(pixel_rad: float | None) -> str:
    return "unknown size" if pixel_rad is None else f"{pixel_rad / RAD_PER_UAS:.6g} microarcsecond"
