"""Tuning by its own command line: on validation videos alone, resumable, and read back as a configuration."""

import argparse
import math
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from step.cli import tune
from step.config.data import Split
from step.config.study import Config, load_config
from step.errors import InputError, Interrupted
from step.io.model_folders import WEIGHTS, weights_digest, write_model_folder
from step.io.reconstructions import write_measurement
from step.io.tables import read_table
from step.io.truths import write_truth
from step.prepare.settings import SplitSettings
from step.prepare.split import Candidate, split_videos
from step.tuning.outcome import VALIDATION_VIDEO
from step.tuning.validation import sampling_key

SHAPE = (12, 2, 8, 8)  # time, channel, y, x
TASK = "mri8"
VIDEOS = ("validation000", "validation001")

OVERLAY = """
data:
  mri: {resolution: 8}
priors:
  mri:
    autoencoder: {latent_channels: 2, block_channels: [4, 8], norm_groups: 2, attention: false}
    denoiser:
      {block_channels: [8, 8], layers_per_block: 1, norm_groups: 2, attention_heads: 2, context_width: 4,
       condition_width: 4}
tasks:
  mri8:
    measurement: {acceleration: 2, acs_lines: 2}
    sampler:
      annealing: {levels: 1}
      ode: {steps: 1}
      mcmc: {steps: 1, step_size_squared: 1.0e-3, damping: 0.5}
tuning:
  tasks: [mri8]
  method: step_joint
  videos: 2
  trials: 8
  startup_trials: 4
  pruning: {percentile: 90, startup_trials: 2, videos: 1}
  space:
    step_size_squared: [0.01, 100]
    damping: [0.0, 0.9]
    noise_level: null
    step_decay: null
    gradient_bound: null
"""


def config_of(folder: Path, text: str = OVERLAY) -> Config:
    (folder / "small.yaml").write_text(text)
    return load_config(folder / "small.yaml")


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Config:
    return config_of(tmp_path_factory.mktemp("config"))


@pytest.fixture(scope="module")
def priors(config, tmp_path_factory) -> Path:
    """Return a folder with an autoencoder and a joint prior, untrained."""
    from step.models.autoencoder import build_autoencoder
    from step.models.unet import DenoisingUNet

    folder, chosen = tmp_path_factory.mktemp("priors"), config.priors["mri"]
    torch.manual_seed(0)
    facts = {
        "kind": "autoencoder",
        "domain": "mri",
        "latent_mean": [0.0, 0.0],
        "latent_std": [1.0, 1.0],
        "patch_size": 1,
    }
    rest = ("# card", [{"step": 1, "loss": 1.0}], {"hours": 0.0})
    write_model_folder(folder / "autoencoder", build_autoencoder(chosen.autoencoder, 2), facts, *rest)
    network = DenoisingUNet(latent_channels=2, temporal=True, **chosen.denoiser.model_dump())
    facts = {
        "kind": "denoiser",
        "domain": "mri",
        "autoencoder": weights_digest(folder / "autoencoder"),
        "architecture": "unet",
        "noise_schedule": chosen.noise_schedule.model_dump(),
        "latent_shape": config.latent_shape("mri"),
    }
    write_model_folder(folder / "joint", network, facts, *rest)
    return folder


@pytest.fixture
def measurements(tmp_path) -> list[Path]:
    return [write_video(tmp_path, video, video) for video in VIDEOS]


def write_video(folder: Path, stem: str, video: str) -> Path:
    arrays = {"kspace": np.ones((12, 8, 8), np.complex64), "mask": np.ones((12, 8), bool)}
    arrays |= {"outside_scale": np.zeros((12, 8), np.float32), "outside_fitted": np.zeros(12, bool)}
    truth = np.zeros(SHAPE, np.float32)
    truth[:, 0] = 1
    path = folder / f"measurements/{stem}.h5"
    write_measurement(path, arrays, {"video": video})
    write_truth(truth_of(path), truth, {"video": video})
    return path


def truth_of(measurement: Path) -> Path:
    """Return the file of the truth of a measurement."""
    return measurement.parents[1] / "truths" / measurement.name


@pytest.fixture
def sampled(monkeypatch) -> list[tuple[float, str]]:
    """Take samples of known PSNR instead, best at a step size of 1e-2; return the step sizes and videos sampled."""
    import step.reconstruct
    from step.reconstruct import Sampled

    calls = []

    def sample_problem(problem, settings, videos, numbers) -> Sampled:
        [video], [number] = videos, numbers
        assert (number, settings.sampler.videos_per_batch) == (0, 1)
        step_size = settings.sampler.mcmc.step_size_squared
        calls.append((step_size, video))
        if step_size > 0.05:
            raise FloatingPointError("the video is nan at step 3")
        sample = np.zeros(SHAPE, np.float32)
        sample[:, 0] = 1 - error_of(step_size)
        return Sampled({video: sample[None]}, {}, {}, {}, 1.0, 1.0, 1.0)

    monkeypatch.setattr(step.reconstruct, "sample_problem", sample_problem)
    monkeypatch.setattr(tune, "read_files", lambda arguments, settings: None)
    return calls


