"""Picture and video of uncertainty: error and spread of one video's samples, in brightness."""

import argparse

import imageio_ffmpeg
import numpy as np
import pytest
from matplotlib.image import imread
from step.cli.stages import open_stage
from step.errors import InputError
from step.figures import panels
from step.figures.uncertainty import Uncertainty, animate_uncertainty, plot_uncertainty, read_uncertainty
from step.io.reconstructions import (
    Reconstruction,
    read_quantiles,
    read_summary,
    write_measurement,
    write_reconstructions,
    write_summary,
)
from step.io.truths import write_truth
from step.posterior.quantiles import take_quantiles

STAGE = open_stage("plot uncertainty")

N_SAMPLES, N_FRAMES, N_PIXELS = 9, 8, 16
LEVELS = (0.1, 0.5, 0.9)
GEOMETRY = {"field_of_view_uas": 160.0, "cadence_s": 100.0}


def write_files(folder, truth: np.ndarray, samples: np.ndarray, display: str) -> dict:
    write_measurement(folder / "video000.h5", {"sigma": np.ones((len(truth), 3))}, {})
    write_truth(folder / "truths/video000.h5", truth, {})
    videos = {"mean": samples.mean(axis=0), "std": samples.std(axis=0)}
    write_summary(folder / "posterior.h5", videos, take_quantiles(samples, LEVELS, display))
    parts = [folder / "0.h5", folder / "1.h5"]
    write_reconstructions(parts[0], [Reconstruction("video000", samples[:4], {})], {})
    write_reconstructions(parts[1], [Reconstruction("video000", samples[4:], {})], {})
    return {
        "measurement": folder / "video000.h5",
        "true_video": folder / "truths/video000.h5",
        "summary": folder / "posterior.h5",
        "reconstructions": parts,
    }


@pytest.fixture
def truth() -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.5, 0.5, (N_FRAMES, 1, N_PIXELS, N_PIXELS)).astype(np.float32)


@pytest.fixture
def samples(truth) -> np.ndarray:
    """Return samples whose mean errs by 0.4, twice as far as they spread."""
    noise = np.random.default_rng(1).normal(size=(N_SAMPLES, *truth.shape))
    return (truth + 0.4 + 0.2 * noise).clip(-1, 1).astype(np.float32)


@pytest.fixture
def files(truth, samples, tmp_path) -> dict:
    return write_files(tmp_path, truth, samples, "unit_range")


def read(files: dict, display: str = "unit_range") -> Uncertainty:
    return read_uncertainty(**files, display=display, geometry=GEOMETRY, bright_fraction=0.1)


def test_mean_error_deviation_and_quantiles_are_those_of_the_brightness(files, truth, samples):
    uncertainty = read(files)
    brightness, true_brightness = (samples[:, :, 0] + 1) / 2, (truth[:, 0] + 1) / 2
    assert uncertainty.mean == pytest.approx(brightness.mean(axis=0), abs=1e-6)
    assert uncertainty.error == pytest.approx(np.abs(brightness.mean(axis=0) - true_brightness), abs=1e-6)
    assert uncertainty.std == pytest.approx(brightness.std(axis=0), abs=1e-6)
    low, high = np.quantile(brightness, [0.1, 0.9], axis=0)
    assert uncertainty.low == pytest.approx(low, abs=1e-6)
    assert uncertainty.high == pytest.approx(high, abs=1e-6)
    assert (uncertainty.levels, uncertainty.n_samples) == ((0.1, 0.9), 9)


@pytest.mark.slow
def test_magnitudes_are_relative_to_the_truths_maximum(truth, samples, tmp_path):
    complex_truth, complex_samples = (np.concatenate([3 * video, 4 * video], axis=-3) for video in (truth, samples))
    uncertainty = read(write_files(tmp_path, complex_truth, complex_samples, "magnitude"), "magnitude")
    magnitudes, peak = np.abs(samples[:, :, 0]), np.abs(truth).max()
    assert uncertainty.mean == pytest.approx(np.clip(magnitudes / peak, 0, 1).mean(axis=0), abs=1e-5)
    high = np.clip(np.quantile(magnitudes, 0.9, axis=0) / peak, 0, 1)
    assert uncertainty.high == pytest.approx(high, abs=1e-5)
    assert "truth's maximum" in plot_uncertainty(uncertainty, "magnitude").subfigs[1].axes[-1].get_ylabel()


def test_error_over_spread_is_what_the_factor_of_confidence_is(truth, tmp_path):
    noise = np.random.default_rng(1).normal(size=(N_SAMPLES + 1, *truth.shape)).astype(np.float32)
    for width in (1.0, 0.5):
        sampled = 0.1 * noise * np.array([1, *[width] * N_SAMPLES], np.float32)[:, None, None, None, None]
        files = write_files(tmp_path, sampled[0], sampled[1:], "unit_range")
        expected = np.sqrt((1 + width**2 / 9) / (width**2 * 10 / 9))
        assert read(files).error_over_spread == pytest.approx(expected, rel=0.05)


