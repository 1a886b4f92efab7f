"""Frames of a black hole video as FITS images, as eht-imaging reads them."""

from pathlib import Path

import numpy as np
from astropy.io import fits

from step.io.atomic import whole_file
from step.io.eht_movies import EhtMovieHeader, ascii_text


def write_fits_frame(path: Path, header: EhtMovieHeader, time_h: float, frame: np.ndarray) -> None:
    """Write `frame` (y, x), Jy per pixel, north up and east to the left, as it is at `time_h` UTC.

    The middle of the frame, by FITS' count of pixels from 1, is at the source's coordinates. Characters of its name
    that FITS does not know are written as escapes, ``\\xe9``.
    """
    image = fits.PrimaryHDU(np.ascontiguousarray(frame[::-1], np.float64))  # FITS counts rows from the bottom
    degrees = np.rad2deg(header.pixel_rad)
    n_rows, n_columns = frame.shape
    image.header.update(
        OBJECT=ascii_text(header.source),
        CTYPE1="RA---SIN",
        CTYPE2="DEC--SIN",
        CUNIT1="deg",
        CUNIT2="deg",
        CRVAL1=header.ra_h * 15,
        CRVAL2=header.dec_deg,
        CDELT1=-degrees,
        CDELT2=degrees,
        CRPIX1=(n_columns + 1) / 2,
        CRPIX2=(n_rows + 1) / 2,
        OBSRA=header.ra_h * 15,
        OBSDEC=header.dec_deg,
        FREQ=header.rf_hz,
        MJD=header.mjd + time_h / 24,
        BUNIT="JY/PIXEL",
        STOKES="I",
    )
    with whole_file(path) as part, part.open("wb") as file:
        image.writeto(file)
