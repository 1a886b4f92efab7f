"""Images as FITS files, one a file, as BHAC and ehtim write them: (y, x), or planes with Stokes I first."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

from step.domains.blackhole.raw_frames import REMEDY, FrameHeader, square_pixel
from step.errors import InputError

PER_PIXEL = ("JY/PIXEL", "JY/PIX")
DEGREE = ("DEG", "DEGREE", "DEGREES")


def read_header(path: Path) -> FrameHeader:
    """Return what the file says of its image; raises `InputError` where it is incomplete or in other units.

    The time is that of day in `MJD`. As ehtim does, the signs of CDELT1 and CDELT2 are passed over: east is left.
    """
    with _open_image(path) as image:
        for name, units in (("BUNIT", PER_PIXEL), ("CUNIT1", DEGREE), ("CUNIT2", DEGREE)):
            unit = str(image.header.get(name, "")).strip()
            if unit and unit.upper() not in units:
                raise InputError(f"{name} is {unit}, not {units[0]}: {path}; convert the image or {REMEDY}")
        degrees = [_require_number(image, name, path) for name in ("CDELT1", "CDELT2")]
        ra_deg, dec_deg = (_first_number(image, names, path) for names in (("OBSRA", "CRVAL1"), ("OBSDEC", "CRVAL2")))
        width_rad, height_rad = np.abs(np.deg2rad(degrees))
        mjd = _first_number(image, ("MJD",), path)
        return FrameHeader(
            shape=image.shape[-2:],
            pixel_rad=square_pixel(width_rad, height_rad, path),
            time_s=None if np.isnan(mjd) else mjd * 86400,
            ra_h=ra_deg / 15,
            dec_deg=dec_deg,
            rf_hz=_first_number(image, ("FREQ",), path),
            mjd=mjd,
        )


def read_frame(path: Path) -> np.ndarray:
    """Return the image (y, x) as displayed, row 0 the top, in Jy per pixel."""
    with _open_image(path) as image:
        # FITS counts rows from the bottom.
        return np.array(image.section[(0,) * (len(image.shape) - 2)][::-1])


@contextmanager
def _open_image(path: Path) -> Iterator[fits.PrimaryHDU]:
    """Yield the primary image of the file; raises `InputError` where it is damaged or is no image."""
    _check_file(path)
    # What astropy would warn of and then go on is checked here.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)
        try:
            with fits.open(path) as file:
                _check_image(file[0], path)
                yield file[0]
        except (OSError, ValueError, fits.VerifyError) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"cannot read {path}: {reason}; copy it again or {REMEDY}") from None


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"no file {path}; copy it again or {REMEDY}")
    with path.open("rb") as file:
        # astropy would unpack what is compressed, however large.
        if file.read(6) != b"SIMPLE":
            raise InputError(f"{path} is not FITS; copy it again, unpack it, or {REMEDY}")


def _check_image(image: fits.PrimaryHDU, path: Path) -> None:
    if len(image.shape) < 2 or 0 in image.shape:
        raise InputError(f"the first part has no image, its shape is {image.shape}: {path}; {REMEDY}")
    if np.prod(image.shape[:-2]) > 4:
        raise InputError(
            f"the image has shape {image.shape}, which is more than planes of Stokes I, Q, U, V: {path}; {REMEDY}"
        )
    place, size = image.fileinfo(), path.stat().st_size
    if place["datLoc"] + place["datSpan"] > size:
        raise InputError(f"cannot read {path}: it is cut short, {size} bytes; copy it again or {REMEDY}")


def _require_number(image: fits.PrimaryHDU, name: str, path: Path) -> float:
    value = _first_number(image, (name,), path)
    if np.isnan(value):
        raise InputError(f"no {name} in the header: {path}; write it, or {REMEDY}")
    return value


def _first_number(image: fits.PrimaryHDU, names: tuple[str, ...], path: Path) -> float:
    """Return the first of `names` that the header has, nan where it has none."""
    for name in names:
        if name in image.header:
            value = image.header[name]
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise InputError(f"{name} in the header is {value!r}, not a number: {path}; correct it or {REMEDY}")
            return float(value)
    return np.nan
