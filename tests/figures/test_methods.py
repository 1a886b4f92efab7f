"""The picture of all methods and their motion: what is averaged, what is plotted, which numbers lie next to it."""

import argparse

import numpy as np
import pytest
from matplotlib.image import imread
from step.cli.stages import open_stage
from step.config.study import load_config
from step.config.tasks import TvL1
from step.errors import InputError
from step.figures import style
from step.figures.methods import MethodsPicture, plot_methods, see_methods, write_methods_data
from step.figures.motion import AveragedOpticalFlows
from step.figures.reading import ShownVideo
from step.figures.rows import grid_of, read_grid_of_video
from step.figures.vectors import WHEEL_PIXELS, colour_vectors
from step.io.reconstructions import Reconstruction, write_measurement, write_reconstructions
from step.io.truths import write_truth
from step.optical_flow.averaged import averaged_optical_flow
from step.optical_flow.estimators import end_point_error, tvl1_estimator

STAGE = open_stage("plot methods")

N_FRAMES, SIZE = 5, 32
TURN_DEG = 2.0  # from frame to frame, from x towards y
GEOMETRY = {"field_of_view_uas": 64.0, "cadence_s": 102.0}
TVL1 = TvL1(attachment=15, tightness=0.3, warps=5, iterations=10)


def rotating(turn_deg: float) -> np.ndarray:
    """Return frames (time, y, x) in [0, 1] of waves that turn about the centre, evaluated where pixels come from."""
    centre = (SIZE - 1) / 2
    y, x = np.indices((SIZE, SIZE)) - centre
    frames = []
    for angle in np.deg2rad(turn_deg) * np.arange(N_FRAMES):
        from_x, from_y = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
        frames.append(2 + np.cos(0.5 * from_x) + np.sin(0.4 * from_y + 0.3 * from_x))
    return (np.stack(frames) / 4).astype(np.float32)


def rotation_optical_flow(turn_deg: float) -> np.ndarray:
    """Return the optical flow (2, y, x), pixels per frame, of the turn."""
    turn = np.deg2rad(turn_deg)
    y, x = np.indices((SIZE, SIZE)) - (SIZE - 1) / 2
    return np.stack([np.cos(turn) * x - np.sin(turn) * y - x, np.sin(turn) * x + np.cos(turn) * y - y])


@pytest.fixture
def video() -> ShownVideo:
    """Return a video that turns, one that turns the other way, and one that is still and darker."""
    truth = rotating(TURN_DEG)
    return ShownVideo("video000", truth, {"bis": rotating(-TURN_DEG), "step_joint": np.repeat(truth[:1] / 2, 5, 0)})


@pytest.fixture
def picture(video) -> MethodsPicture:
    flow = rotation_optical_flow(TURN_DEG)
    grid = grid_of((N_FRAMES, 1, SIZE, SIZE), GEOMETRY, np.ones(N_FRAMES, bool))
    return see_methods(video, np.stack([flow, rotation_optical_flow(-TURN_DEG), 0 * flow]), grid)


def test_the_averaged_optical_flow_of_a_turning_video_is_that_of_the_turn():
    estimated = averaged_optical_flow(rotating(TURN_DEG), tvl1_estimator(TVL1))
    assert end_point_error(estimated, rotation_optical_flow(TURN_DEG), margin=3) < 0.1
    assert end_point_error(estimated, rotation_optical_flow(-TURN_DEG), margin=3) > 0.5


def test_averaged_optical_flows_that_go_there_and_back_cancel():
    there_and_back = iter([1.0, 3.0, -1.0, -3.0])
    flow = averaged_optical_flow(np.zeros((5, 4, 4)), lambda earlier, later: np.full((2, 4, 4), next(there_and_back)))
    assert np.array_equal(flow, np.zeros((2, 4, 4)))


def test_a_single_frame_has_no_averaged_optical_flow():
    with pytest.raises(InputError, match="a video of 1 frame has no optical flow"):
        averaged_optical_flow(np.zeros((1, 4, 4)), tvl1_estimator(TVL1))


