import logging
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from grmhd_files import UAS
from step.config.study import load_config
from step.domains.blackhole.movie import between_frames, window_starts
from step.domains.blackhole.prepare import Settings, prepare, settings_of
from step.errors import InputError
from step.io.movies import MovieFacts, RawMovie, write_movies
from step.io.videos import GROUP_OF, VideoRecord, VideoStore, read_columns, write_index

CADENCE_S = 102.0


def settings(**changes: object) -> Settings:
    values = {
        "frames": 4,
        "resolution": 8,
        "field_of_view_uas": 16.0,
        "cadence_s": CADENCE_S,
        "windows_per_movie": 1,
    }
    return Settings(**{**values, **changes})


def movie(frames: np.ndarray, times_s: np.ndarray | None = None, name: str = "a", **changes: object) -> RawMovie:
    """Return a movie, or, without times, single images, of 2 microarcsecond pixels."""
    values = {"source": name, "subject": name, "file": f"{name}.h5", "pixel_rad": 2 * UAS}
    values |= {"kind": "image", "times_s": np.empty(0)}
    if times_s is not None:
        values |= {"kind": "movie", "times_s": np.asarray(times_s, float)}
    values |= dict.fromkeys(("ra_h", "dec_deg", "rf_hz", "mjd"), np.nan)
    return RawMovie(MovieFacts(**{**values, **changes}), len(frames), iter(frames))


def ramp(n_frames: int, side: int = 8) -> np.ndarray:
    """Return frames (time, y, x) of which each pixel grows linearly in time, by a rate of its own."""
    rates = np.random.default_rng(0).uniform(0.5, 1, (side, side))
    return (1 + np.arange(n_frames)[:, None, None]) * rates


def prepared(tmp_path: Path, movies: Iterable[RawMovie], chosen: Settings, kind: str = "video") -> VideoStore:
    write_movies(tmp_path / "store.h5", movies)
    prepare(chosen, tmp_path / "store.h5", tmp_path / "prepared.h5")
    rows = read_columns(tmp_path / "prepared.h5", ["video", "subject", "source"], kind)
    records = [
        VideoRecord(**row, file="prepared.h5", row=number, kind=kind, split="test", use=row["video"])
        for number, row in enumerate(rows)
    ]
    write_index(tmp_path / "index.csv", records)
    return VideoStore(tmp_path / "index.csv")


def brightness(video: np.ndarray, peak: float) -> np.ndarray:
    """Return a video (time, 1, y, x) in Jy per pixel (time, y, x), given its maximum."""
    return (video[:, 0].astype(float) + 1) * peak / 2


def test_settings_are_the_values_of_the_configuration():
    config = load_config()
    blackhole = config.data["blackhole"]
    chosen = settings_of(blackhole, config.seed)
    assert (chosen.frames, chosen.resolution, chosen.field_of_view_uas) == (64, 256, 128.0)
    assert (chosen.cadence_s, chosen.windows_per_movie) == (blackhole.cadence_s, blackhole.windows_per_movie)


def test_frames_at_the_cadence_of_the_study_are_taken_as_they_are(tmp_path):
    frames = ramp(6)
    store = prepared(tmp_path, [movie(frames, CADENCE_S * np.arange(6) + 3e-8)], settings())
    video = store.named("a-00")
    assert video.shape == (4, 1, 8, 8)
    np.testing.assert_allclose(brightness(video, frames[:4].max()), frames[:4], rtol=2e-6)


def test_a_video_goes_from_minus_1_where_it_is_dark_to_1_at_its_own_maximum(tmp_path):
    frames = ramp(8)
    frames[:, 0, 0] = 0
    store = prepared(tmp_path, [movie(frames, CADENCE_S * np.arange(8))], settings(windows_per_movie=2))
    for video in (store.video(0), store.video(1)):
        assert video.max() == 1
        assert (video[:, 0, 0, 0] == -1).all()


