"""The picture of the optical flow: which frames, which colours, which numbers."""

import numpy as np
import pytest
from matplotlib.image import imread
from step.__main__ import main
from step.cli.stages import open_stage
from step.config.settings import dump_settings
from step.config.study import load_config
from step.figures.optical_flow import (
    OpticalFlowPicture,
    colour_optical_flows,
    inconsistency,
    pairs_shown,
    plot_optical_flow,
    see_optical_flow,
    write_optical_flow_data,
)
from step.figures.vectors import WHEEL_PIXELS
from step.io.optical_flows import VideoOpticalFlow, write_optical_flows
from step.io.reconstructions import write_measurement
from step.io.truths import write_truth

STAGE = open_stage("plot optical_flow")

N_FRAMES, N_ROWS, N_COLUMNS = 9, 20, 24
BUSIEST = 4
ORIGIN = "truth (oracle), TV-L1"


@pytest.fixture
def truth() -> np.ndarray:
    """Return frames of a spot that jumps between frames 4 and 5."""
    rows, columns = np.indices((N_ROWS, N_COLUMNS))
    places = 6 + 0.2 * np.arange(N_FRAMES) + 4 * (np.arange(N_FRAMES) > BUSIEST)
    return np.stack([np.exp(-((columns - x) ** 2 + (rows - 9) ** 2) / 8) for x in places]).astype(np.float32)


@pytest.fixture
def flow() -> VideoOpticalFlow:
    """Return an optical flow of 1 pixel to the right, of 2 downwards in the busiest pair, and exactly back."""
    forward = np.zeros((N_FRAMES - 1, 2, N_ROWS, N_COLUMNS), np.float32)
    forward[:, 0] = 1
    forward[BUSIEST] = np.array([0, 2])[:, None, None]
    return VideoOpticalFlow("video000", forward, -forward)


@pytest.fixture
def picture(truth, flow) -> OpticalFlowPicture:
    return see_optical_flow(truth, flow, ORIGIN, 0.0512)


def test_the_busiest_pair_is_among_those_from_first_to_last(truth, picture):
    assert pairs_shown(truth).tolist() == [0, 2, 4, 7]
    moved_later = np.concatenate([truth[:1], truth[:-1]])
    assert pairs_shown(moved_later).tolist() == [0, 2, 5, 7]
    assert pairs_shown(truth[:2]).tolist() == [0]
    assert np.array_equal(picture.frames, truth[[0, 2, 4, 7]])
    assert picture.largest == 2


def test_there_and_back_is_zero_for_an_optical_flow_and_its_inverse_and_counts_pixels_otherwise():
    rows, columns = np.indices((12, 12)).astype(float)
    forward = np.stack([0.5 + 0 * rows, 0 * rows])
    assert np.allclose(inconsistency(forward, -forward), 0)
    assert np.allclose(inconsistency(forward, 0 * forward), 0.5)
    assert np.allclose(inconsistency(np.stack([3 + 0 * rows, 4 + 0 * rows]), 0 * forward), 5)
    # The backward optical flow is looked up where the forward one leads: a stretch by 2 along x, and its inverse.
    stretched, shrunk = np.stack([columns, 0 * rows]), np.stack([-columns / 2, 0 * rows])
    assert np.allclose(inconsistency(stretched, shrunk)[:, :6], 0)


