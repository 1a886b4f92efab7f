from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from step.errors import InputError
from step.io.eht_movies import EhtMovieHeader, open_eht_movie, write_eht_movie

HEADER = EhtMovieHeader(
    pixel_rad=2.0 / 3600e6 * np.pi / 180, source="SgrA", ra_h=17.761, dec_deg=-29.008, rf_hz=230e9, mjd=57850
)
TIMES_H = np.array([12.0, 12.1, 12.25])


@pytest.fixture
def frames() -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 1e-3, (3, 6, 8))


def test_ehtim_reads_the_frames_times_and_header_that_we_write(tmp_path, frames):
    ehtim_movie = pytest.importorskip("ehtim.movie")
    write_eht_movie(tmp_path / "movie.h5", HEADER, TIMES_H, iter(frames))
    movie = ehtim_movie.load_hdf5(str(tmp_path / "movie.h5"))
    np.testing.assert_array_equal(movie.frames.reshape(frames.shape), frames)
    np.testing.assert_array_equal(movie.times, TIMES_H)
    assert movie.lightcurve == pytest.approx(frames.sum((1, 2)), rel=1e-12)
    found = EhtMovieHeader(movie.psize, movie.source, movie.ra, movie.dec, movie.rf, movie.mjd)
    assert found == HEADER


def test_a_movie_comes_back_frame_by_frame(tmp_path, frames):
    write_eht_movie(tmp_path / "movie.h5", HEADER, TIMES_H, frames)
    with open_eht_movie(tmp_path / "movie.h5") as movie:
        assert movie.header == HEADER
        np.testing.assert_array_equal(movie.times_h, TIMES_H)
        assert movie.dataset.chunks == (1, 6, 8)
        first, *rest = movie.frames
    np.testing.assert_array_equal([first, *rest], frames)


def test_numpy_numbers_in_a_header_are_written_as_numbers(tmp_path, frames):
    header = EhtMovieHeader(
        np.float64(1e-11), "M87", np.float32(12.5), np.float64(12.4), np.int64(230), np.int64(57850)
    )
    write_eht_movie(tmp_path / "movie.h5", header, TIMES_H, frames)
    with h5py.File(tmp_path / "movie.h5") as file:
        assert dict(file["header"].attrs) == {
            "psize": b"1e-11",
            "source": b"M87",
            "ra": b"12.5",
            "dec": b"12.4",
            "rf": b"230",
            "mjd": b"57850",
            "polrep": b"stokes",
            "pol_prim": b"I",
        }


@pytest.mark.parametrize("n_frames", [2, 4])
def test_as_many_frames_as_times_are_written_or_no_file(tmp_path, n_frames):
    with pytest.raises(ValueError, match=r"3 times were given|of 3 has"):
        write_eht_movie(tmp_path / "movie.h5", HEADER, TIMES_H, np.ones((n_frames, 6, 8)))
    assert list(tmp_path.iterdir()) == []


def test_a_movie_whose_frames_fail_leaves_the_older_one(tmp_path, frames):
    def failing() -> Iterator[np.ndarray]:
        yield frames[0]
        raise InputError("no more")

    write_eht_movie(tmp_path / "movie.h5", HEADER, TIMES_H, frames)
    before = (tmp_path / "movie.h5").read_bytes()
    with pytest.raises(InputError):
        write_eht_movie(tmp_path / "movie.h5", HEADER, TIMES_H, failing())
    assert (tmp_path / "movie.h5").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def edited(edit):
    """Return what spoils a good movie by `edit` of the open file."""

    def spoil(path: Path) -> None:
        write_eht_movie(path, HEADER, TIMES_H, np.ones((3, 6, 8)))
        with h5py.File(path, "r+") as file:
            edit(file)

    return spoil


def replaced(name: str, values: np.ndarray):
    def edit(file: h5py.File) -> None:
        del file[name]
        file[name] = values

    return edited(edit)


def claiming_terabytes(file: h5py.File) -> None:
    del file["I"], file["times"]
    file.create_dataset("I", (10**6, 1000, 1000), np.float64, chunks=(1, 1000, 1000))
    file["times"] = np.arange(10.0**6)


