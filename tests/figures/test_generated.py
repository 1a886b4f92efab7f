"""Pictures of unconditional samples: their scale, their titles, and what they are made from."""

import numpy as np
import pytest
from step.errors import InputError
from step.figures.generated import (
    FRAMES_APART,
    Generated,
    animate_generated,
    plot_generated,
    read_generated,
    write_generated_data,
)
from step.io.reconstructions import Reconstruction, write_reconstructions

SHAPE = (7, 1, 16, 16)  # time, channel, y, x
GEOMETRY = {"field_of_view_uas": 128.0, "cadence_s": 102.0}


def write_samples(path, prior: str, n_samples: int, shape=SHAPE) -> np.ndarray:
    samples = np.random.default_rng(n_samples).uniform(-1.2, 1.2, (n_samples, *shape)).astype(np.float32)
    write_reconstructions(path, [Reconstruction(prior, samples, {})], {})
    return samples


@pytest.fixture
def files(tmp_path) -> dict:
    for number, prior in enumerate(("image", "joint")):
        write_samples(tmp_path / f"{prior}.h5", prior, 2 + 3 * number)
    return {prior: tmp_path / f"{prior}.h5" for prior in ("image", "joint")}


@pytest.fixture
def generated(files) -> Generated:
    return read_generated(files, GEOMETRY, "unit_range")


def test_as_many_samples_of_each_prior_are_shown(generated):
    assert generated.priors == ("image", "joint")
    assert generated.videos.shape == (2, 2, 7, 16, 16)
    assert generated.grid.times.tolist() == [102 * frame for frame in range(7)]
    assert (generated.grid.pixel_size, generated.grid.pixel_unit) == (8.0, "uas")


def test_magnitudes_are_relative_to_each_samples_own_maximum(tmp_path):
    samples = write_samples(tmp_path / "joint.h5", "joint", 3, (7, 2, 16, 16))
    generated = read_generated({"joint": tmp_path / "joint.h5"}, {}, "magnitude")
    assert generated.videos.max(axis=(2, 3, 4)) == pytest.approx(1)
    magnitude = np.linalg.norm(samples[1], axis=1)
    assert np.allclose(generated.videos[0, 1], magnitude / magnitude.max(), atol=1e-6)
    assert (generated.grid.time_unit, generated.grid.pixel_unit) == ("frame", "pixel")


@pytest.mark.slow
def test_times_are_above_videos_and_only_numbers_above_independent_frames(generated):
    image, joint = plot_generated(generated, "unit_range").subfigs
    assert (image.get_suptitle(), joint.get_suptitle()) == ("image prior: independent frames", "joint prior")
    assert [axes.get_title() for axes in image.axes[:6]] == [f"frame {n}" for n in (0, 1, 2, 4, 5, 6)]
    assert [axes.get_title() for axes in joint.axes[:3]] == ["t = 0 s", "t = 102 s", "t = 204 s"]


@pytest.mark.slow
def test_the_picture_plots_the_numbers_with_bars_of_length_and_colour(generated):
    joint = plot_generated(generated, "unit_range").subfigs[1]
    panels = [axes for axes in joint.axes if axes.images]
    assert np.allclose(panels[7].images[0].get_array(), generated.videos[1, 1, 1])
    assert {panel.images[0].get_clim() for panel in panels} == {(0, 1)}
    assert [text.get_text() for text in panels[0].texts] == ["50 µas"]
    assert joint.axes[-1].get_ylabel() == "brightness"
    bar = panels[0].lines[0].get_xdata()
    assert bar[1] - bar[0] == pytest.approx(50 / 8)


def test_the_video_has_a_row_for_each_prior_and_says_what_is_independent(generated):
    video = animate_generated(generated, "unit_range")
    assert video.shape[0] == 7
    # Two samples in each of two rows, of frames that are enlarged to 384 pixels.
    assert video.shape[2] == 3 * 14 + 2 * 384
    assert video.shape[1] > 2 * 384
    assert generated.caption == FRAMES_APART


def test_the_data_are_what_is_plotted(generated, tmp_path):
    write_generated_data(generated, tmp_path / "generated.npz")
    with np.load(tmp_path / "generated.npz") as data:
        assert data["priors"].tolist() == ["image", "joint"]
        assert np.array_equal(data["videos"], generated.videos)
        assert (data["times"][1], data["time_unit"]) == (102, "s")


def test_samples_of_another_prior_or_size_are_refused(files, tmp_path):
    with pytest.raises(InputError, match=r"image\.h5 holds samples of \['image'\], not of the video prior"):
        read_generated({"video": files["image"]}, GEOMETRY, "unit_range")
    write_samples(tmp_path / "video.h5", "video", 2, (5, 1, 16, 16))
    with pytest.raises(InputError, match=r"'image': \(7, 1, 16, 16\), 'video': \(5, 1, 16, 16\)"):
        read_generated({"image": files["image"], "video": tmp_path / "video.h5"}, GEOMETRY, "unit_range")
