"""What every reader of frames, one image a file, says of a file before its pixels are read."""

from dataclasses import dataclass
from math import nan

from step.errors import InputError

REMEDY = "drop it with data.blackhole.exclude"


@dataclass(frozen=True)
class FrameHeader:
    """What a file says of its image."""

    shape: tuple[int, int]  # (y, x)
    pixel_rad: float | None = None  # None where the file does not say it
    time_s: float | None = None  # of a clock that the frames of a movie share; None where the file does not say it
    ra_h: float = nan  # this and the following are nan where the file does not say it
    dec_deg: float = nan
    rf_hz: float = nan
    mjd: float = nan


def square_pixel(width_rad: float, height_rad: float, file: object) -> float:
    """Return the side of a pixel, rad; raises `InputError` where it is no positive number, or pixels are not square."""
    if not (0 < width_rad < 1 and 0 < height_rad < 1):
        raise InputError(f"a pixel is {width_rad:g} by {height_rad:g} rad: {file}; correct its header or {REMEDY}")
    if abs(width_rad - height_rad) > 1e-5 * height_rad:
        raise InputError(
            f"pixels are not square, {width_rad:.6g} by {height_rad:.6g} rad: {file}; resample the image or {REMEDY}"
        )
    return width_rad