@pytest.mark.slow
def test_the_picture_says_ratio_units_times_and_length(files):
    uncertainty = read(files)
    figure = plot_uncertainty(uncertainty, "unit_range")
    figure.canvas.draw()
    above, below = figure.subfigs
    rows = [axes.get_ylabel() for axes in above.axes if axes.get_ylabel()]
    assert rows == ["truth", "posterior mean", "10 % quantile", "90 % quantile", "brightness"]
    rows = [axes.get_ylabel() for axes in below.axes if axes.get_ylabel()]
    assert rows == ["|mean - truth|", "standard deviation", "brightness", "brightness"]
    assert above.axes[0].get_title() == "t = 0 s"
    assert any("µas" in text.get_text() for text in above.axes[0].texts)
    ratio = f"{uncertainty.error_over_spread:.2g} times their spread"
    assert ratio in figure.get_supxlabel()
    assert "9 posterior samples" in figure.get_supxlabel()


@pytest.mark.slow
def test_error_and_deviation_have_one_scale_so_that_they_compare(files):
    uncertainty = read(files)
    below = plot_uncertainty(uncertainty, "unit_range").subfigs[1]
    limits = {axes.images[0].get_clim() for axes in below.axes if axes.images}
    assert limits == {(0, uncertainty.scale)}
    assert uncertainty.scale >= np.percentile(uncertainty.std, 99)


def test_samples_that_are_right_and_agree_have_no_spread_to_compare(truth, tmp_path):
    files = write_files(tmp_path, truth, np.repeat(truth[None], 3, axis=0), "unit_range")
    with pytest.raises(InputError, match="all samples are the same"):
        read(files)


def test_the_video_has_as_many_frames_as_the_truth(files, monkeypatch):
    monkeypatch.setattr(panels, "PANEL_PIXELS", 64)
    movie = animate_uncertainty(read(files), "unit_range")
    assert movie.shape[0] == N_FRAMES
    assert movie.dtype == np.uint8
    assert (movie[0] != movie[-1]).any()


@pytest.mark.slow
def test_the_stage_writes_picture_video_and_numbers(files, tmp_path, monkeypatch):
    monkeypatch.setattr(panels, "PANEL_PIXELS", 64)
    parser = argparse.ArgumentParser()
    STAGE.add_arguments(parser)
    inputs = ["--measurement", files["measurement"], "--truth", files["true_video"], "--summary", files["summary"]]
    inputs += ["--reconstructions", *files["reconstructions"]]
    outputs = ["--output", tmp_path / "u.png", tmp_path / "u.pdf", "--movie", tmp_path / "u.mp4"]
    outputs += ["--data", tmp_path / "u.npz"]
    settings = STAGE.module.Settings(display="unit_range", geometry=GEOMETRY, bright_fraction=0.1)
    STAGE.run(parser.parse_args([str(word) for word in [*inputs, *outputs]]), settings)
    assert imread(tmp_path / "u.png").shape[2] == 4
    assert (tmp_path / "u.pdf").exists()
    frames, _ = imageio_ffmpeg.count_frames_and_secs(str(tmp_path / "u.mp4"))
    assert frames % N_FRAMES == 0
    uncertainty = read(files)
    with np.load(tmp_path / "u.npz") as data:
        for name in ("truth", "mean", "error", "std", "low", "high"):
            assert np.array_equal(data[name], getattr(uncertainty, name))
        assert data["error_over_spread"] == uncertainty.error_over_spread
        assert data["times"].tolist() == [100.0 * frame for frame in range(N_FRAMES)]


def test_files_that_do_not_belong_together_are_refused(files, truth, samples, tmp_path):
    write_measurement(tmp_path / "video001.h5", {"sigma": np.ones((N_FRAMES, 3))}, {})
    write_truth(tmp_path / "truths/video001.h5", truth, {})
    with pytest.raises(InputError, match="video001 is not among the videos"):
        read(files | {"measurement": tmp_path / "video001.h5", "true_video": tmp_path / "truths/video001.h5"})
    with pytest.raises(InputError, match=r"truths/video001\.h5 is not the truth of video000"):
        read(files | {"true_video": tmp_path / "truths/video001.h5"})
    with pytest.raises(InputError, match="holds measurement, no truth"):
        read(files | {"true_video": tmp_path / "video000.h5"})
    write_measurement(tmp_path / "video000.h5", {"sigma": np.ones((4, 3))}, {})
    write_truth(tmp_path / "truths/video000.h5", truth[:4], {})
    with pytest.raises(InputError, match="sample and summarise it again"):
        read(files)
    write_files(tmp_path, truth, samples[:1], "unit_range")
    write_reconstructions(tmp_path / "one.h5", [Reconstruction("video000", samples[:1], {})], {})
    with pytest.raises(InputError, match="has 1 sample, which has no spread"):
        read(files | {"reconstructions": [tmp_path / "one.h5"]})


def test_a_summary_keeps_mean_deviation_and_quantiles_with_levels_and_units(files, samples):
    summary, quantiles = read_summary(files["summary"]), read_quantiles(files["summary"])
    assert set(summary) == {"mean", "std"}
    assert summary["std"] == pytest.approx(samples.std(axis=0), abs=1e-6)
    assert quantiles.levels.tolist() == list(LEVELS)
    assert quantiles.videos == pytest.approx(np.quantile(samples[:, :, 0], LEVELS, axis=0), abs=1e-6)
    assert quantiles.quantity == "the channel's value"
    with pytest.raises(InputError, match="no variable quantiles"):
        read_quantiles(files["measurement"])
