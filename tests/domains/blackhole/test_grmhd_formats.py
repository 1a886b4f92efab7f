from pathlib import Path

import h5py
import numpy as np
import pytest
from grmhd_files import UAS, flux_images, write_ehtim, write_fits, write_ipole, write_npy
from step.domains.blackhole import fits_frames
from step.domains.blackhole import ingest as blackhole
from step.domains.blackhole.data import MovieFiles
from step.errors import InputError
from step.io.movies import StoredMovie, read_movies

REAL_IMAGES = Path(__file__).parents[2].parent / "shared/data/blackhole_images"
CADENCE_S = 102.0
CADENCE_M = 5  # GM/c^3 of Sgr A*
HOURS = CADENCE_S / 3600


def files(file_format: str, folder: str = "movies", **values: float) -> MovieFiles:
    return MovieFiles(folder=folder, format=file_format, **{"pixel_uas": None, "cadence_s": None, **values})


def settings(movies: MovieFiles, **changes: object) -> blackhole.Settings:
    values = {"exclude": (), "single_images": None, "simulation_pattern": None, "frames": 4, "cadence_s": CADENCE_S}
    return blackhole.Settings(movies=movies, **{**values, **changes})


def ingested(tmp_path: Path, chosen: blackhole.Settings, *subjects: str) -> list[tuple[StoredMovie, np.ndarray]]:
    """Return the movies and image sets of the raw store, and the frames of each."""
    blackhole.ingest(chosen, tmp_path / "raw", subjects or ["a"], tmp_path / "out/store.h5")
    return [
        (movie, np.stack([movie.read_frame(number) for number in range(len(movie.dataset))]))
        for movie in read_movies(tmp_path / "out/store.h5")
    ]


def write_movie(folder: Path, file_format: str, images: np.ndarray) -> None:
    """Write `images` as movie ``a`` in the given format, frames in files whose names are not in order of time."""
    for number, image in enumerate(images):
        name = folder / f"a/{(number * 7 + 3) % 11}"
        if file_format == "ipole":
            write_ipole(name.with_suffix(".h5"), image, time_m=1000.0 + CADENCE_M * number)
        elif file_format == "fits":
            write_fits(name.with_suffix(".fits"), image, MJD=57850 + number * HOURS / 24)
        elif file_format == "npy":
            write_npy(folder / f"a/{number:05d}.npy", image)
    if file_format == "ehtim":
        write_ehtim(folder / "a.h5", images, 12 + HOURS * np.arange(len(images)))


@pytest.mark.slow
@pytest.mark.parametrize("file_format", ["ehtim", "ipole", "fits", "npy"])
def test_movies_of_every_format_keep_frames_order_times_and_pixels(tmp_path, file_format):
    images = flux_images(6)
    write_movie(tmp_path / "raw/movies", file_format, images)
    stated = {"pixel_uas": 2.0, "cadence_s": CADENCE_S} if file_format == "npy" else {}
    ((movie, frames),) = ingested(tmp_path, settings(files(file_format, **stated)))
    np.testing.assert_allclose(frames, images, rtol=1e-6)
    np.testing.assert_allclose(frames.sum((1, 2), dtype=float), images.sum((1, 2)), rtol=1e-6)
    np.testing.assert_allclose(movie.facts.times_s, CADENCE_S * np.arange(6), atol=1e-4)
    assert movie.facts.pixel_rad == pytest.approx(2 * UAS, rel=1e-6)
    assert (movie.facts.source, movie.facts.subject, movie.facts.kind) == ("a", "a", "movie")
    assert movie.facts.file == ("movies/a.h5" if file_format == "ehtim" else "movies/a")


def test_the_raw_store_holds_one_compressed_chunk_a_frame_with_units(tmp_path):
    write_movie(tmp_path / "raw/movies", "ehtim", flux_images(4))
    ingested(tmp_path, settings(files("ehtim")))
    with h5py.File(tmp_path / "out/store.h5") as file:
        frames = file["movies/a/frames"]
        assert frames.dtype == np.float32
        assert (frames.chunks, frames.compression, frames.compression_opts, frames.shuffle) == (
            (1, 10, 10),
            "gzip",
            1,
            True,
        )
        assert frames.attrs["units"] == "Jy per pixel"


