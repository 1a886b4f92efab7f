"""Two processes that share each batch learn what one does."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file
from step.__main__ import main
from step.cli.train import select
from step.config.settings import dump_settings
from step.config.study import BASE_CONFIG, load_config
from step.io.videos import PreparedVideo, VideoRecord, write_index, write_videos

MINIATURE = Path(__file__).parents[1] / "workflow/miniature.yaml"
DOMAIN = "mri"


@pytest.fixture(scope="module")
def index(tmp_path_factory) -> Path:
    """The index of six made-up videos to train on, and one for the record."""
    folder = tmp_path_factory.mktemp("videos")
    video = load_config(MINIATURE).video_format(DOMAIN)
    shape = (video.frames, video.channels, video.resolution, video.resolution)
    frames = np.random.default_rng(0).standard_normal((7, *shape), np.float32)
    prepared = (PreparedVideo(f"v{n}", f"P{n}", f"s{n}", 1.0, 0.0, frames[n]) for n in range(7))
    write_videos(folder / "000.h5", (7, *shape), prepared)
    splits = [("train", "video")] * 6 + [("validation", "validation000")]
    records = [
        VideoRecord(f"v{n}", f"P{n}", f"s{n}", "000.h5", n, "video", split, use)
        for n, (split, use) in enumerate(splits)
    ]
    write_index(folder / "index.csv", records)
    return folder / "index.csv"


def arguments(index: Path, prior: str, output: Path, *models: str) -> list[str]:
    settings = dump_settings(select(load_config(MINIATURE), domain=DOMAIN, prior=prior))
    files = ["--index", str(index), "--state", str(output.with_suffix(".state")), "--output", str(output)]
    return ["train", "--settings", settings, *files, *models]


def assert_learned_the_same(one: Path, two: Path) -> None:
    (processes, _), (shared_by, threads) = devices(one), devices(two)
    assert (processes, shared_by, threads) == (1, 2, 1)  # two processes had two threads between them
    losses = [list(csv.DictReader((folder / "losses.csv").open())) for folder in (one, two)]
    for first, second in zip(*losses, strict=True):
        assert float(first["loss"]) == pytest.approx(float(second["loss"]), rel=1e-5)
        assert float(first["validation_loss"]) == pytest.approx(float(second["validation_loss"]), rel=1e-5)
    weights = [load_file(folder / "diffusion_pytorch_model.safetensors") for folder in (one, two)]
    assert weights[0].keys() == weights[1].keys()
    for name, values in weights[0].items():
        np.testing.assert_allclose(values, weights[1][name], atol=2e-5, err_msg=name)


@pytest.mark.long
def test_two_processes_learn_what_one_does(index, tmp_path):
    one, two, image = tmp_path / "autoencoder", tmp_path / "autoencoder2", tmp_path / "image"
    assert main(arguments(index, "autoencoder", one)) == 0
    assert main(arguments(index, "image", image, "--autoencoder", str(one))) == 0
    models = ["--autoencoder", str(one), "--initial", str(image)]
    assert main(arguments(index, "joint", tmp_path / "joint", *models)) == 0
    in_two([*arguments(index, "autoencoder", two), "--processes", "2"])
    in_two([*arguments(index, "image", tmp_path / "image2", "--autoencoder", str(one)), "--processes", "2"])
    in_two([*arguments(index, "joint", tmp_path / "joint2", *models), "--processes", "2"])
    assert_learned_the_same(one, two)
    assert_learned_the_same(image, tmp_path / "image2")
    assert_learned_the_same(tmp_path / "joint", tmp_path / "joint2")


def devices(folder: Path) -> tuple[int, int]:
    """Return how many processes trained a model, and with how many threads each."""
    with (folder / "training.csv").open() as file:
        words = next(csv.DictReader(file))["device"].split()
    return int(words[0]), int(words[-2])


def in_two(command: list[str]) -> None:
    environment = os.environ | {"PYTHONPATH": str(BASE_CONFIG.parents[1] / "workflow"), "OMP_NUM_THREADS": "2"}
    run = subprocess.run([sys.executable, "-m", "step", *command], env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


@pytest.mark.slow
def test_a_batch_that_cannot_be_shared_is_one_line(index, tmp_path, capfd):
    assert main([*arguments(index, "autoencoder", tmp_path / "none"), "--processes", "3"]) == 1
    assert "3 processes cannot share a batch of 8" in capfd.readouterr().err
