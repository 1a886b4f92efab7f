"""Tuning of a classical row by its own command line: on validation videos alone, resumable, without any prior."""

import argparse
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from step.cli import reference, tune_classical
from step.config.study import Config, load_config
from step.errors import InputError
from step.figures.tuning import plot_trials, read_trials
from step.io.reconstructions import write_measurement
from step.io.tables import read_table
from step.io.truths import write_truth
from step.physics.mri import CartesianMri

TASK, ROW = "mri8", "low_rank_sparse"
VIDEOS = ("validation000", "validation001")
OVERLAY = """
data: {mri: {resolution: 32, frames: 6}}
tasks:
  mri8:
    measurement: {acceleration: 3, acs_lines: 4}
    classical: {low_rank_sparse: {low_rank_weight: 0.7, sparse_weight: 0.5, iterations: 8}}
tuning:
  trials: 6
  startup_trials: 3
  pruning: null
  classical: {low_rank_sparse: {low_rank_weight: [0.1, 1], sparse_weight: [0.001, 1]}}
"""


def config_of(folder: Path, text: str = OVERLAY) -> Config:
    (folder / "small.yaml").write_text(text)
    return load_config(folder / "small.yaml")


def moving_blob(number: int) -> torch.Tensor:
    """Return a blob (1, time, 2, y, x) that moves, of constant phase."""
    y, x = torch.meshgrid(torch.arange(32), torch.arange(32), indexing="ij")
    centres = 12 + number + 1.5 * torch.arange(6)[:, None, None]
    blob = torch.exp(-((y - 16) ** 2 + (x - centres) ** 2) / 20)
    return torch.stack([0.6 * blob, 0.8 * blob], dim=1)[None]


def write_video(folder: Path, name: str, number: int) -> Path:
    """Write the measurement and the truth of a video; return the measurement's file."""
    truth, path = moving_blob(number), folder / f"measurements/{name}.h5"
    mask = torch.arange(32) % 3 == 0
    mask[14:18] = True
    measured = CartesianMri(mask, noise_level=0.02).measure(truth, seed=number)
    write_measurement(path, {key: array[0].numpy() for key, array in measured.items()}, {"video": name})
    write_truth(truth_of(path), truth[0].numpy(), {"video": name})
    return path


def truth_of(measurement: Path) -> Path:
    return measurement.parents[1] / "truths" / measurement.name


@pytest.fixture
def measurements(tmp_path) -> list[Path]:
    return [write_video(tmp_path, video, number) for number, video in enumerate(VIDEOS)]


def tuned(folder: Path, config: Config, measurements: list[Path]) -> tuple[dict, list[dict[str, str]]]:
    """Return the configuration and the table that the stage writes."""
    parser = argparse.ArgumentParser()
    tune_classical.add_arguments(parser)
    words = ["--measurements", *measurements, "--truths", *map(truth_of, measurements), "--state", folder / "state"]
    words += ["--output", folder / "tuned.yaml", "--table", folder / "trials.csv"]
    tune_classical.run(parser.parse_args([str(word) for word in words]), tune_classical.select(config, TASK, ROW))
    return yaml.safe_load((folder / "tuned.yaml").read_text()), read_table(folder / "trials.csv")


@pytest.mark.slow
def test_the_best_values_score_higher_than_the_start_and_are_laid_over_the_study(tmp_path, measurements):
    config = config_of(tmp_path)
    overlay, rows = tuned(tmp_path, config, measurements)
    assert (float(rows[0]["low_rank_weight"]), float(rows[0]["sparse_weight"])) == (0.7, 0.5)
    best = max(rows, key=lambda row: float(row["psnr"]))
    assert float(best["psnr"]) > float(rows[0]["psnr"]) + 1
    values = overlay["tasks"][TASK]["classical"][ROW]
    assert values == {name: float(best[name]) for name in ("low_rank_weight", "sparse_weight")}
    laid_over = load_config(tmp_path / "small.yaml", tmp_path / "tuned.yaml")
    assert laid_over.tasks[TASK].classical[ROW] == config.tasks[TASK].classical[ROW].model_copy(update=values)
    assert laid_over.tasks[TASK].classical["total_variation"] == config.tasks[TASK].classical["total_variation"]