def test_what_the_header_says_is_kept(tmp_path):
    write_movie(tmp_path / "raw/movies", "ehtim", flux_images(4))
    ((movie, _),) = ingested(tmp_path, settings(files("ehtim")))
    facts = movie.facts
    assert (facts.ra_h, facts.dec_deg, facts.rf_hz, facts.mjd) == (17.76, -29.0, 230e9, 57850.5)
    write_movie(tmp_path / "raw/frames", "ipole", flux_images(4))
    ((movie, _),) = ingested(tmp_path, settings(files("ipole", "frames")))
    assert movie.facts.rf_hz == 230e9
    assert np.isnan([movie.facts.ra_h, movie.facts.dec_deg, movie.facts.mjd]).all()


def test_an_ehtim_movie_is_what_ehtim_reads(tmp_path):
    ehtim_movie = pytest.importorskip("ehtim.movie")
    path = write_ehtim(tmp_path / "raw/movies/a.h5", flux_images(4, (8, 10)), HOURS * np.arange(4))
    ((_, frames),) = ingested(tmp_path, settings(files("ehtim")))
    movie = ehtim_movie.load_hdf5(str(path))
    np.testing.assert_allclose(frames, movie.frames.reshape(4, 8, 10), rtol=1e-6)
    assert frames.sum((1, 2), dtype=float) == pytest.approx(movie.lightcurve, rel=1e-6)


@pytest.mark.parametrize("dataset", ["pol", "unpol"])
def test_an_ipole_image_is_the_right_way_up(tmp_path, dataset):
    image = flux_images(1, (6, 9))[0]
    write_ipole(tmp_path / "raw/movies/a/0.h5", image, **{{"pol": "unpol", "unpol": "pol"}[dataset]: None})
    ((_, frames),) = ingested(tmp_path, settings(files("ipole"), frames=1))
    np.testing.assert_allclose(frames[0], image, rtol=1e-6)


def test_an_ipole_image_is_what_ehtim_reads(tmp_path):
    ehtim_image = pytest.importorskip("ehtim.image")
    path = write_ipole(tmp_path / "raw/movies/a/0.h5", flux_images(1)[0])
    ((movie, frames),) = ingested(tmp_path, settings(files("ipole"), frames=1))
    image = ehtim_image.load_image(str(path))
    np.testing.assert_allclose(frames[0], image.imarr("I"), rtol=1e-6)
    assert frames.sum(dtype=float) == pytest.approx(image.total_flux(), rel=1e-6)
    assert movie.facts.pixel_rad == pytest.approx(image.psize, rel=1e-5)


@pytest.mark.parametrize("planes", [None, 1, 4])
def test_a_fits_image_is_what_ehtim_reads(tmp_path, planes):
    ehtim_image = pytest.importorskip("ehtim.image")
    image = flux_images(1)[0]
    path = write_fits(tmp_path / "raw/movies/a/0.fits", image, planes=planes, MJD=57850.5)
    ((movie, frames),) = ingested(tmp_path, settings(files("fits"), frames=1))
    np.testing.assert_allclose(frames[0], image, rtol=1e-6)
    if planes == 1:  # which ehtim cannot read
        return
    oracle = ehtim_image.load_fits(str(path))
    np.testing.assert_allclose(frames[0], oracle.imarr("I"), rtol=1e-6)
    assert frames.sum(dtype=float) == pytest.approx(oracle.total_flux(), rel=1e-6)
    facts = movie.facts
    assert (facts.pixel_rad, facts.ra_h) == pytest.approx((oracle.psize, oracle.ra))
    assert (facts.dec_deg, facts.rf_hz, facts.mjd) == (oracle.dec, oracle.rf, 57850.5)


def test_a_fits_image_that_ehtim_writes_comes_back(tmp_path):
    ehtim_image = pytest.importorskip("ehtim.image")
    empty = ehtim_image.make_empty(17, 34 * UAS, 17.76, -29.0)
    image = empty.add_gauss(2.4, (15 * UAS, 9 * UAS, 0.5, 3 * UAS, 0))
    path = tmp_path / "raw/movies/a/0.fits"
    path.parent.mkdir(parents=True)
    image.save_fits(str(path))
    ((movie, frames),) = ingested(tmp_path, settings(files("fits"), frames=1))
    np.testing.assert_allclose(frames[0], image.imarr("I"), rtol=1e-6)
    assert movie.facts.pixel_rad == pytest.approx(image.psize)


