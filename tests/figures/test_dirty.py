"""The dirty video: what its frames are, and how they are plotted."""

import argparse

import imageio_ffmpeg
import numpy as np
import pytest
from matplotlib.image import imread
from one_coil import PAPERS_LINES
from step.cli.stages import open_stage
from step.config.study import load_config
from step.config.tasks import MeasurementOfDomain
from step.errors import InputError
from step.figures import panels
from step.figures.dirty import animate_dirty, plot_dirty, see_dirty, write_dirty_data
from step.figures.movies import PASSES
from step.io.reconstructions import write_measurement
from step.io.truths import write_truth
from step.physics.forward_models import build_forward_model, to_tensors
from step.physics.vlbi import ClosureImaging

STAGE = open_stage("plot dirty")

N_FRAMES, N_PIXELS, N_BASELINES = 8, 16, 5
ROW, COLUMN = 3, 12  # of the point source
SHAPE = (N_FRAMES, 1, N_PIXELS, N_PIXELS)
PIXEL_UAS = 8.0
PIXEL_RAD = PIXEL_UAS * 1e-6 / 3600 * np.pi / 180


@pytest.fixture
def settings() -> STAGE.module.Settings:
    """Return the study's interferometry, with larger pixels."""
    measurement = load_config().measurement_of("blackhole").model_dump()
    geometry = {"field_of_view_uas": N_PIXELS * PIXEL_UAS, "cadence_s": 102.0}
    return STAGE.module.Settings(measurement=MeasurementOfDomain(**measurement | {"geometry": geometry}))


@pytest.fixture
def forward_model(settings) -> ClosureImaging:
    return build_forward_model(settings.measurement, SHAPE)


@pytest.fixture
def truth() -> np.ndarray:
    """Return a dark video with one bright pixel."""
    video = np.full(SHAPE, -1, np.float32)
    video[:, 0, ROW, COLUMN] = 1
    return video


@pytest.fixture
def measurement(forward_model) -> dict[str, np.ndarray]:
    """Return five baselines in each frame but the last, which has none, and in frame 1, which has two."""
    arrays = {
        name: np.zeros((N_FRAMES, *(n if n is not None else N_BASELINES for n in axes)))
        for name, axes in forward_model.layout.items()
    }
    arrays["uv"] = np.random.default_rng(1).uniform(-6e9, 6e9, (N_FRAMES, N_BASELINES, 2))
    arrays["sigma"][:-1] = 0.1
    arrays["sigma"][1, 2:] = 0
    return arrays


def point_response(uv: np.ndarray) -> np.ndarray:
    """Return the mean over baselines `uv` (baseline, 2) of pulse times cosine of the distance to the source."""
    pixels = np.arange(N_PIXELS)
    east = (COLUMN - pixels)[None, None, :] * PIXEL_RAD  # columns to the left are farther east than the source
    north = (ROW - pixels)[None, :, None] * PIXEL_RAD
    u, v = uv.T[..., None, None]
    pulse = np.sinc(u * PIXEL_RAD) ** 2 * np.sinc(v * PIXEL_RAD) ** 2
    return (pulse * np.cos(2 * np.pi * (u * east + v * north))).mean(axis=0)


def test_a_point_source_is_a_mean_of_cosines_that_peaks_at_the_source(forward_model, truth, measurement):
    dirty = see_dirty(forward_model, truth, to_tensors(measurement)).dirty
    expected = np.stack([point_response(uv) for uv in measurement["uv"]])
    expected[1] = point_response(measurement["uv"][1, :2])
    expected[-1] = 0
    assert np.allclose(dirty, expected / expected.max(), atol=1e-5)
    for frame in (0, 2, 3):
        assert np.unravel_index(dirty[frame].argmax(), dirty[frame].shape) == (ROW, COLUMN)


def test_errors_of_the_measured_visibilities_do_not_enter(forward_model, truth, measurement):
    other = measurement | {"visibility": np.full((N_FRAMES, N_BASELINES), 3.0)}
    one, two = (see_dirty(forward_model, truth, to_tensors(arrays)).dirty for arrays in (measurement, other))
    assert np.array_equal(one, two)


def test_times_are_the_tasks_and_a_frame_without_data_is_known(forward_model, truth, measurement):
    video = see_dirty(forward_model, truth, to_tensors(measurement))
    assert np.allclose(video.time_h, 12.5 + np.arange(N_FRAMES) * 102 / 3600, rtol=0, atol=1e-9)
    assert video.with_data.tolist() == [True] * (N_FRAMES - 1) + [False]
    assert np.array_equal(video.truth, (truth[:, 0] + 1) / 2)


