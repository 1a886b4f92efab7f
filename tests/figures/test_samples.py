"""Pictures of posterior samples: their scale, their misfits, with and without a truth."""

import argparse

import numpy as np
import pytest
import torch
from matplotlib.image import imread
from one_coil import PAPERS_LINES
from step.cli.stages import open_stage
from step.config.settings import dump_settings, parse_settings
from step.config.study import load_config
from step.config.tasks import MeasurementOfDomain
from step.errors import InputError
from step.figures import panels
from step.figures.samples import animate_samples, plot_samples, read_samples, see_samples, write_samples_data
from step.io.reconstructions import Reconstruction, write_measurement, write_reconstructions
from step.io.truths import write_truth
from step.physics.forward_models import build_forward_model

STAGE = open_stage("plot samples")

SHAPE = (5, 2, 16, 16)  # time, channel, y, x
N_SAMPLES = 10
NOISE = 0.1
MEASUREMENT = MeasurementOfDomain(
    model="mri", acceleration=2, acs_lines=4, noise_level=NOISE, geometry={}, **PAPERS_LINES
)
OBSERVED = {
    "frame_times": 0.05 * np.arange(5),
    "frame_time_unit": "s",
    "pixel_size": 2.0,
    "pixel_unit": "mm",
}


@pytest.fixture
def truth() -> np.ndarray:
    return np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)


@pytest.fixture
def samples(truth) -> np.ndarray:
    """Return ten samples of which number n is (1 + n / 10) times the truth."""
    return np.stack([(1 + number / 10) * truth for number in range(N_SAMPLES)])


@pytest.fixture
def files(truth, samples, tmp_path) -> dict:
    write_files(tmp_path, truth, samples, with_truth=True, attributes={})
    return {
        "measurement": tmp_path / "video000.h5",
        "true_video": tmp_path / "truths/video000.h5",
        "reconstructions": [tmp_path / "0.h5", tmp_path / "1.h5"],
    }


def write_files(folder, truth, samples, with_truth: bool, attributes: dict) -> None:
    """Write the measurement of `truth`, and its samples in two files."""
    forward_model = build_forward_model(MEASUREMENT, SHAPE)
    measured = forward_model.measure(torch.from_numpy(truth)[None], torch.Generator().manual_seed(0))
    arrays = {name: array[0].numpy() for name, array in measured.items()}
    write_measurement(folder / "video000.h5", arrays, attributes)
    if with_truth:
        write_truth(folder / "truths/video000.h5", truth, {})
    for number, part in enumerate((samples[:4], samples[4:])):
        write_reconstructions(folder / f"{number}.h5", [Reconstruction("video000", part, {})], {})


def test_the_first_samples_lie_beneath_the_truth_and_share_its_scale(truth, files):
    sampled = read_samples(**files, geometry={})
    assert sampled.videos.shape == (9, *SHAPE)
    shown = see_samples(sampled, np.arange(9.0), "magnitude")
    assert shown.titles[:3] == ("truth", "sample 1 of 10", "sample 2 of 10")
    magnitude = np.linalg.norm(truth, axis=1)
    assert np.allclose(shown.videos[0], magnitude / magnitude.max(), atol=1e-6)
    assert np.allclose(shown.videos[3], np.clip(1.2 * magnitude / magnitude.max(), 0, 1), atol=1e-6)
    assert (shown.grid.time_unit, shown.grid.pixel_unit) == ("frame", "pixel")


@pytest.mark.slow
def test_without_a_truth_the_scale_is_that_of_the_samples_mean_and_times_are_the_observations(truth, samples, tmp_path):
    write_files(tmp_path, truth, samples, with_truth=False, attributes=OBSERVED)
    sampled = read_samples(tmp_path / "video000.h5", None, [tmp_path / "0.h5", tmp_path / "1.h5"], geometry={})
    shown = see_samples(sampled, np.arange(8.0), "magnitude")
    assert shown.titles[0] == "sample 1 of 10"
    magnitude = np.linalg.norm(truth, axis=1)
    # The mean of eight samples is 1.35 times the truth.
    assert np.allclose(shown.videos[0], magnitude / (1.35 * magnitude.max()), atol=1e-6)
    figure = plot_samples(shown, "magnitude")
    assert [axes.get_title() for axes in figure.axes[:2]] == ["t = 0 s", "t = 0.05 s"]
    assert [text.get_text() for text in figure.axes[0].texts] == ["10 mm"]
    assert figure.axes[-1].get_ylabel() == "magnitude\n[mean's maximum]"