@pytest.mark.skipif(not REAL_IMAGES.is_dir(), reason="the real images are not here")
def test_real_fits_images_are_what_ehtim_reads():
    ehtim_image = pytest.importorskip("ehtim.image")
    paths = sorted(REAL_IMAGES.glob("*.fits"))
    assert len(paths) > 3
    for path in paths:
        oracle = ehtim_image.load_fits(str(path))
        np.testing.assert_allclose(fits_frames.read_frame(path), oracle.imarr("I"), rtol=1e-6)
        assert fits_frames.read_header(path).pixel_rad == pytest.approx(oracle.psize)


@pytest.mark.skipif(not REAL_IMAGES.is_dir(), reason="the real images are not here")
def test_real_images_are_sets_of_their_own(tmp_path):
    paths = sorted(REAL_IMAGES.glob("*.fits"))
    images = tmp_path / "raw/images"
    images.mkdir(parents=True)
    for path in paths:
        (images / path.name).symlink_to(path)
    chosen = settings(files("ehtim"), single_images=files("fits", "images"))
    found = ingested(tmp_path, chosen, *(path.stem for path in paths))
    assert [(movie.facts.kind, movie.facts.subject) for movie, _ in found] == [("image", path.stem) for path in paths]
    assert all(frames.sum() > 0.1 for _, frames in found)


@pytest.mark.slow
@pytest.mark.parametrize("file_format", ["ehtim", "ipole", "fits", "npy"])
def test_single_images_need_no_times(tmp_path, file_format):
    images, folder = flux_images(3), tmp_path / "raw/images/a"
    for number, image in enumerate(images):
        if file_format == "ipole":
            write_ipole(folder / f"{number}.h5", image, t=None, T_unit=None)
        elif file_format == "fits":
            write_fits(folder / f"{number}.fits", image)
        elif file_format == "npy":
            write_npy(folder / f"{number}.npy", image)
    if file_format == "ehtim":
        write_ehtim(folder / "stills.h5", images, np.array([5.0, 3.0, 3.0]))
    stated = {"pixel_uas": 2.0} if file_format == "npy" else {}
    chosen = settings(files("ehtim"), single_images=files(file_format, "images", **stated))
    ((movie, frames),) = ingested(tmp_path, chosen)
    np.testing.assert_allclose(frames, images, rtol=1e-6)
    assert (movie.facts.subject, movie.facts.kind, len(movie.facts.times_s)) == ("a", "image", 0)


def test_a_single_image_may_lack_the_time_that_others_have(tmp_path):
    for number, image in enumerate(flux_images(2)):
        write_fits(tmp_path / f"raw/images/a/{number}.fits", image, MJD=57850.0 if number else None)
    chosen = settings(files("ehtim"), single_images=files("fits", "images"))
    ((_, frames),) = ingested(tmp_path, chosen)
    np.testing.assert_allclose(frames, flux_images(2), rtol=1e-6)


def test_frames_without_times_come_in_the_order_of_the_numbers_in_their_names(tmp_path):
    images = flux_images(12)
    for number, image in enumerate(images):
        write_npy(tmp_path / f"raw/movies/a/frame_{number}.npy", image)
    ((_, frames),) = ingested(tmp_path, settings(files("npy", pixel_uas=2.0, cadence_s=CADENCE_S)))
    np.testing.assert_allclose(frames, images, rtol=1e-6)


def test_frames_that_all_say_one_time_have_none(tmp_path):
    images = flux_images(4)
    for number, image in enumerate(images):
        write_fits(tmp_path / f"raw/movies/a/{number}.fits", image, MJD=51544.0)
    with pytest.raises(InputError, match=r"set data\.blackhole\.movies\.cadence_s"):
        ingested(tmp_path, settings(files("fits")))
    ((movie, frames),) = ingested(tmp_path, settings(files("fits", cadence_s=51.0), frames=2))
    np.testing.assert_allclose(frames, images, rtol=1e-6)
    np.testing.assert_array_equal(movie.facts.times_s, [0, 51, 102, 153])


