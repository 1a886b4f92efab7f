"""Averaged delta frames: what the average of a window is, and how picture and video show it."""

import argparse

import imageio_ffmpeg
import numpy as np
import pytest
from matplotlib.image import imread
from step.cli.stages import open_stage
from step.config.study import load_config
from step.figures.deltas import (
    Deltas,
    animate_deltas,
    average_differences,
    plot_deltas,
    see_deltas,
    window_text,
    write_deltas_data,
)
from step.figures.reading import ShownVideo
from step.figures.rows import grid_of
from step.io.reconstructions import Reconstruction, write_measurement, write_reconstructions
from step.io.truths import write_truth

STAGE = open_stage("plot deltas")

N_FRAMES, SIZE = 9, 16
GEOMETRY = {"field_of_view_uas": 32.0, "cadence_s": 100.0}


@pytest.fixture
def video() -> ShownVideo:
    """Return a spot on a circle, its still time average, and one that moves half as strongly."""
    rows, columns = np.indices((SIZE, SIZE))
    angles = np.linspace(0, np.pi, N_FRAMES)
    centres = [(7.5 + 4 * np.sin(angle), 7.5 + 4 * np.cos(angle)) for angle in angles]
    truth = np.stack([np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 8) for y, x in centres]).astype(np.float32)
    mean = truth.mean(axis=0)
    return ShownVideo("video000", truth, {"bcs": np.stack([mean] * N_FRAMES), "step_joint": mean + (truth - mean) / 2})


@pytest.fixture
def deltas(video) -> Deltas:
    return see_deltas(video, grid_of((N_FRAMES, 1, SIZE, SIZE), GEOMETRY, np.ones(N_FRAMES, bool)))


def test_signed_averages_are_the_change_since_the_first_frame_per_frame(video):
    signed, absolute = average_differences(video.truth)
    assert signed.shape == absolute.shape == (N_FRAMES - 1, SIZE, SIZE)
    for window in range(1, N_FRAMES):
        change = (video.truth[window] - video.truth[0]) / window
        assert np.allclose(signed[window - 1], change, atol=1e-6)


def test_a_blinking_pixel_cancels_in_signed_averages_and_stays_in_absolute_ones():
    frames = np.zeros((5, 2, 2))
    frames[1::2, 0, 0] = 1
    signed, absolute = average_differences(frames)
    assert np.allclose(signed[:, 0, 0], [1, 0, 1 / 3, 0])
    assert np.allclose(absolute[:, 0, 0], 1)
    assert not absolute[:, 1].any()


def test_a_perfect_video_has_error_0_a_still_one_1_and_one_of_half_the_motion_a_half(deltas):
    for kind in ("signed", "absolute"):
        errors = deltas.errors(kind)
        assert np.allclose(errors, np.array([0, 1, 0.5])[:, None], atol=1e-5)


@pytest.mark.slow
def test_where_the_truth_is_still_there_is_no_error_to_tell():
    still = np.zeros((3, 4, 4))
    video = ShownVideo("video000", still, {"bis": np.random.default_rng(0).random((3, 4, 4))})
    deltas = see_deltas(video, grid_of((3, 1, 4, 4), {}, np.ones(3, bool)))
    assert np.isnan(deltas.errors("signed")).all()
    plot_deltas(deltas, "magnitude").canvas.draw()


def test_the_windows_shown_grow_from_one_difference_to_all(deltas, video):
    assert deltas.windows[deltas.shown].tolist() == [1, 2, 3, 5, 8]
    short = ShownVideo("video000", video.truth[:3], {"bis": video.truth[:3]})
    few = see_deltas(short, grid_of((3, 1, SIZE, SIZE), GEOMETRY, np.ones(3, bool)))
    assert few.windows[few.shown].tolist() == [1, 2]


@pytest.mark.slow
def test_all_rows_and_windows_have_one_scale_with_rest_in_its_middle(deltas):
    axes = [one for one in plot_deltas(deltas, "unit_range").axes if one.images][:30]
    plotted = np.array([one.images[0].get_array() for one in axes]).reshape(2, 3, 5, SIZE, SIZE)
    assert np.array_equal(plotted[0], deltas.signed[:, deltas.shown])
    assert np.array_equal(plotted[1], deltas.absolute[:, deltas.shown])
    [signed] = {one.images[0].get_clim() for one in axes[:15]}
    [absolute] = {one.images[0].get_clim() for one in axes[15:]}
    assert signed[0] == -signed[1] < 0
    assert absolute[0] == 0 < absolute[1]


