"""From a raw black hole movie to videos of the study's field of view, cadence and scale."""

import logging
from collections.abc import Iterator

import numpy as np

from step.domains.blackhole.regrid import Regridding
from step.domains.blackhole.video_format import MovieFormat
from step.errors import InputError
from step.io.movies import StoredMovie
from step.io.videos import PreparedVideo
from step.units import RAD_PER_UAS

logger = logging.getLogger(__name__)

NEAR_A_FRAME = 1e-3
"""A time that is nearer to a frame, in units of the distance between frames, is that frame's."""

ROUNDING = 1e-6
"""Negative brightness of less, relative to the maximum, comes from rounding."""

OUTSIDE = 0.1
"""Part of the flux that may lie outside the field of view without a warning."""


def n_prepared(movie: StoredMovie, settings: MovieFormat) -> int:
    """Return how many videos, or single images, `prepare_movie` yields."""
    return len(movie.dataset) if movie.facts.kind == "image" else len(_window_starts(movie, settings))


def prepare_movie(movie: StoredMovie, settings: MovieFormat) -> Iterator[PreparedVideo]:
    """Yield the videos (time, 1, y, x) that `movie` is cut into, or its single images (1, 1, y, x).

    Frames are resampled by the size of their pixels, in Jy per pixel of the study, and interpolated linearly in time
    where the study's times fall between them. Each video is ``2 * brightness / maximum - 1`` with its own maximum.
    Raises `InputError` where there is no flux in the field of view.
    """
    frames = _RegriddedFrames(movie, settings)
    if movie.facts.kind == "image":
        for number in range(len(movie.dataset)):
            yield _as_video(f"{movie.facts.source}-{number:05d}", frames.read(number)[None], movie, settings)
    else:
        for number, start in enumerate(_window_starts(movie, settings)):
            times_s = settings.cadence_s * (start + np.arange(settings.frames))
            brightness = np.stack(list(_interpolated(frames, movie.facts.times_s, times_s)))
            yield _as_video(f"{movie.facts.source}-{number:02d}", brightness, movie, settings)
    frames.warn_of_flux_outside()


def window_starts(n_frames: int, length: int, n_windows: int) -> list[int]:
    """Return the first frames of windows of `length`, evenly spaced over `n_frames`, that do not overlap.

    There are `n_windows`, or fewer where fewer fit.
    """
    n_fitting = min(n_windows, n_frames // length)
    last = n_frames - length
    return [number * last // max(n_fitting - 1, 1) for number in range(n_fitting)]


def between_frames(times_s: np.ndarray, time_s: float) -> tuple[int, int, float]:
    """Return the frames of `times_s` (time,) before and after `time_s`, and the weight of the latter."""
    after = int(np.clip(np.searchsorted(times_s, time_s), min(1, len(times_s) - 1), len(times_s) - 1))
    before = max(after - 1, 0)
    if before == after:
        return before, after, 0.0
    weight = (time_s - times_s[before]) / (times_s[after] - times_s[before])
    if abs(weight - round(weight)) <= NEAR_A_FRAME:
        weight = round(weight)
    return before, after, float(np.clip(weight, 0, 1))


class _RegriddedFrames:
    """The frames of a movie on the study's pixels, and how much of their flux lies outside."""

    def __init__(self, movie: StoredMovie, settings: MovieFormat):
        pixel_rad = settings.field_of_view_uas / settings.resolution * RAD_PER_UAS
        self._regrid = Regridding.between(
            movie.dataset.shape[1:], movie.facts.pixel_rad, settings.resolution, pixel_rad
        )
        self._movie, self._field_of_view_uas = movie, settings.field_of_view_uas
        self._flux_jy = self._flux_inside_jy = 0.0

    def read(self, number: int) -> np.ndarray:
        """Return frame `number` (y, x) in Jy per pixel of the study, float64."""
        frame = self._movie.read_frame(number)
        regridded = self._regrid(frame)
        self._flux_jy += frame.sum(dtype=np.float64)
        self._flux_inside_jy += regridded.sum()
        return regridded

    def warn_of_flux_outside(self) -> None:
        outside = 1 - self._flux_inside_jy / self._flux_jy
        if outside > OUTSIDE:
            logger.warning(
                "%.1f%% of the flux of %s lies outside the %g microarcseconds of data.blackhole.field_of_view_uas: %s",
                100 * outside,
                self._movie.facts.source,
                self._field_of_view_uas,
                self._movie.facts.file,
            )


def _window_starts(movie: StoredMovie, settings: MovieFormat) -> list[int]:
    """Return where windows start, in frames of the study's cadence."""
    duration_s = movie.facts.times_s[-1]
    n_frames = int(duration_s / settings.cadence_s + NEAR_A_FRAME) + 1
    if n_frames < settings.frames:
        raise InputError(
            f"{movie.facts.source} has {n_frames} frames at {settings.cadence_s:g} s, the study needs "
            f"{settings.frames}: {movie.facts.file}; ingest it again or drop it with data.blackhole.exclude"
        )
    return window_starts(n_frames, settings.frames, settings.windows_per_movie)


def _interpolated(frames: _RegriddedFrames, times_s: np.ndarray, wanted_s: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the frames at the increasing times `wanted_s`; each frame is read once."""
    kept: dict[int, np.ndarray] = {}
    for time_s in wanted_s:
        before, after, weight = between_frames(times_s, time_s)
        weights = {number: part for number, part in ((before, 1 - weight), (after, weight)) if part}
        kept = {number: kept[number] if number in kept else frames.read(number) for number in weights}
        yield sum((part * kept[number] for number, part in weights.items()), start=np.zeros(()))


def _as_video(name: str, brightness: np.ndarray, movie: StoredMovie, settings: MovieFormat) -> PreparedVideo:
    """Return `brightness` (time, y, x) as a video from -1 (dark) to 1 (its maximum).

    Rounding errors below zero are dark; brightness that is really negative stays what it is, below -1.
    """
    peak = float(brightness.max())
    if not peak > 0:
        raise InputError(
            f"{name} has no flux within {settings.field_of_view_uas:g} microarcseconds: {movie.facts.file}; raise "
            "data.blackhole.field_of_view_uas or drop it with data.blackhole.exclude"
        )
    brightness = np.where((brightness < 0) & (brightness > -ROUNDING * peak), 0, brightness)
    scale = 2 / peak
    return PreparedVideo(
        video=name,
        subject=movie.facts.subject,
        source=movie.facts.source,
        scale=scale,
        offset=-1.0,
        frames=(scale * brightness - 1)[:, None].astype(np.float32),
    )