@pytest.mark.parametrize("missing", [("dx", "dy"), ("fovx_dsource", "fovy_dsource")])
def test_one_of_two_camera_widths_is_enough(tmp_path, missing):
    write_ipole(tmp_path / "raw/movies/a/0.h5", flux_images(1)[0], **dict.fromkeys(missing))
    ((movie, _),) = ingested(tmp_path, settings(files("ipole"), frames=1))
    assert movie.facts.pixel_rad == pytest.approx(2 * UAS, rel=1e-6)


def ehtim(**changes):
    """Return a writer of an ehtim movie of 4 frames with other `images`, `times_h` or header."""

    def write(folder: Path) -> None:
        values = {"frames": flux_images(4), "times_h": HOURS * np.arange(4), **changes}
        write_ehtim(folder / "a.h5", **values)

    return write


def ipole(**changes):
    """Return a writer of an ipole movie whose third frame has other entries, or another `image`."""

    def write(folder: Path) -> None:
        for number, image in enumerate(flux_images(4)):
            values = {"image": image, "time_m": CADENCE_M * number, **(changes if number == 2 else {})}
            write_ipole(folder / f"a/{number}.h5", **values)

    return write


def fits(**changes):
    """Return a writer of a FITS movie whose third frame has other cards, or another `image`."""

    def write(folder: Path) -> None:
        for number, image in enumerate(flux_images(4)):
            values = {"image": image, "MJD": 57850 + number * HOURS / 24, **(changes if number == 2 else {})}
            write_fits(folder / f"a/{number}.fits", **values)

    return write


def npy(third: np.ndarray):
    """Return a writer of an npy movie with another `third` frame."""

    def write(folder: Path) -> None:
        for number, image in enumerate(flux_images(4)):
            path = write_npy(folder / f"a/{number}.npy", image)
            if number == 2:
                np.save(path, third, allow_pickle=third.dtype == object)

    return write


def cut_short(write, name: str):
    """Return a writer that leaves a tenth of file `name` out."""

    def spoil(folder: Path) -> None:
        write(folder)
        path = folder / name
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 9 // 10])

    return spoil


def not_even(write, name: str, content: bytes = b"no data"):
    """Return a writer that replaces file `name` by something else."""

    def spoil(folder: Path) -> None:
        write(folder)
        (folder / name).write_bytes(content)

    return spoil


def spoilt(value: float, shape: tuple[int, int] = (10, 10)) -> np.ndarray:
    image = flux_images(1, shape)[0]
    image[3, 4] = value
    return image


def second_of_four(image: np.ndarray) -> np.ndarray:
    images = flux_images(4)
    images[1] = image
    return images


def linking_header(folder: Path) -> None:
    ipole()(folder)
    write_ipole(folder.parent / "other.h5", flux_images(1)[0])
    with h5py.File(folder / "a/2.h5", "r+") as file:
        del file["header"]
        file["header"] = h5py.ExternalLink(str(folder.parent / "other.h5"), "header")


def claiming_gigabytes(folder: Path) -> None:
    ipole(pol=None, unpol=None)(folder)
    with h5py.File(folder / "a/2.h5", "r+") as file:
        file.create_dataset("pol", (10**5, 10**5, 5), np.float64, chunks=(1000, 1000, 5))


def with_a_giant_npy_header(folder: Path) -> None:
    npy(flux_images(1)[0])(folder)
    with (folder / "a/2.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": (10**6, 10**6)})


