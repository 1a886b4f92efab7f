"""From measurement, modes and samples to picture, video and numbers, by the stage's own command line."""

import argparse
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from matplotlib.image import imread
from step.cli.stages import open_stage
from step.config.study import load_config
from step.errors import InputError
from step.figures import movies
from step.io.modes import Modes, write_modes
from step.io.reconstructions import Reconstruction, write_measurement, write_reconstructions
from step.io.truths import write_truth

STAGE = open_stage("plot modes")

N_SAMPLES, N_FRAMES, SIDE = 6, 7, 24
SETTINGS = STAGE.module.Settings(
    display="unit_range", descriptor="ring", geometry={"field_of_view_uas": 96.0, "cadence_s": 102.0}, interval=0.95
)


def turning_ring(rate_deg: float) -> np.ndarray:
    """Return a video (time, 1, y, x) in [-1, 1] of a ring whose bright side turns by `rate_deg` each frame."""
    y, x = np.indices((SIDE, SIDE)) - (SIDE - 1) / 2
    turned = np.deg2rad(rate_deg * np.arange(N_FRAMES))[:, None, None]
    profile = np.exp(-((np.hypot(y, x) - 6) ** 2) / 8)
    return (profile * (1 + 0.7 * np.cos(np.arctan2(-x, -y) - turned)) - 1)[:, None].astype(np.float32)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Return a folder with a measurement, six samples in two files, two of which turn the other way, and modes."""
    monkeypatch.setattr(movies, "PASSES", 1)
    labels = np.array([0, 1, 0, 0, 1, 0])
    samples = np.stack([turning_ring(-20 if label else 20) for label in labels])
    write_measurement(tmp_path / "video000.h5", {"other": np.ones((N_FRAMES, 2))}, {})
    write_truth(tmp_path / "truths/video000.h5", turning_ring(20), {})
    write_reconstructions(tmp_path / "000.h5", [Reconstruction("video000", samples[:4], {})], {})
    write_reconstructions(tmp_path / "001.h5", [Reconstruction("video000", samples[4:], {})], {})
    shares = np.array([4, 2]) / N_SAMPLES
    modes = Modes(
        labels=labels,
        representatives=np.array([2, 4]),
        shares=shares,
        share_low=shares - 0.2,
        share_high=shares + 0.2,
        misfits=np.ones(N_SAMPLES),
        chi_squares={"flux": np.ones(N_SAMPLES)},
        features={"rotation_rate": 700 * (-1.0) ** labels},
        units={"rotation_rate": "deg/h"},
        truth_features={"rotation_rate": 700.0},
        reduced=np.stack([labels, labels], axis=1) + 0.0,
        truth_reduced=np.zeros(2),
        scores=np.array([10.0, -5.0]),
        stability=np.ones(2),
        attributes={"video": "video000", "criterion": "2 modes among 6 samples"},
    )
    write_modes(tmp_path / "modes.h5", modes)
    return tmp_path


def run(folder: Path, reconstructions: tuple[str, ...] = ("000.h5", "001.h5")) -> None:
    parser = argparse.ArgumentParser()
    STAGE.add_arguments(parser)
    words = ["--reconstructions", *(str(folder / name) for name in reconstructions)]
    words += ["--output", str(folder / "modes.png"), str(folder / "modes.pdf")]
    files = {
        "measurement": "video000.h5",
        "truth": "truths/video000.h5",
        "modes": "modes.h5",
        "data": "modes.npz",
        "movie": "modes.mp4",
    }
    for option, name in files.items():
        words += [f"--{option}", str(folder / name)]
    STAGE.run(parser.parse_args(words), SETTINGS)


@pytest.mark.slow
def test_the_stage_writes_pictures_numbers_and_video(folder):
    run(folder)
    assert imread(folder / "modes.png").shape[2] == 4
    assert (folder / "modes.pdf").read_bytes().startswith(b"%PDF")
    frames, _ = imageio_ffmpeg.count_frames_and_secs(str(folder / "modes.mp4"))
    assert frames == N_FRAMES
    with np.load(folder / "modes.npz") as data:
        assert data["rows"].tolist() == ["truth", "mode1", "mode2"]
        assert np.sign(data["rotation_deg_per_frame"]).tolist() == [1, 1, -1]
        # Brightness is half of what a video is above dark; the samples 2 and 4 are those in the middle.
        assert np.allclose(data["frames"][1], (turning_ring(20)[data["frame"], 0] + 1) / 2, atol=1e-6)
        assert np.allclose(data["frames"][2], (turning_ring(-20)[data["frame"], 0] + 1) / 2, atol=1e-6)


def test_files_that_do_not_belong_together_are_refused(folder):
    with pytest.raises(InputError, match="is of 6 samples, the reconstructions of video000 are 4; give all"):
        run(folder, ("000.h5",))
    write_reconstructions(folder / "other.h5", [Reconstruction("video001", np.ones((1, 2, 1, 3, 3)), {})], {})
    with pytest.raises(InputError, match=r"video000 is not among the videos of the reconstructions, \['video001'\]"):
        run(folder, ("other.h5",))
    write_truth(folder / "truths/video000.h5", turning_ring(20)[:3], {})
    with pytest.raises(InputError, match=r"the truth is \(3, 1, 24, 24\), its samples are \(7, 1, 24, 24\)"):
        run(folder)
    assert not (folder / "modes.png").exists()


def test_a_task_is_shown_as_its_domain_is_described():
    config = load_config()
    blackhole, mri = (STAGE.module.select(config, task) for task in ("blackhole", "mri8"))
    assert (blackhole.display, blackhole.descriptor) == ("unit_range", "ring")
    assert blackhole.geometry == {"field_of_view_uas": 128.0, "cadence_s": 102.0}
    assert (mri.display, mri.descriptor, mri.geometry) == ("magnitude", "heart", {})