def test_scale_and_offset_lead_back_to_jansky_per_pixel_of_the_study(tmp_path):
    import h5py

    frames = ramp(4)
    prepared(tmp_path, [movie(frames, CADENCE_S * np.arange(4))], settings(resolution=4))
    with h5py.File(tmp_path / "prepared.h5") as file:
        video, scale, offset = (file[name][0] for name in ("videos", "scale", "offset"))
    jy = (video[:, 0] - offset) / scale
    np.testing.assert_allclose(jy, frames.reshape(4, 4, 2, 4, 2).sum((2, 4)), rtol=1e-6)
    np.testing.assert_allclose(jy.sum((1, 2)), frames.sum((1, 2)), rtol=1e-6)


def test_between_source_frames_brightness_is_linear_in_time(tmp_path):
    frames = ramp(20)
    store = prepared(tmp_path, [movie(frames, 30.0 * np.arange(20))], settings(frames=5))
    expected = frames[0] * (1 + CADENCE_S / 30 * np.arange(5))[:, None, None]
    np.testing.assert_allclose(brightness(store.video(0), expected.max()), expected, rtol=2e-6)


def test_interpolation_follows_times_that_are_not_evenly_spaced(tmp_path):
    times_s = np.array([0, 20, 110, 150, 250, 290, 350])
    frames = ramp(1) * (1 + times_s)[:, None, None]
    store = prepared(tmp_path, [movie(frames, times_s)], settings())
    expected = ramp(1) * (1 + CADENCE_S * np.arange(4))[:, None, None]
    np.testing.assert_allclose(brightness(store.video(0), expected.max()), expected, atol=1e-6 * expected.max())


@pytest.mark.parametrize(
    ("time_s", "expected"),
    [
        (0.0, (0, 1, 0.0)),
        (10.0, (0, 1, 1.0)),
        (15.0, (1, 2, 0.25)),
        (29.99, (1, 2, 1.0)),
        (30.009, (2, 3, 0.0)),
        (34.0, (2, 3, 0.4)),
        (40.009, (2, 3, 1.0)),
    ],
)
def test_a_time_near_a_frame_is_that_frames(time_s, expected):
    before, after, weight = between_frames(np.array([0.0, 10, 30, 40]), time_s)
    assert (before, after) == expected[:2]
    assert weight == pytest.approx(expected[2], abs=1e-12)


def test_a_single_frame_is_its_own_neighbour():
    assert between_frames(np.zeros(1), 0.0) == (0, 0, 0.0)


@pytest.mark.parametrize(
    ("n_frames", "length", "n_windows", "starts"),
    [
        (1000, 64, 1, [0]),
        (64, 64, 3, [0]),
        (127, 64, 3, [0]),
        (128, 64, 3, [0, 64]),
        (1000, 64, 3, [0, 468, 936]),
        (63, 64, 1, []),
    ],
)
def test_windows_are_evenly_spaced_over_the_movie(n_frames, length, n_windows, starts):
    assert window_starts(n_frames, length, n_windows) == starts