def claiming_endless_times(file: h5py.File) -> None:
    del file["I"], file["times"]
    file.create_dataset("I", (10**12, 1, 1), np.float64, chunks=(1, 1, 1))
    file.create_dataset("times", (10**12,), np.float64, chunks=(1000,))


def claiming_a_giant_frame(file: h5py.File) -> None:
    del file["I"], file["times"]
    file.create_dataset("I", (1, 6000, 6000), np.float64, chunks=(1, 1000, 1000))
    file["times"] = [0.0]
    # Enough data to make the claim possible.
    file["ballast"] = np.ones(10**5)


def linking_to_another_file(file: h5py.File) -> None:
    other = Path(file.filename).with_name("other.h5")
    write_eht_movie(other, HEADER, TIMES_H, np.ones((3, 6, 8)))
    del file["I"]
    file["I"] = h5py.ExternalLink("other.h5", "I")


def made_of_another_file(file: h5py.File) -> None:
    other = Path(file.filename).with_name("other.h5")
    write_eht_movie(other, HEADER, TIMES_H, np.ones((3, 6, 8)))
    layout = h5py.VirtualLayout((3, 6, 8), np.float64)
    layout[:] = h5py.VirtualSource(other.name, "I", (3, 6, 8))
    del file["I"]
    file.create_virtual_dataset("I", layout)


def cut_short(path: Path) -> None:
    write_eht_movie(path, HEADER, TIMES_H, np.ones((3, 6, 8)))
    path.write_bytes(path.read_bytes()[:-300])


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda path: path.write_text("no data"), "not HDF5"),
        (cut_short, "cut short"),
        (edited(lambda file: file.pop("I")), "no variable I"),
        (edited(lambda file: file.pop("times")), "no variable times"),
        (edited(lambda file: file.pop("header")), "no variable header"),
        (edited(lambda file: file["header"].attrs.pop("psize")), "lacks psize"),
        (edited(lambda file: file["header"].attrs.update(rf=b"high")), "rf in the header is 'high'"),
        (edited(lambda file: file["header"].attrs.update(psize=b"-1")), "psize -1 rad"),
        (edited(lambda file: file["header"].attrs.update(mjd=b"nan")), "mjd nan"),
        (replaced("I", np.ones((3, 48))), "I is float64 of shape (3, 48)"),
        (replaced("I", np.ones((3, 6, 8), int)), "I is int64"),
        (replaced("I", np.ones((0, 6, 8))), "I is float64 of shape (0, 6, 8)"),
        (replaced("times", np.arange(2.0)), "times is float64 of shape (2,), the movie has 3 frames"),
        (edited(claiming_terabytes), "I claims shape (1000000, 1000, 1000)"),
        (edited(claiming_endless_times), "claims shape (1000000000000"),
        (edited(claiming_a_giant_frame), "a frame has at most"),
        (edited(linking_to_another_file), "link to another file"),
        (edited(made_of_another_file), "keeps its data in another file"),
    ],
)
def test_a_bad_movie_ends_in_one_line_with_file_and_remedy(tmp_path, spoil, says):
    spoil(tmp_path / "movie.h5")
    with pytest.raises(InputError) as caught, open_eht_movie(tmp_path / "movie.h5") as movie:
        list(movie.frames)
    message = str(caught.value)
    assert says in message
    assert "movie.h5" in message
    assert "; " in message
    assert "\n" not in message


def test_a_damaged_frame_ends_in_one_line(tmp_path):
    write_eht_movie(tmp_path / "movie.h5", HEADER, TIMES_H, np.ones((3, 6, 8)))
    with h5py.File(tmp_path / "movie.h5", "r+") as file:
        del file["I"]
        dataset = file.create_dataset("I", data=np.ones((3, 6, 8)), chunks=(1, 6, 8), compression="gzip")
        chunk = dataset.id.get_chunk_info(1)
    with (tmp_path / "movie.h5").open("r+b") as file:
        file.seek(chunk.byte_offset)
        file.write(bytes(chunk.size))
    with (
        open_eht_movie(tmp_path / "movie.h5") as movie,
        pytest.raises(InputError, match=r"cannot read I of .*movie\.h5"),
    ):
        list(movie.frames)