@pytest.mark.slow
def test_the_picture_plots_the_numbers_next_to_their_misfits(files):
    shown = see_samples(read_samples(**files, geometry={}), np.arange(9.0) / 8, "magnitude")
    figure = plot_samples(shown, "magnitude")
    frames = [axes for axes in figure.axes if axes.images]
    assert frames[0].get_ylabel() == "truth\nmisfit 0.00"
    assert frames[5].get_ylabel() == "sample 1 of 10\nmisfit 0.12"
    assert np.allclose(frames[11].images[0].get_array(), shown.videos[2, 1])
    assert {frame.images[0].get_clim() for frame in frames[:45]} == {(0, 1)}
    assert figure.axes[-1].get_ylabel() == "magnitude\n[truth's maximum]"


@pytest.mark.slow
def test_the_video_shows_all_frames_of_truth_and_samples(files):
    shown = see_samples(read_samples(**files, geometry={}), np.arange(9.0), "magnitude")
    video = animate_samples(shown, "magnitude")
    assert video.shape[0] == SHAPE[0]
    assert video.shape[2] == 4 * 14 + 3 * 384
    assert video.shape[1] > 3 * 384


def test_the_data_are_what_is_plotted(files, tmp_path):
    shown = see_samples(read_samples(**files, geometry={}), np.arange(9.0), "magnitude")
    write_samples_data(shown, tmp_path / "samples.npz")
    with np.load(tmp_path / "samples.npz") as data:
        assert data["titles"].tolist() == list(shown.titles)
        assert np.array_equal(data["videos"], shown.videos)
        assert np.array_equal(data["misfits"], np.arange(9.0))


def run(folder, settings: STAGE.module.Settings) -> None:
    parser = argparse.ArgumentParser()
    STAGE.add_arguments(parser)
    words = [
        "--measurement",
        "video000.h5",
        "--truth",
        "truths/video000.h5",
        "--reconstructions",
        "0.h5",
        "1.h5",
        "--data",
        "samples.npz",
    ]
    words += ["--movie", "samples.mp4", "--output", "samples.png"]
    arguments = [word if word.startswith("--") else str(folder / word) for word in words]
    STAGE.run(parser.parse_args(arguments), settings)


@pytest.mark.slow
def test_the_stage_computes_the_misfits_with_the_measurements_own_noise(truth, files, tmp_path, monkeypatch):
    monkeypatch.setattr(panels, "PANEL_PIXELS", SHAPE[-1])  # a large video of noise takes long to compress
    run(tmp_path, STAGE.module.Settings(measurement=MEASUREMENT, display="magnitude"))
    assert imread(tmp_path / "samples.png").shape[2] == 4
    assert (tmp_path / "samples.mp4").stat().st_size > 0
    with np.load(tmp_path / "samples.npz") as data:
        misfits = data["misfits"]
    # The first sample is the truth itself; the others are off by a growing share of it.
    assert misfits[0] == misfits[1]
    assert np.all(np.diff(misfits[1:]) > 0)
    forward_model = build_forward_model(MEASUREMENT, SHAPE)
    video = torch.from_numpy(1.5 * truth)[None]
    measured = forward_model.measure(torch.from_numpy(truth)[None], torch.Generator().manual_seed(0))
    assert misfits[6] == pytest.approx(forward_model.misfit(video, measured).item(), rel=1e-5)


def test_samples_of_another_measurement_or_size_are_refused(truth, samples, tmp_path):
    write_files(tmp_path, truth[:4], samples, with_truth=True, attributes={})
    with pytest.raises(InputError, match=r"was reconstructed as \(5, 2, 16, 16\), it is \(4, 2, 16, 16\)"):
        run(tmp_path, STAGE.module.Settings(measurement=MEASUREMENT, display="magnitude"))
    write_reconstructions(tmp_path / "0.h5", [Reconstruction("video001", samples, {})], {})
    with pytest.raises(InputError, match=r"video000 is not among the reconstructed \['video001'\]"):
        read_samples(tmp_path / "video000.h5", None, [tmp_path / "0.h5"], geometry={})
    assert not (tmp_path / "samples.png").exists()


def test_settings_hold_the_likelihood_and_the_display():
    settings = STAGE.module.select(load_config(), "blackhole")
    assert settings.display == "unit_range"
    assert STAGE.module.modules(settings) == ["step.physics.vlbi"]
    text = dump_settings(settings)
    assert dump_settings(parse_settings(text, STAGE.module.Settings)) == text