@pytest.mark.parametrize("n_windows", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("n_frames", [5, 12, 23, 25, 64, 101])
def test_windows_never_overlap_and_never_end_beyond_the_movie(n_frames, n_windows):
    starts = np.array(window_starts(n_frames, 5, n_windows))
    assert len(starts) == min(n_windows, n_frames // 5)
    assert (np.diff(starts) >= 5).all()
    assert starts[-1] + 5 <= n_frames


def test_videos_of_a_movie_are_its_windows(tmp_path):
    frames = ramp(11)
    store = prepared(tmp_path, [movie(frames, CADENCE_S * np.arange(11))], settings(windows_per_movie=5))
    assert [record.video for record in store.records] == ["a-00", "a-01"]
    assert {(record.subject, record.source) for record in store.records} == {("a", "a")}
    for number, start in enumerate((0, 7)):
        part = frames[start : start + 4]
        np.testing.assert_allclose(brightness(store.video(number), part.max()), part, rtol=2e-6)


def test_movies_of_other_pixels_show_the_same_sky(tmp_path):
    coarse = ramp(4, side=4)
    fine = np.repeat(np.repeat(coarse, 4, 1), 4, 2) / 16
    times_s = CADENCE_S * np.arange(4)
    movies = [
        movie(coarse, times_s, "a", pixel_rad=4 * UAS),
        movie(fine, times_s, "b", pixel_rad=1 * UAS),
        movie(np.pad(fine, ((0, 0), (3, 3), (1, 1))), times_s, "c", pixel_rad=1 * UAS),
    ]
    store = prepared(tmp_path, movies, settings())
    for name in ("b-00", "c-00"):
        np.testing.assert_allclose(store.named(name), store.named("a-00"), atol=1e-6)


def test_flux_outside_the_field_of_view_is_warned_of_with_its_part(tmp_path, caplog):
    frames = np.ones((4, 20, 20))
    with caplog.at_level(logging.WARNING):
        prepared(tmp_path, [movie(frames, CADENCE_S * np.arange(4))], settings(field_of_view_uas=36.0))
    (record,) = caplog.records
    assert "19.0% of the flux of a lies outside the 36 microarcseconds" in record.message
    assert "a.h5" in record.message


def test_a_field_of_view_with_all_but_little_of_the_flux_is_not_warned_of(tmp_path, caplog):
    frames = np.ones((4, 20, 20))
    with caplog.at_level(logging.WARNING):
        prepared(tmp_path, [movie(frames, CADENCE_S * np.arange(4))], settings(field_of_view_uas=39.9))
    assert caplog.records == []


def test_single_images_have_their_own_maximum_and_names(tmp_path):
    images = np.random.default_rng(0).uniform(0, 1, (3, 8, 8)) * [[[1.0]], [[2.0]], [[5.0]]]
    movies = [movie(ramp(4), CADENCE_S * np.arange(4), "a"), movie(images, None, "still"), movie(images[:1], None, "t")]
    store = prepared(tmp_path, movies, settings(), "image")
    assert [record.video for record in store.records] == ["still-00000", "still-00001", "still-00002", "t-00000"]
    for number, image in enumerate(images):
        single = store.video(number)
        assert single.shape == (1, 1, 8, 8)
        np.testing.assert_allclose(single[0, 0], 2 * image / image.max() - 1, atol=1e-6)
    assert [row["video"] for row in read_columns(tmp_path / "prepared.h5", ["video"])] == ["a-00"]


@pytest.mark.parametrize(("kind", "images"), [("video", False), ("image", True)])
def test_a_store_may_hold_movies_or_images_alone(tmp_path, kind, images):
    only = movie(ramp(4), None if images else CADENCE_S * np.arange(4))
    prepared(tmp_path, [only], settings(), kind)
    counts = {kind: len(read_columns(tmp_path / "prepared.h5", ["video"], kind)) for kind in GROUP_OF}
    assert counts == ({"video": 0, "image": 4} if images else {"video": 1, "image": 0})


def test_rounding_below_zero_is_dark_and_what_is_negative_stays(tmp_path):
    frames = ramp(4)
    frames[:, 0, 0], frames[:, 0, 1] = -0.9e-6 * frames.max(), -0.5
    store = prepared(tmp_path, [movie(frames, CADENCE_S * np.arange(4))], settings())
    video = store.video(0)
    assert (video[:, 0, 0, 0] == -1).all()
    np.testing.assert_allclose(video[:, 0, 0, 1], -1 - 1 / frames.max(), rtol=1e-6)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (
            lambda: movie(ramp(3), CADENCE_S * np.arange(3)),
            r"a has 3 frames at 102 s, the study needs 4: a\.h5; ingest",
        ),
        (lambda: movie(ring(), CADENCE_S * np.arange(4)), r"a-00 has no flux within 16 .*: a\.h5; raise data\."),
        (lambda: movie(ring(), None), r"a-00000 has no flux within 16 .*field_of_view_uas"),
    ],
)
def test_what_cannot_be_prepared_ends_in_one_line_and_leaves_no_file(tmp_path, raw, says):
    with pytest.raises(InputError, match=says) as caught:
        prepared(tmp_path, [raw()], settings())
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["store.h5"]


def ring() -> np.ndarray:
    """Return frames of 40 microarcseconds with flux at the edge alone."""
    frames = np.ones((4, 20, 20))
    frames[:, 5:15, 5:15] = 0
    return frames


def test_another_file_is_no_raw_store(tmp_path):
    import h5py

    with h5py.File(tmp_path / "store.h5", "w") as file:
        file["sequences"] = 1
    with pytest.raises(InputError, match=r"store\.h5 is no raw store of movies: .*run the ingest stage first"):
        prepare(settings(), tmp_path / "store.h5", tmp_path / "prepared.h5")