def test_wheel_and_optical_flows_have_one_scale_of_colours(picture):
    (forward, backward), wheel = colour_optical_flows(picture)
    assert forward.shape == backward.shape == (4, N_ROWS, N_COLUMNS, 3)
    assert wheel.shape == (WHEEL_PIXELS, WHEEL_PIXELS, 3)
    middle = WHEEL_PIXELS // 2
    half_way = middle + middle // 2
    assert np.array_equal(wheel[middle, middle], [255, 255, 255])
    assert np.array_equal(wheel[0, 0], [255, 255, 255])
    # Downwards by 2 pixels, the largest, is the rim's lowest point; 1 pixel to the right is half way to the right.
    assert np.array_equal(forward[2, 5, 5], wheel[-1, middle])
    assert np.array_equal(backward[2, 5, 5], wheel[0, middle])
    assert np.array_equal(forward[0, 5, 5], wheel[middle, half_way])
    assert np.array_equal(backward[0, 5, 5], wheel[middle, middle - middle // 2])


@pytest.mark.slow
def test_the_picture_says_source_error_units_and_the_largest_displacement(picture):
    figure = plot_optical_flow(picture, "unit_range")
    title = figure.get_suptitle()
    assert title.startswith("optical flow of truth (oracle), TV-L1")
    assert "0.05 pixel" in title
    axes = figure.axes
    assert [one.get_title() for one in axes[:4]] == ["frames 0, 1", "frames 2, 3", "frames 4, 5", "frames 7, 8"]
    texts = {one.get_title() for one in axes} | {one.get_ylabel() for one in axes} | {one.get_xlabel() for one in axes}
    assert "largest: 2\npixels per frame" in texts
    assert {"x [pixel]", "x [pixel/frame]", "y [pixel/frame]", "brightness"} <= texts
    assert "distance from\nwhere it began [pixel]" in texts


@pytest.mark.slow
def test_arrows_point_where_the_optical_flow_goes(picture):
    arrows = plot_optical_flow(picture, "unit_range").axes[2].collections[0]
    assert np.all(arrows.U == 0)
    assert np.all(arrows.V == 2)
    assert (arrows.angles, arrows.scale_units) == ("xy", "xy")
    assert arrows.scale == pytest.approx(2 / (1.5 * 2))  # an arrow in two pixels


@pytest.mark.slow
def test_an_optical_flow_that_is_zero_everywhere_is_plotted(truth):
    zeros = np.zeros((N_FRAMES - 1, 2, N_ROWS, N_COLUMNS), np.float32)
    picture = see_optical_flow(truth, VideoOpticalFlow("video000", zeros, zeros), ORIGIN, 0.05)
    plot_optical_flow(picture, "magnitude").canvas.draw()
    assert np.all(colour_optical_flows(picture)[0] == 255)


def test_the_data_are_what_is_plotted(picture, tmp_path):
    write_optical_flow_data(picture, tmp_path / "optical_flow.npz")
    with np.load(tmp_path / "optical_flow.npz") as data:
        assert set(data) == {"title", "pairs", "frames", "forward", "backward", "inconsistency"}
        assert np.array_equal(data["inconsistency"], picture.inconsistency)


def run(folder) -> int:
    settings = ["--settings", dump_settings(STAGE.module.select(load_config(), "blackhole"))]
    files = {"--truth": "video000.h5", "--optical-flow": "optical_flow.h5", "--data": "optical_flow.npz"}
    arguments = [word for option, name in files.items() for word in (option, str(folder / name))]
    pictures = ["--output", str(folder / "optical_flow.png"), str(folder / "optical_flow.pdf")]
    return main(["plot", "optical_flow", *settings, *arguments, *pictures])


@pytest.mark.slow
def test_the_stage_writes_pictures_and_numbers(truth, flow, tmp_path):
    write_truth(tmp_path / "video000.h5", 2 * truth[:, None] - 1, {})
    write_optical_flows(tmp_path / "optical_flow.h5", [flow], {"optical_flow": ORIGIN, "end_point_error_px": 0.05})
    assert run(tmp_path) == 0
    assert imread(tmp_path / "optical_flow.png").shape[2] == 4
    assert (tmp_path / "optical_flow.pdf").exists()
    with np.load(tmp_path / "optical_flow.npz") as data:
        assert np.allclose(data["frames"], truth[data["pairs"]], atol=1e-6)


@pytest.mark.slow
def test_a_missing_truth_and_an_optical_flow_of_another_size_are_refused(truth, flow, tmp_path, capsys):
    write_optical_flows(tmp_path / "optical_flow.h5", [flow], {"optical_flow": ORIGIN, "end_point_error_px": 0.05})
    write_measurement(tmp_path / "video000.h5", {"visibility": np.zeros((N_FRAMES, 1))}, {})
    assert run(tmp_path) == 1
    assert "video000.h5 holds measurement, no truth" in capsys.readouterr().err
    write_truth(tmp_path / "video000.h5", truth[:5, None], {})
    assert run(tmp_path) == 1
    assert "the optical flow of video000 is (8, 2, 20, 24), its video (5, 1, 20, 24)" in capsys.readouterr().err
    assert not (tmp_path / "optical_flow.png").exists()