def error_of(step_size: float) -> float:
    return 0.05 + 0.1 * abs(math.log10(step_size / 1e-2))


def tuned(folder: Path, config: Config, priors: Path, measurements: list[Path]) -> tuple[dict, list[dict[str, str]]]:
    """Return the configuration and the table that the stage writes."""
    parser = argparse.ArgumentParser()
    tune.add_arguments(parser)
    words = ["--autoencoder", priors / "autoencoder", "--denoiser", priors / "joint", "--measurements", *measurements]
    words += ["--truths", *map(truth_of, measurements)]
    words += ["--state", folder / "state", "--output", folder / "tuned.yaml", "--table", folder / "trials.csv"]
    tune.run(parser.parse_args([str(word) for word in words]), tune.select(config, TASK))
    return yaml.safe_load((folder / "tuned.yaml").read_text()), read_table(folder / "trials.csv")


@pytest.mark.slow
def test_the_tuned_values_are_better_than_the_start_and_can_be_laid_over_the_study(
    tmp_path, config, priors, measurements, sampled
):
    overlay, rows = tuned(tmp_path, config, priors, measurements)
    [start, *_] = rows
    assert (float(start["step_size_squared"]), float(start["damping"])) == (1e-3, 0.5)
    assert float(start["psnr"]) == pytest.approx(-20 * math.log10(error_of(1e-3)), abs=1e-3)
    mcmc = overlay["tasks"][TASK]["sampler"]["mcmc"]
    assert set(mcmc) == {"step_size_squared", "damping"}
    assert all(type(value) is float for value in mcmc.values())
    best = max((row for row in rows if row["psnr"]), key=lambda row: float(row["psnr"]))
    assert float(best["psnr"]) > float(start["psnr"]) + 1
    assert mcmc == {name: float(best[name]) for name in mcmc}
    (tmp_path / "small.yaml").write_text(OVERLAY)
    laid_over = load_config(tmp_path / "small.yaml", tmp_path / "tuned.yaml")
    assert laid_over.tasks[TASK].sampler.mcmc == config.tasks[TASK].sampler.mcmc.model_copy(update=mcmc)
    text = (tmp_path / "tuned.yaml").read_text()
    assert f"{float(start['psnr']):.3f} dB" in text
    assert f"{float(best['psnr']):.3f} dB, +" in text
    assert "8 trials" in text
    assert f"--configfile STUDY.yaml {tmp_path / 'tuned.yaml'}" in text


@pytest.mark.slow
def test_the_table_has_a_row_for_every_trial_with_what_became_of_it(tmp_path, config, priors, measurements, sampled):
    _, rows = tuned(tmp_path, config, priors, measurements)
    assert [row["trial"] for row in rows] == [str(number) for number in range(1, 9)]
    assert {row["state"] for row in rows} == {"complete", "pruned", "failed"}
    for row in rows:
        values = [row[f"psnr_{video}"] for video in VIDEOS]
        n_sampled = {"complete": 2, "pruned": 1, "failed": 0}[row["state"]]
        assert [bool(value) for value in values] == [number < n_sampled for number in range(2)]
        assert bool(row["psnr"]) == (row["state"] == "complete")
        assert (row["reason"] == "validation000: the video is nan at step 3") == (row["state"] == "failed")
        assert (float(row["step_size_squared"]) > 0.05) == (row["state"] == "failed")


@pytest.mark.parametrize(("stem", "video"), [("video000", "video000"), ("validation002", "video000")])
def test_a_test_video_is_refused_by_its_files_name_and_by_what_the_file_says(
    tmp_path, config, priors, measurements, sampled, stem, video
):
    test_video = write_video(tmp_path, stem, video)
    with pytest.raises(InputError, match=f"{stem}.h5 is of video000; settings are chosen on valid"):
        tuned(tmp_path, config, priors, [*measurements, test_video])
    assert sampled == []
    assert not (tmp_path / "tuned.yaml").exists()


def test_validation_videos_are_of_other_subjects_than_test_videos():
    candidates = [Candidate(f"P{p}-{s}", f"P{p}", f"P{p}-{s}", "part.h5", 0, "video") for p in range(9) for s in "ab"]
    split = Split(unit="subject", validation=3, test=4)
    settings = SplitSettings(
        seed=0,
        domain="mri",
        frames=2,
        pretrained=False,
        videos=9,
        images=99,
        split=split,
        test_videos=4,
        validation_videos=3,
    )
    records = split_videos(candidates, settings)
    tuned_on = {record.subject for record in records if VALIDATION_VIDEO.fullmatch(record.use)}
    others = {record.subject for record in records if record.use.startswith("video")}
    assert len(tuned_on) == 3
    assert not tuned_on & others


