"""FITS images of a video's frames: where on the sky they lie, as the field's programs read it."""

import contextlib
import io

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from step.domains.blackhole import fits_frames
from step.io.eht_movies import EhtMovieHeader
from step.io.fits_images import write_fits_frame
from step.physics.eht_imaging import eht_imaging
from step.units import RAD_PER_UAS

SGRA = EhtMovieHeader(4 * RAD_PER_UAS, "SGRA", ra_h=17.761121, dec_deg=-29.007843, rf_hz=227e9, mjd=57850)


@pytest.fixture(params=[(5, 6), (8, 8)], ids=["odd rows", "even"])
def frame(request) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 1e-3, request.param)


def test_the_middle_of_the_frame_is_at_the_source(tmp_path, frame):
    write_fits_frame(tmp_path / "a.fits", SGRA, 12.5, frame)
    with fits.open(tmp_path / "a.fits") as parts:
        sky, header = WCS(parts[0].header), parts[0].header
    assert list(sky.wcs.ctype) == ["RA---SIN", "DEC--SIN"]
    assert [header["CUNIT1"], header["CUNIT2"]] == ["deg", "deg"]
    source = [17.761121 * 15, -29.007843]
    middle = [[(n + 1) / 2 for n in frame.shape[::-1]]]
    np.testing.assert_allclose(sky.wcs_pix2world(middle, 1)[0], source, atol=1e-9)
    np.testing.assert_allclose(sky.wcs_world2pix([source], 1)[0], middle[0], atol=1e-6)


def test_a_pixel_to_the_right_is_west_and_one_up_is_north(tmp_path, frame):
    write_fits_frame(tmp_path / "a.fits", SGRA, 12.5, frame)
    sky = WCS(str(tmp_path / "a.fits"))
    middle = np.array([(n + 1) / 2 for n in frame.shape[::-1]])
    here, right, up = sky.wcs_pix2world(middle + np.array([[0, 0], [1, 0], [0, 1]]), 1)
    side = 4 / 3600e6
    np.testing.assert_allclose((right - here) * [np.cos(np.deg2rad(-29.007843)), 1], [-side, 0], atol=1e-3 * side)
    np.testing.assert_allclose(up - here, [0, side], atol=1e-3 * side)


def test_eht_imaging_and_we_read_what_was_written(tmp_path):
    square = np.random.default_rng(0).uniform(0, 1e-3, (8, 8))
    path = tmp_path / "a.fits"
    write_fits_frame(path, SGRA, 12.5, square)
    with contextlib.redirect_stdout(io.StringIO()):
        image = eht_imaging().image.load_fits(str(path))
    np.testing.assert_allclose(image.imarr(), square, rtol=1e-12)
    assert (image.ra, image.dec) == pytest.approx((17.761121, -29.007843), abs=1e-9)
    assert (image.source, image.mjd, image.time) == ("SGRA", 57850, pytest.approx(12.5))
    np.testing.assert_array_equal(fits_frames.read_frame(path), square)
    header = fits_frames.read_header(path)
    assert (header.ra_h, header.dec_deg) == pytest.approx((17.761121, -29.007843), abs=1e-9)
    assert header.pixel_rad == pytest.approx(4 * RAD_PER_UAS)