def test_the_frames_lie_on_the_sky_with_right_ascension_to_the_left(forward_model, truth, measurement):
    video = see_dirty(forward_model, truth, to_tensors(measurement))[np.array([0, 7])]
    figure = plot_dirty(video)
    images = [axes.images[0] for axes in figure.axes[:4]]
    assert np.array_equal([image.get_array() for image in images[:2]], video.truth)
    assert np.array_equal([image.get_array() for image in images[2:]], video.dirty)
    assert {image.get_clim() for image in images} == {(0, 1)}
    # The source is 4.5 pixels right of the centre, towards the west, and 4.5 above it.
    left, right, lower, upper = images[0].get_extent()
    assert left + (COLUMN + 0.5) / N_PIXELS * (right - left) == -4.5 * PIXEL_UAS
    assert upper + (ROW + 0.5) / N_PIXELS * (lower - upper) == 4.5 * PIXEL_UAS
    top, bottom = figure.axes[0], figure.axes[2]
    assert (bottom.get_xlabel(), bottom.get_ylabel()) == ("relative RA [µas]", "dirty video\nrelative Dec [µas]")
    assert [axes.get_title() for axes in figure.axes[:2]] == ["12:30:00 UTC", "12:41:54 UTC"]
    assert top.get_ylabel().startswith("truth")
    assert [text.get_text() for text in figure.axes[3].texts] == ["no data"]
    assert not bottom.texts


@pytest.mark.slow
def test_the_colour_bar_shows_that_what_is_below_zero_is_dark(forward_model, truth, measurement):
    video = see_dirty(forward_model, truth, to_tensors(measurement))
    assert video.dirty.min() < 0
    bar = plot_dirty(video).axes[-1]
    assert bar.get_ylabel() == "brightness [video's maximum]"
    assert bar._colorbar.extend == "min"


def test_the_data_are_what_is_plotted(forward_model, truth, measurement, tmp_path):
    video = see_dirty(forward_model, truth, to_tensors(measurement))[np.array([0, 3])]
    write_dirty_data(video, tmp_path / "dirty.npz")
    with np.load(tmp_path / "dirty.npz") as data:
        assert set(data) == {"time_h", "with_data", "truth", "dirty", "pixel_uas"}
        assert np.array_equal(data["dirty"], video.dirty)
        assert data["pixel_uas"] == PIXEL_UAS


def test_the_video_shows_the_truth_next_to_the_dirty_video_with_the_time_of_each_frame(
    forward_model, truth, measurement, monkeypatch
):
    told = []
    monkeypatch.setattr(panels, "plot_clock", lambda frame, text: told.append(text))
    video = animate_dirty(see_dirty(forward_model, truth, to_tensors(measurement)))
    assert told[:2] == ["12:30:00 UTC", "12:31:42 UTC"]
    assert told[-1] == "12:41:54 UTC, no data"
    side = panels.PANEL_PIXELS
    top = panels.MARGIN + panels.CLOCK_HEIGHT + panels.TITLE_HEIGHT
    left = 2 * panels.MARGIN + side
    assert video.shape[0] == N_FRAMES
    assert video.shape[2] == 3 * panels.MARGIN + 2 * side
    assert video[0, top : top + side, left : left + side].max() == 255
    assert video[-1, top : top + side, left : left + side].max() == 0


@pytest.mark.slow
def test_the_stage_writes_picture_video_and_numbers(settings, truth, measurement, tmp_path):
    write_measurement(tmp_path / "video000.h5", measurement, {})
    write_truth(tmp_path / "truths/video000.h5", truth, {})
    _run(settings, tmp_path)
    assert imread(tmp_path / "dirty.png").shape == (610, 1760, 4)
    frames, _ = imageio_ffmpeg.count_frames_and_secs(str(tmp_path / "dirty.mp4"))
    assert frames == N_FRAMES * PASSES
    with np.load(tmp_path / "dirty.npz") as data:
        assert data["dirty"].shape == (6, N_PIXELS, N_PIXELS)


def test_another_forward_model_and_a_missing_truth_are_refused(settings, truth, measurement, tmp_path):
    write_measurement(tmp_path / "video000.h5", measurement, {})
    with pytest.raises(InputError, match=r"no file .*truths/video000\.h5"):
        _run(settings, tmp_path)
    mri = {"model": "mri", "acceleration": 2, "acs_lines": 4, "noise_level": 0.1, "geometry": {}, **PAPERS_LINES}
    heart = np.zeros((2, 2, 8, 8), np.float32)
    write_measurement(tmp_path / "video000.h5", {"mask": np.ones((2, 8))}, {})
    write_truth(tmp_path / "truths/video000.h5", heart, {})
    with pytest.raises(InputError, match="of model mri; only vlbi has a dirty video"):
        _run(STAGE.module.Settings(measurement=MeasurementOfDomain(**mri)), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["truths", "video000.h5"]


def _run(settings: STAGE.module.Settings, folder) -> None:
    parser = argparse.ArgumentParser()
    STAGE.add_arguments(parser)
    files = {"--measurement": "video000.h5", "--truth": "truths/video000.h5"}
    files |= {"--data": "dirty.npz", "--movie": "dirty.mp4", "--output": "dirty.png"}
    arguments = [word for option, name in files.items() for word in (option, str(folder / name))]
    STAGE.run(parser.parse_args(arguments), settings)
