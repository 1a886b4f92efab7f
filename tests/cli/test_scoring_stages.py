"""From measurements to table and pictures, by the stages' own command lines."""

import csv
import math

import numpy as np
import pytest
import torch
from step.__main__ import main
from step.cli import evaluate, plot_comparison, plot_masks, plot_movie, reference, tabulate
from step.cli.settings import dump_settings, parse_settings
from step.config.study import Config, load_config
from step.errors import InputError
from step.evaluation.scores import METRICS
from step.io.reconstructions import (
    Reconstruction,
    read_reconstructions,
    write_measurement,
    write_reconstructions,
)
from step.physics.forward_models import build_forward_model

SHAPE = (4, 2, 24, 24)  # time, channel, y, x
TASK = "mri6"


@pytest.fixture(scope="module")
def config() -> Config:
    return load_config()


@pytest.fixture(scope="module")
def measurements(config, tmp_path_factory) -> list[str]:
    """Return the files of two measured videos of moving blobs."""
    forward_model = build_forward_model(config.measurement_of(TASK), SHAPE)
    folder = tmp_path_factory.mktemp("measurements")
    files = []
    for number in range(2):
        truth = moving_blob(number)
        measured = forward_model.measure(truth[None], torch.Generator().manual_seed(number))
        files.append(str(folder / f"video{number:03d}.h5"))
        arrays = {name: array[0].numpy() for name, array in measured.items()}
        write_measurement(folder / f"video{number:03d}.h5", arrays, truth.numpy(), {})
    return files


def moving_blob(number: int) -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(24), torch.arange(24), indexing="ij")
    centres = 9 + number + 2 * torch.arange(4)[:, None, None]
    blob = torch.exp(-((y - 12) ** 2 + (x - centres) ** 2) / 18)
    return torch.stack([0.6 * blob, 0.8 * blob], dim=1)


def settings_of(stage, config: Config, *names: str) -> list[str]:
    return ["--settings", dump_settings(stage.select(config, *names))]


def run_reference(name: str, config: Config, measurements: list[str], output) -> int:
    settings = settings_of(reference, config, TASK, name)
    return main(["reference", *settings, "--measurements", *measurements, "--output", str(output)])


def test_references_become_a_table_with_one_row_each(config, measurements, tmp_path, capsys):
    names = ["zero_filled", "total_variation", "static"]
    for name in names:
        assert run_reference(name, config, measurements, tmp_path / f"{name}.h5") == 0
        arguments = ["--measurements", *measurements, "--reconstructions", str(tmp_path / f"{name}.h5")]
        settings = settings_of(evaluate, config, TASK)
        assert main(["evaluate", *settings, *arguments, "--output", str(tmp_path / f"{name}.csv")]) == 0
    inputs = [str(tmp_path / f"{name}.csv") for name in names]
    arguments = ["--inputs", *inputs, "--methods", *names, "--paired-with", "static"]
    settings = settings_of(tabulate, config, TASK)
    assert main(["tabulate", *settings, *arguments, "--output", str(tmp_path / "metrics.csv")]) == 0
    with (tmp_path / "metrics.csv").open() as file:
        rows = {row["method"]: row for row in csv.DictReader(file)}
    assert list(rows) == names
    assert float(rows["total_variation"]["psnr"]) > float(rows["static"]["psnr"])
    assert float(rows["zero_filled"]["data_misfit"]) < 1e-6  # it has all the measured lines as they are
    assert math.isnan(float(rows["static"]["difference_correlation"]))
    assert {row["videos"] for row in rows.values()} == {"2"}


def test_static_is_the_truths_time_average(config, measurements, tmp_path):
    run_reference("static", config, measurements, tmp_path / "static.h5")
    [sample] = read_reconstructions([tmp_path / "static.h5"])["video001"].samples
    expected = moving_blob(1).mean(dim=0).numpy()
    assert all(np.allclose(frame, expected, atol=1e-6) for frame in sample)


def test_only_the_first_sample_is_scored(config, measurements, tmp_path):
    truth = moving_blob(0).numpy()
    samples = np.stack([truth, 0 * truth])
    write_reconstructions(tmp_path / "bis.h5", [Reconstruction("video000", samples, {})], {})
    arguments = ["--measurements", measurements[0], "--reconstructions", str(tmp_path / "bis.h5")]
    settings = settings_of(evaluate, config, TASK)
    main(["evaluate", *settings, *arguments, "--output", str(tmp_path / "bis.csv")])
    with (tmp_path / "bis.csv").open() as file:
        [row] = csv.DictReader(file)
    assert list(row) == ["video", *METRICS]
    assert float(row["psnr"]) == pytest.approx(80, abs=0.1)


def test_pictures_are_made_from_files_alone(config, measurements, tmp_path):
    run_reference("static", config, measurements, tmp_path / "static.h5")
    methods = ["--method", "static", str(tmp_path / "static.h5")]
    pictures = [str(tmp_path / "comparison.png"), str(tmp_path / "comparison.pdf")]
    arguments = ["--measurement", measurements[0], *methods, "--data", str(tmp_path / "comparison.npz")]
    settings = settings_of(plot_comparison, config, TASK)
    assert main(["plot_comparison", *settings, *arguments, "--output", *pictures]) == 0
    settings, movie = settings_of(plot_movie, config, TASK), str(tmp_path / "static.gif")
    assert main(["plot_movie", *settings, "--measurements", *measurements, *methods, "--output", movie]) == 0
    made = {path.name for path in tmp_path.iterdir()}
    assert made == {"static.h5", "comparison.png", "comparison.pdf", "comparison.npz", "static.gif"}


def test_a_video_that_was_not_reconstructed_is_named(config, measurements, tmp_path, capsys):
    run_reference("static", config, measurements[:1], tmp_path / "static.h5")
    arguments = ["--measurements", *measurements, "--reconstructions", str(tmp_path / "static.h5")]
    settings = settings_of(evaluate, config, TASK)
    assert main(["evaluate", *settings, *arguments, "--output", str(tmp_path / "static.csv")]) == 1
    assert "video001 is not among the reconstructed videos ['video000']" in capsys.readouterr().err
    assert not (tmp_path / "static.csv").exists()


def test_the_autoencoder_reference_asks_for_its_folder(config, measurements, tmp_path, capsys):
    assert run_reference("vae", config, measurements, tmp_path / "vae.h5") == 1
    assert "give its folder with --prior" in capsys.readouterr().err


def test_settings_hold_just_what_a_reference_uses(config):
    settings = {name: reference.select(config, TASK, name) for name in config.tasks[TASK].references}
    assert settings["static"].measurement is None
    assert settings["vae"].total_variation is None
    assert settings["total_variation"].total_variation == config.tasks[TASK].total_variation
    for chosen in settings.values():
        assert parse_settings(dump_settings(chosen), reference.Settings) == chosen
    with pytest.raises(InputError, match="there is no reference 'zerofilled'"):
        reference.select(config, TASK, "zerofilled")


def test_the_masks_of_a_domain_keep_the_order_of_its_tasks(config):
    settings = plot_masks.select(config, "mri")
    assert [task.task for task in settings.tasks] == ["mri8", "mri6"]
    assert parse_settings(dump_settings(settings), plot_masks.Settings) == settings
    with pytest.raises(InputError, match="no task of 'blackhole'"):
        plot_masks.select(config, "blackhole")