@pytest.mark.slow
def test_the_score_is_that_of_the_row_itself(tmp_path, measurements):
    from step.metrics.psnr import psnr
    from step.physics.display import to_unit_range
    from step.references import reconstruct_files

    config = config_of(tmp_path)
    _, rows = tuned(tmp_path, config, measurements)
    found = reconstruct_files(measurements, None, reference.select(config, TASK, ROW))
    for number, (video, name) in enumerate(zip(found, VIDEOS, strict=True)):
        truth = moving_blob(number)[0].numpy()
        expected = psnr(*(to_unit_range(each, truth, "magnitude") for each in (video.samples[0], truth)))
        assert float(rows[0][f"psnr_{name}"]) == pytest.approx(expected, abs=1e-4)


@pytest.mark.slow
def test_more_trials_go_on_and_other_settings_start_anew(tmp_path, measurements):
    few = tuned(tmp_path, config_of(tmp_path), measurements)[1]
    more = tuned(tmp_path, config_of(tmp_path, OVERLAY.replace("trials: 6", "trials: 7")), measurements)[1]
    assert [row["seconds"] for row in more[:6]] == [row["seconds"] for row in few]
    assert len(list((tmp_path / "state").glob("*.journal"))) == 1
    tuned(tmp_path, config_of(tmp_path, OVERLAY.replace("iterations: 8", "iterations: 2")), measurements)
    assert len(list((tmp_path / "state").glob("*.journal"))) == 2


@pytest.mark.slow
def test_the_picture_shows_each_value_that_was_searched(tmp_path, measurements):
    _, rows = tuned(tmp_path, config_of(tmp_path), measurements)
    figure = plot_trials(read_trials(rows, "trials.csv"))
    assert {"low rank weight", "sparse weight"} <= {axes.get_xlabel() for axes in figure.axes}


@pytest.mark.slow
def test_a_test_video_is_refused(tmp_path, measurements):
    test_video = write_video(tmp_path, "video000", 0)
    with pytest.raises(InputError, match=r"video000\.h5 is of video000; settings are chosen on validation videos"):
        tuned(tmp_path, config_of(tmp_path), [*measurements, test_video])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        ("iterations: [0.5, 2]", r"tuning\.classical\.low_rank_sparse\.iterations has a range, and the value 8 no mul"),
        ("damping: [0.5, 2]", r"damping has a range, and the value None .* \['low_rank_weight', 'sparse_weight'\]"),
    ],
)
def test_what_has_no_multiples_is_one_line(tmp_path, measurements, ranges, message):
    text = OVERLAY.replace("sparse_weight: [0.001, 1]", ranges)
    with pytest.raises(InputError, match=message):
        tuned(tmp_path, config_of(tmp_path, text), measurements)


@pytest.mark.slow
def test_a_row_without_settings_or_without_ranges_cannot_be_tuned(tmp_path):
    config = config_of(tmp_path)
    with pytest.raises(InputError, match="static has no settings to be tuned; of the references of mri8 total_variat"):
        tune_classical.select(config, TASK, "static")
    text = "tasks: {mri8: {classical: {my_lab.tikhonov: {damping: 1.0}}}}"
    with pytest.raises(InputError, match=r"tuning\.classical has no ranges of 'my_lab\.tikhonov'"):
        tune_classical.select(config_of(tmp_path, text), TASK, "my_lab.tikhonov")


@pytest.mark.slow
def test_values_that_diverge_are_a_failed_trial(tmp_path, measurements, monkeypatch):
    from step.classical import low_rank_sparse

    whole = low_rank_sparse.reconstruct

    def diverge(forward_model, measurement, settings):
        video = whole(forward_model, measurement, settings)
        return video if settings.sparse_weight == 0.5 else np.nan * video

    monkeypatch.setattr(low_rank_sparse, "reconstruct", diverge)
    overlay, rows = tuned(tmp_path, config_of(tmp_path), measurements)
    assert [row["state"] for row in rows] == ["complete"] + ["failed"] * 5
    assert overlay["tasks"][TASK]["classical"][ROW] == {"low_rank_weight": 0.7, "sparse_weight": 0.5}
