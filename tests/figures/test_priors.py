"""The picture of spatiotemporal priors: frames, errors, and the arrows that point at the worst of them."""

import argparse

import numpy as np
import pytest
from matplotlib.image import imread
from step.cli.stages import open_stage
from step.config.tasks import TvL1
from step.errors import InputError
from step.figures.priors import PriorsPicture, find_worst, patch_side, plot_priors, see_priors, write_priors_data
from step.figures.reading import ShownVideo
from step.figures.rows import grid_of
from step.io.reconstructions import Reconstruction, write_measurement, write_reconstructions
from step.io.truths import write_truth

STAGE = open_stage("plot priors")

N_FRAMES, N_ROWS, N_COLUMNS = 9, 32, 48
SHOWN = [2, 6]
GEOMETRY = {"field_of_view_uas": 96.0, "cadence_s": 10.0}
SETTINGS = STAGE.module.Settings(
    display="unit_range", geometry=GEOMETRY, tvl1=TvL1(attachment=15, tightness=0.3, warps=1, iterations=2)
)


@pytest.fixture
def video() -> ShownVideo:
    """Return frames that darken, and two reconstructions that are wrong in a corner and, less, in another one."""
    truth = np.repeat(np.linspace(0.6, 0.2, N_FRAMES), N_ROWS * N_COLUMNS).reshape(N_FRAMES, N_ROWS, N_COLUMNS)
    video_only, joint = truth.copy(), truth.copy()
    both = (slice(None), slice(14, 18), slice(22, 26))
    video_only[both] += 0.4
    joint[both] += 0.4
    video_only[:, 4:7, 39:42] += 0.2
    joint[:, 25:28, 5:8] -= 0.1
    reconstructions = {"step_video": video_only.astype(np.float32), "step_joint": joint.astype(np.float32)}
    return ShownVideo("video000", truth.astype(np.float32), reconstructions)


@pytest.fixture
def picture(video) -> PriorsPicture:
    grid = grid_of((N_FRAMES, 1, N_ROWS, N_COLUMNS), GEOMETRY, np.ones(N_FRAMES, bool))
    return see_priors(video, np.zeros((3, 2, N_ROWS, N_COLUMNS)), grid)


def test_frames_and_errors_are_those_a_quarter_and_three_quarters_through(picture, video):
    assert picture.shown.tolist() == SHOWN
    assert np.array_equal(picture.frames[2], video.reconstructions["step_joint"][SHOWN])
    assert not picture.errors[0].any()
    assert picture.errors[1, 0, 5, 40] == pytest.approx(0.2, abs=1e-6)
    assert picture.mean_errors[2, 26, 6] == pytest.approx(0.1, abs=1e-6)
    n_wrong = np.array([16 * 0.4**2 + 9 * 0.2**2, 16 * 0.4**2 + 9 * 0.1**2]) / (N_ROWS * N_COLUMNS)
    assert picture.psnr_db[1:] == pytest.approx(-10 * np.log10(n_wrong), abs=1e-3)


def test_arrows_point_at_what_one_method_alone_has_wrong(picture):
    assert patch_side((N_ROWS, N_COLUMNS)) == 3
    assert picture.worst.tolist() == [[[5, 40], [5, 40]], [[26, 6], [26, 6]]]


def test_a_method_by_itself_is_pointed_at_where_it_is_worst(picture):
    alone = find_worst(picture.errors[2:])[0]
    assert all(14 <= y < 18 and 22 <= x < 26 for y, x in alone)


def test_one_wild_pixel_weighs_less_than_a_patch():
    errors = np.zeros((2, 1, 32, 32))
    errors[0, 0, 3, 3] = 0.5
    errors[0, 0, 20:22, 20:22] = 0.3
    y, x = find_worst(errors)[0, 0]
    assert 20 <= y <= 21
    assert 20 <= x <= 21


@pytest.mark.slow
def test_the_picture_plots_the_numbers_and_its_arrows_end_at_the_worst(picture):
    figure = plot_priors(picture, "unit_range")
    axes = np.array(figure.axes[: 3 * 7]).reshape(3, 7)
    for row in range(3):
        assert np.array_equal([one.images[0].get_array() for one in axes[row, :2]], picture.frames[row])
    for row in (1, 2):
        assert np.array_equal([one.images[0].get_array() for one in axes[row, 2:4]], picture.errors[row])
        assert np.array_equal(axes[row, 4].images[0].get_array(), picture.mean_errors[row])
        for column in range(2):
            for one in (axes[row, column], axes[row, 2 + column]):
                [arrow] = [text for text in one.texts if text.get_text() == ""]
                assert arrow.xy[::-1] == tuple(picture.worst[row - 1, column])
    assert not any(one.images for one in axes[0, 2:5])
    assert {one.images[0].get_clim() for one in axes[1:, 2:5].flat} == {axes[1, 2].images[0].get_clim()}


@pytest.mark.slow
def test_titles_say_times_errors_and_the_estimator(picture):
    figure = plot_priors(picture, "unit_range")
    titles = [one.get_title() for one in figure.axes]
    assert titles[:2] == ["t = 20 s", "t = 60 s"]
    assert {"error at\nt = 20 s", "error, averaged\nover time", "averaged optical\nflow (TV-L1)"} <= set(titles)
    assert "STeP\n(video only)\nPSNR" in figure.axes[7].get_ylabel()
    assert "averaged over 3 x 3 pixels" in figure.get_supxlabel()
    assert "20 µas" in [text.get_text() for text in figure.axes[0].texts]


def test_the_data_are_what_is_plotted(picture, tmp_path):
    write_priors_data(picture, tmp_path / "priors.npz")
    with np.load(tmp_path / "priors.npz") as data:
        assert data["rows"].tolist() == ["truth", "step_video", "step_joint"]
        for name in ("frames", "errors", "mean_errors", "shown"):
            assert np.array_equal(data[name], getattr(picture, name))
        assert np.array_equal(data["worst"], picture.worst)


def run(folder, video, samples: dict[str, np.ndarray]) -> None:
    truth = 2 * video.truth[:, None] - 1
    write_measurement(folder / "video000.h5", {"sigma": np.ones((N_FRAMES, 1))}, {})
    write_truth(folder / "truths/video000.h5", truth, {})
    words = ["--measurement", str(folder / "video000.h5"), "--truth", str(folder / "truths/video000.h5")]
    words += ["--data", str(folder / "priors.npz")]
    for name, frames in samples.items():
        sample = 2 * frames[None, :, None] - 1
        write_reconstructions(folder / f"{name}.h5", [Reconstruction("video000", sample, {})], {})
        words += ["--method", name, str(folder / f"{name}.h5")]
    parser = argparse.ArgumentParser()
    STAGE.add_arguments(parser)
    STAGE.run(parser.parse_args([*words, "--output", str(folder / "priors.png")]), SETTINGS)


@pytest.mark.slow
def test_the_stage_writes_picture_and_numbers(video, tmp_path):
    run(tmp_path, video, video.reconstructions)
    assert imread(tmp_path / "priors.png").shape[2] == 4
    with np.load(tmp_path / "priors.npz") as data:
        assert data["worst"].shape == (2, 2, 2)
        assert data["optical_flows"].shape == (3, 2, N_ROWS, N_COLUMNS)


def test_reconstructions_of_another_length_are_refused_and_nothing_is_written(video, tmp_path):
    with pytest.raises(InputError, match="reconstruct it again"):
        run(tmp_path, video, {"step_joint": video.truth[:4]})
    assert not (tmp_path / "priors.npz").exists()