EHTIM, IPOLE, FITS = files("ehtim"), files("ipole"), files("fits")
NPY = files("npy", pixel_uas=2.0, cadence_s=CADENCE_S)
ZEROS, SMALL = np.zeros((10, 10)), flux_images(1, (8, 8))[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("movies", "write", "file", "says"),
    [
        (EHTIM, ehtim(frames=second_of_four(spoilt(np.nan))), "frame 1 of", "1 pixels of 100 are not finite"),
        (EHTIM, ehtim(frames=second_of_four(spoilt(np.inf))), "frame 1 of", "1 pixels of 100 are not finite"),
        (EHTIM, ehtim(frames=second_of_four(ZEROS)), "frame 1 of", "total flux is 0 Jy"),
        (EHTIM, ehtim(frames=second_of_four(spoilt(-9.0))), "frame 1 of", "total flux is -"),
        (EHTIM, ehtim(psize=None), "a.h5", "lacks psize"),
        (EHTIM, ehtim(times_h=HOURS * np.array([0, 2, 1, 3])), "a.h5", "times do not increase, frame 2"),
        (EHTIM, ehtim(times_h=HOURS * np.array([0, 1, 1, 3])), "a.h5", "times do not increase, frame 2"),
        (EHTIM, ehtim(times_h=np.array([0, np.nan, 1, 3])), "a.h5", "times do not increase, frame 1"),
        (EHTIM, ehtim(times_h=HOURS * np.array([0, 1, 2.9, 3.9])), "a.h5", "frames are up to 193.8 s apart"),
        (EHTIM, ehtim(times_h=HOURS * np.arange(4) * 0.9), "a.h5", "movie has 3 frames at 102 s, lasting 275.4 s"),
        (EHTIM, cut_short(ehtim(), "a.h5"), "a.h5", "cut short"),
        (EHTIM, not_even(ehtim(), "a.h5"), "a.h5", "not HDF5"),
        (files("ehtim", pixel_uas=2.1), ehtim(), "a.h5", "2 microarcsecond, data.blackhole.movies.pixel_uas is 2.1"),
        (files("ehtim", cadence_s=90.0), ehtim(), "a.h5", "102 s apart, data.blackhole.movies.cadence_s is 90"),
        (IPOLE, ipole(dy=30.0, fovy_dsource=None), "2.h5", "pixels are not square"),
        (IPOLE, ipole(fovx_dsource=20.1), "2.h5", "20 microarcseconds wide, fovx_dsource 20.1"),
        (IPOLE, ipole(dx=None, fovx_dsource=None), "2.h5", "no header/camera/dx"),
        (IPOLE, ipole(dx=np.nan), "2.h5", "header/camera/dx is nan"),
        (IPOLE, ipole(dx="wide"), "2.h5", "header/camera/dx is object of shape (), not a number"),
        (IPOLE, ipole(dx=np.ones(3)), "2.h5", "not a number"),
        (IPOLE, ipole(nx=12), "2.h5", "header/camera/nx is 12, the image has 10"),
        (IPOLE, ipole(scale=None), "2.h5", "no header/scale"),
        (IPOLE, ipole(L_unit=None), "2.h5", "no header/units/L_unit"),
        (IPOLE, ipole(T_unit=None), "2.h5", "no header/units/T_unit"),
        (IPOLE, ipole(t=None), "2.h5", "does not say its time"),
        (IPOLE, ipole(time_m=5.0), "2.h5", "are both of time 102 s"),
        (IPOLE, ipole(pol=None, unpol=None), "2.h5", "no variable unpol"),
        (IPOLE, ipole(pol=np.ones((10, 10))), "2.h5", "pol is float64 of shape (10, 10)"),
        (IPOLE, ipole(image=spoilt(np.nan)), "2.h5", "not finite"),
        (IPOLE, ipole(image=ZEROS), "2.h5", "total flux is 0 Jy"),
        (IPOLE, ipole(image=SMALL), "2.h5", "different sizes (y, x), (8, 8)"),
        (IPOLE, ipole(pixel_uas=2.5), "2.h5", "different pixels, of 2.5 microarcsecond"),
        (IPOLE, cut_short(ipole(), "a/2.h5"), "2.h5", "cut short"),
        (IPOLE, linking_header, "2.h5", "keeps its data in another file"),
        (IPOLE, claiming_gigabytes, "2.h5", "pol claims shape (100000, 100000, 5)"),
        (FITS, fits(CDELT2=1e-9), "2.fits", "pixels are not square"),
        (FITS, fits(CDELT1=None), "2.fits", "no CDELT1 in the header"),
        (FITS, fits(CDELT1="small"), "2.fits", "CDELT1 in the header is 'small'"),
        (FITS, fits(CDELT1=0.0, CDELT2=0.0), "2.fits", "a pixel is 0 by 0 rad"),
        (FITS, fits(BUNIT="JY/BEAM"), "2.fits", "BUNIT is JY/BEAM, not JY/PIXEL"),
        (FITS, fits(CUNIT1="rad"), "2.fits", "CUNIT1 is rad"),
        (FITS, fits(MJD=None), "2.fits", "does not say its time"),
        (FITS, fits(MJD=57850.0), "2.fits", "are both of time"),
        (FITS, fits(image=spoilt(np.nan)), "2.fits", "not finite"),
        (FITS, fits(image=-flux_images(1)[0]), "2.fits", "total flux is -2.4 Jy"),
        (FITS, fits(image=SMALL), "2.fits", "different sizes"),
        (FITS, fits(pixel_uas=2.5), "2.fits", "different pixels"),
        (FITS, fits(image=flux_images(5)), "2.fits", "more than planes of Stokes"),
        (FITS, fits(image=np.ones(10)), "2.fits", "the first part has no image"),
        (FITS, cut_short(fits(), "a/2.fits"), "2.fits", "cut short"),
        (FITS, not_even(fits(), "a/2.fits"), "2.fits", "not FITS"),
        (FITS, not_even(fits(), "a/2.fits", b"SIMPLE  = T"), "2.fits", "cannot read"),
        (files("npy"), npy(flux_images(1)), "movies/a", "set data.blackhole.movies.pixel_uas"),
        (files("npy", pixel_uas=2.0), npy(flux_images(1)), "movies/a", "set data.blackhole.movies.cadence_s"),
        (NPY, npy(SMALL), "2.npy", "different sizes"),
        (NPY, npy(flux_images(3)), "2.npy", "shape (3, 10, 10)"),
        (NPY, npy(flux_images(1) + 1j), "2.npy", "complex128"),
        (NPY, npy(spoilt(np.nan)), "2.npy", "not finite"),
        (NPY, npy(spoilt(1e300)), "2.npy", "not finite"),
        (NPY, npy(ZEROS), "2.npy", "total flux is 0 Jy"),
        (NPY, npy(np.array([{"a": 1}], object)), "2.npy", "cannot read"),
        (NPY, cut_short(npy(flux_images(1)), "a/2.npy"), "2.npy", "cannot read"),
        (NPY, not_even(npy(SMALL), "a/2.npy"), "2.npy", "cannot read"),
        (NPY, not_even(npy(SMALL), "a/2.npy", b""), "2.npy", "cannot read"),
        (NPY, with_a_giant_npy_header, "2.npy", "cannot read"),
    ],
)
def test_bad_files_end_in_one_line_with_file_and_remedy_and_leave_nothing_behind(tmp_path, movies, write, file, says):
    write(tmp_path / "raw/movies")
    with pytest.raises(InputError) as caught:
        ingested(tmp_path, settings(movies))
    message = str(caught.value)
    assert says in message
    assert file in message
    assert "; " in message
    assert "\n" not in message
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(("frames", "cadence_s"), [(4, 102.9), (4, 101.5), (2, 204.0), (7, 51.0)])
def test_a_movie_is_long_and_fine_enough_or_refused(tmp_path, frames, cadence_s):
    ehtim(frames=flux_images(4), times_h=HOURS * np.arange(4))(tmp_path / "raw/movies")
    chosen = settings(EHTIM, frames=frames, cadence_s=cadence_s)
    if cadence_s in (101.5, 204.0):
        assert len(ingested(tmp_path, chosen)) == 1
    else:
        reason = {102.9: "movie has 3 frames at 102.9 s", 51.0: "up to 102 s apart, the study needs 51 s"}[cadence_s]
        with pytest.raises(InputError, match=reason):
            ingested(tmp_path, chosen)


def test_an_unknown_subject_is_named(tmp_path):
    ehtim()(tmp_path / "raw/movies")
    with pytest.raises(InputError, match=r"no files of subject b under .*data\.blackhole\.exclude"):
        ingested(tmp_path, settings(EHTIM), "a", "b")