@pytest.mark.slow
def test_the_picture_says_windows_errors_units_and_length(deltas):
    figure = plot_deltas(deltas, "unit_range")
    axes = [one for one in figure.axes if one.images]
    assert [one.get_title() for one in axes[:2]] == ["1 difference\n0 to 100 s", "2 differences\n0 to 200 s"]
    assert [text.get_text() for text in axes[5].texts] == ["error 1.00"]
    assert [text.get_text() for text in axes[10].texts] == ["error 0.50"]
    assert "10 µas" in [text.get_text() for text in axes[0].texts]
    assert {"mean difference\n[brightness / frame]", "mean |difference|\n[brightness / frame]"} <= {
        one.get_ylabel() for one in figure.axes
    }


def test_windows_count_frames_where_their_time_is_not_known(video):
    deltas = see_deltas(video, grid_of((N_FRAMES, 2, SIZE, SIZE), {}, np.ones(N_FRAMES, bool)))
    assert window_text(deltas, 2) == "3 differences\nframes 0 to 3"


@pytest.mark.slow
def test_the_window_grows_until_it_is_the_whole_video(deltas):
    video = animate_deltas(deltas, "unit_range")
    assert video.shape[0] == N_FRAMES - 1
    assert video.shape[3] == 3
    # The truth, upper left, changes with the window; its still time average, next to it, does not.
    top, left, size = 70, 20, 280
    truth, still = (video[:, top : top + size, start : start + size] for start in (left, left + 400))
    assert (truth[0] != truth[-1]).any()
    assert (still == still[0]).all()


def test_the_data_are_what_is_plotted(deltas, tmp_path):
    write_deltas_data(deltas, tmp_path / "deltas.npz")
    with np.load(tmp_path / "deltas.npz") as data:
        assert data["windows"][data["shown"]].tolist() == [1, 2, 3, 5, 8]
        assert np.array_equal(data["signed"], deltas.signed[:, deltas.shown])
        assert np.array_equal(data["absolute"], deltas.absolute[:, deltas.shown])
        assert np.array_equal(data["signed_errors"], deltas.errors("signed"), equal_nan=True)


def test_the_settings_are_the_tasks_own():
    settings = STAGE.module.select(load_config(), "blackhole")
    assert settings.display == "unit_range"
    assert set(settings.geometry) == {"field_of_view_uas", "cadence_s"}


@pytest.mark.slow
def test_the_stage_writes_picture_video_and_numbers(video, tmp_path):
    truth = 2 * video.truth[:, None] - 1
    write_measurement(tmp_path / "video000.h5", {"sigma": np.ones((N_FRAMES, 1))}, {})
    write_truth(tmp_path / "truths/video000.h5", truth, {})
    sample = 2 * video.reconstructions["bcs"][None, :, None] - 1
    write_reconstructions(tmp_path / "bcs.h5", [Reconstruction("video000", sample, {})], {})
    parser = argparse.ArgumentParser()
    STAGE.add_arguments(parser)
    files = {"--measurement": "video000.h5", "--truth": "truths/video000.h5"}
    files |= {"--movie": "deltas.mp4", "--data": "deltas.npz", "--output": "deltas.png"}
    words = [word for option, name in files.items() for word in (option, str(tmp_path / name))]
    arguments = parser.parse_args([*words, "--method", "bcs", str(tmp_path / "bcs.h5")])
    STAGE.run(arguments, STAGE.module.Settings(display="unit_range", geometry=GEOMETRY))
    assert imread(tmp_path / "deltas.png").shape[2] == 4
    assert imageio_ffmpeg.count_frames_and_secs(str(tmp_path / "deltas.mp4"))[0] % (N_FRAMES - 1) == 0
    with np.load(tmp_path / "deltas.npz") as data:
        assert data["rows"].tolist() == ["truth", "bcs"]
        assert np.allclose(data["signed_errors"][1], 1, atol=1e-4)