@pytest.mark.slow
def test_a_search_that_was_stopped_goes_on_where_it_was(tmp_path, config, priors, measurements, sampled, monkeypatch):
    import step.reconstruct

    whole = tuned(tmp_path / "whole", config, priors, measurements)
    n_sampled, sample_problem = len(sampled), step.reconstruct.sample_problem
    sampled.clear()

    def sample_and_stop(*arguments):
        if len(sampled) == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        return sample_problem(*arguments)

    monkeypatch.setattr(step.reconstruct, "sample_problem", sample_and_stop)
    with pytest.raises(Interrupted, match="the same command goes on from there"):
        tuned(tmp_path / "stopped", config, priors, measurements)
    assert len(sampled) == 5
    assert not (tmp_path / "stopped/tuned.yaml").exists()
    monkeypatch.setattr(step.reconstruct, "sample_problem", sample_problem)
    overlay, rows = tuned(tmp_path / "stopped", config, priors, measurements)
    assert overlay == whole[0]
    assert [without_seconds(row) for row in rows] == [without_seconds(row) for row in whole[1]]
    assert len(sampled) < n_sampled + 5


def without_seconds(row: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in row.items() if name != "seconds"}


@pytest.mark.slow
def test_more_trials_go_on_and_another_study_starts_anew(tmp_path, config, priors, measurements, sampled):
    _, few = tuned(tmp_path, config, priors, measurements)
    n_sampled = len(sampled)
    more = config_of(tmp_path, OVERLAY.replace("trials: 8", "trials: 10"))
    _, rows = tuned(tmp_path, more, priors, measurements)
    assert [row["step_size_squared"] for row in rows[:8]] == [row["step_size_squared"] for row in few]
    assert len(rows) == 10
    assert len(sampled) <= n_sampled + 4
    sampled.clear()
    tuned(tmp_path, config_of(tmp_path, "seed: 1\n" + OVERLAY), priors, measurements)
    assert len(sampled) >= n_sampled / 2
    assert len(list((tmp_path / "state").glob("*.journal"))) == 2


def test_other_weights_measurements_or_truths_start_anew(tmp_path, config, priors, measurements):
    def key() -> str:
        files = [*measurements, *(truth_of(file) for file in measurements)]
        return sampling_key(tune.select(config, TASK), files, (tmp_path / "vae", tmp_path / "unet"))

    for folder in ("vae", "unet"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / WEIGHTS).write_bytes(b"some")
    keys = [key(), key()]
    assert keys[0] == keys[1]
    (tmp_path / "unet" / WEIGHTS).write_bytes(b"others")
    keys.append(key())
    write_measurement(measurements[1], {"kspace": np.zeros((12, 8, 8), np.complex64)}, {})
    keys.append(key())
    write_truth(truth_of(measurements[0]), np.ones(SHAPE, np.float32), {})
    keys.append(key())
    assert len(set(keys)) == 4


@pytest.mark.slow
def test_where_every_trial_is_worse_the_starting_values_are_written_and_said_to_be(
    tmp_path, priors, measurements, sampled
):
    config = config_of(tmp_path, OVERLAY.replace("step_size_squared: 1.0e-3", "step_size_squared: 1.0e-2"))
    overlay, _ = tuned(tmp_path, config, priors, measurements)
    assert overlay["tasks"][TASK]["sampler"]["mcmc"] == {"step_size_squared": 1e-2, "damping": 0.5}
    assert "No trial is better: the best values are the study's own." in (tmp_path / "tuned.yaml").read_text()


def test_a_truth_that_lacks_is_one_line(tmp_path, config, priors, measurements, sampled):
    truth_of(measurements[1]).unlink()
    with pytest.raises(InputError, match=r"truths/validation001\.h5"):
        tuned(tmp_path, config, priors, measurements)


@pytest.mark.slow
def test_with_a_prior_the_same_values_score_the_same_whatever_was_sampled_before(
    tmp_path, config, priors, measurements
):
    one_trial = config_of(tmp_path, OVERLAY.replace("trials: 8", "trials: 1"))
    both = [
        tuned(tmp_path / name, one_trial, priors, videos)[1][0]
        for name, videos in (("forwards", measurements), ("backwards", measurements[::-1]))
    ]
    scores = [[float(row[f"psnr_{video}"]) for video in VIDEOS] for row in both]
    assert scores[0] == scores[1]
    assert np.isfinite(scores).all()