def test_an_optical_flow_is_off_by_its_mean_distance_to_the_truths():
    truth = np.zeros((2, 4, 6))
    truth[0] = 1
    flows = AveragedOpticalFlows(np.stack([truth, truth + np.array([3, 4])[:, None, None], 0 * truth]))
    assert np.isnan(flows.errors_px[0])
    assert flows.errors_px[1:].tolist() == [5, 1]
    assert flows.full_colour == 1


def test_vectors_longer_than_the_rim_have_its_colour_and_their_own_direction():
    vectors = np.zeros((2, 1, 3))
    vectors[:, 0, 0], vectors[:, 0, 1] = (0, 2), (0, 7)
    colours, wheel = colour_vectors(vectors, largest=2)
    assert np.array_equal(colours[0, 1], colours[0, 0])
    assert np.array_equal(colours[0, 1], wheel[-1, WHEEL_PIXELS // 2])
    assert np.array_equal(colours[0, 2], [255, 255, 255])


def test_the_numbers_are_the_videos(picture, video):
    assert picture.rows == ("truth", "bis", "step_joint")
    assert picture.shown.tolist() == [0, 2, 4]
    assert np.array_equal(picture.frames[1], video.reconstructions["bis"][[0, 2, 4]])
    assert np.array_equal(picture.slices[0], video.truth[:, :, picture.x].T)
    assert np.isnan(picture.psnr_db[0])
    assert picture.optical_flows.errors_px[1] == pytest.approx(2 * picture.optical_flows.errors_px[2], rel=0.05)


def test_the_slice_follows_the_column_where_the_truth_moves_most(picture):
    truth = np.zeros((N_FRAMES, SIZE, SIZE))
    truth[2, 3, 5] = 1
    slices = see_methods(ShownVideo("video000", truth, {}), np.zeros((1, 2, SIZE, SIZE)), picture.grid).slices
    assert np.argwhere(slices).tolist() == [[0, 3, 2]]


@pytest.mark.slow
def test_a_row_per_method_shows_frames_slice_and_optical_flow(picture):
    rows = np.array(plot_methods(picture, "unit_range").axes[: 3 * 6]).reshape(3, 6)
    colours, wheel = colour_vectors(picture.optical_flows.vectors, picture.optical_flows.full_colour)
    assert np.array_equal(rows[0, 5].images[0].get_array(), wheel)
    for row, (label, row_axes) in enumerate(zip(picture.rows, rows, strict=True)):
        plotted = [np.asarray(one.images[0].get_array()) for one in row_axes[:5]]
        assert np.array_equal(plotted[:3], picture.frames[row])
        assert np.array_equal(plotted[3], picture.slices[row])
        assert np.array_equal(plotted[4], colours[row])
        assert row_axes[0].get_ylabel().startswith(style.label(label))
        assert {one.lines[0].get_xdata()[0] for one in row_axes[:3]} == {picture.x}


@pytest.mark.slow
def test_times_lengths_and_the_estimator_are_written(picture):
    axes = plot_methods(picture, "unit_range").axes
    titles = [one.get_title() for one in axes]
    assert titles[:3] == ["t = 0 s", "t = 204 s", "t = 408 s"]
    assert "averaged optical\nflow (TV-L1)" in titles
    assert f"rim: {picture.optical_flows.full_colour:.2g} or\nmore pixel/frame" in titles
    assert "time [s]" in [one.get_xlabel() for one in axes]
    assert "20 µas" in [text.get_text() for text in axes[0].texts]
    assert np.ptp(axes[0].lines[1].get_xdata()) == 10  # of 2 µas each


@pytest.mark.slow
def test_without_a_geometry_frames_and_pixels_are_counted(video):
    grid = grid_of((N_FRAMES, 2, SIZE, SIZE), {}, np.ones(N_FRAMES, bool))
    picture = see_methods(video, np.zeros((3, 2, SIZE, SIZE)), grid)
    axes = plot_methods(picture, "magnitude").axes
    assert [one.get_title() for one in axes[:3]] == ["frame 0", "frame 2", "frame 4"]
    assert "10 pixels" in [text.get_text() for text in axes[0].texts]


def test_the_data_are_what_is_plotted(picture, tmp_path):
    write_methods_data(picture, tmp_path / "methods.npz")
    with np.load(tmp_path / "methods.npz") as data:
        assert data["rows"].tolist() == ["truth", "bis", "step_joint"]
        assert (data["x"], data["time_unit"], data["pixel_size"], data["pixel_unit"]) == (picture.x, "s", 2, "uas")
        for name in ("frames", "slices", "shown"):
            assert np.array_equal(data[name], getattr(picture, name))
        assert np.array_equal(data["optical_flows"], picture.optical_flows.vectors)


def test_a_measurement_of_another_length_is_refused(tmp_path):
    write_measurement(tmp_path / "video000.h5", {"sigma": np.ones((N_FRAMES - 1, 1))}, {})
    with pytest.raises(InputError, match=r"video000\.h5 has 4 frames, its video 5; measure it again"):
        read_grid_of_video(tmp_path / "video000.h5", (N_FRAMES, 8, 8), GEOMETRY)


def test_frames_without_data_are_marked(tmp_path):
    sigma = np.ones((N_FRAMES, 1))
    sigma[2] = 0
    write_measurement(tmp_path / "video000.h5", {"sigma": sigma}, {})
    grid = read_grid_of_video(tmp_path / "video000.h5", rotating(TURN_DEG).shape, GEOMETRY)
    assert grid.with_data.tolist() == [True, True, False, True, True]


def test_the_settings_are_the_tasks_own_with_tvl1_whatever_its_estimator():
    config = load_config()
    settings = STAGE.module.select(config, "blackhole")
    assert config.tasks["blackhole"].optical_flow.estimator == "raft"
    assert settings.tvl1 == config.tasks["blackhole"].optical_flow.tvl1
    assert set(settings.geometry) == {"field_of_view_uas", "cadence_s"}
    assert STAGE.module.select(config, "mri8").geometry == {}


def test_a_task_without_optical_flow_is_refused():
    config = load_config()
    task = config.tasks["mri8"].model_copy(update={"optical_flow": None})
    with pytest.raises(
        InputError, match=r"task mri8 has no optical flow to show motion with; give it tasks\.mri8\.optical_flow"
    ):
        STAGE.module.select(config.model_copy(update={"tasks": {"mri8": task}}), "mri8")


@pytest.mark.slow
def test_the_stage_writes_pictures_and_numbers(video, tmp_path):
    truth = 2 * video.truth[:, None] - 1
    write_measurement(tmp_path / "video000.h5", {"sigma": np.ones((N_FRAMES, 1))}, {})
    write_truth(tmp_path / "truths/video000.h5", truth, {})
    methods = []
    for name, frames in video.reconstructions.items():
        sample = (2 * frames[None, :, None] - 1).astype(np.float32)
        write_reconstructions(tmp_path / f"{name}.h5", [Reconstruction("video000", sample, {})], {})
        methods += ["--method", name, str(tmp_path / f"{name}.h5")]
    parser = argparse.ArgumentParser()
    STAGE.add_arguments(parser)
    files = ["--measurement", str(tmp_path / "video000.h5"), "--truth", str(tmp_path / "truths/video000.h5")]
    files += ["--data", str(tmp_path / "methods.npz")]
    pictures = ["--output", str(tmp_path / "methods.png"), str(tmp_path / "methods.pdf")]
    settings = STAGE.module.Settings(display="unit_range", geometry=GEOMETRY, tvl1=TVL1)
    STAGE.run(parser.parse_args([*files, *methods, *pictures]), settings)
    assert imread(tmp_path / "methods.png").shape[2] == 4
    assert (tmp_path / "methods.pdf").read_bytes().startswith(b"%PDF")
    with np.load(tmp_path / "methods.npz") as data:
        turn = rotation_optical_flow(TURN_DEG)
        there, back, still = (end_point_error(flow, turn, margin=3) for flow in data["optical_flows"])
    speed = end_point_error(0 * turn, turn, margin=3)
    assert (there, back, still) == pytest.approx((0, 2 * speed, speed), abs=0.1)
