"""The optical flow of measured videos, by the stage's own command line."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from step.__main__ import main
from step.cli import optical_flow
from step.config.settings import dump_settings, parse_settings
from step.config.study import Config, load_config
from step.errors import InputError
from step.io.learned_weights import KnownWeights, write_learned_weights, write_missing
from step.io.optical_flows import read_optical_flow_attributes, read_optical_flows
from step.io.reconstructions import write_measurement
from step.io.truths import write_truth
from step.physics.forward_models import build_forward_model

SHAPE = (4, 2, 32, 32)  # time, channel, y, x
TASK = "mri6"
BLACK_HOLE = "blackhole"


@pytest.fixture(scope="module")
def config() -> Config:
    return load_config()


def settings_of(config: Config, source: str, estimator: str = "tvl1") -> optical_flow.Settings:
    """Return the stage's settings for videos of `SHAPE`, acquired with all the lines."""
    study = config.model_dump()
    study["tasks"][TASK]["optical_flow"] |= {"source": source, "estimator": estimator}
    study["tasks"][TASK]["measurement"]["acceleration"] = 1
    study["data"]["mri"] |= {"frames": SHAPE[0], "resolution": SHAPE[2]}
    return optical_flow.select(Config.model_validate(study), TASK)


def moving_spot() -> np.ndarray:
    """Return a spot of magnitude 2 that goes one pixel right and half a pixel down from frame to frame."""
    rows, columns = np.indices(SHAPE[2:])
    time = np.arange(SHAPE[0])[:, None, None]
    spot = np.exp(-((columns - 14 - time) ** 2 + (rows - 15 - time / 2) ** 2) / 40)
    return np.stack([1.2 * spot, 1.6 * spot], axis=1).astype(np.float32)


@pytest.fixture
def measurements(config, tmp_path) -> list[Path]:
    """Return the files of two videos, one of them at rest, measured with next to no noise."""
    chosen = settings_of(config, "backprojection")
    forward_model = build_forward_model(chosen.measurement, SHAPE)
    files = []
    for number, video in enumerate((moving_spot(), np.repeat(moving_spot()[:1], SHAPE[0], axis=0))):
        measured = forward_model.measure(torch.from_numpy(video)[None], torch.Generator().manual_seed(number))
        files.append(tmp_path / f"video{number:03d}.h5")
        write_measurement(files[-1], {name: array[0].numpy() for name, array in measured.items()}, {})
        write_truth(tmp_path / f"truths/video{number:03d}.h5", video, {})
    return files


def run(settings: optical_flow.Settings, measurements: list[Path], output: Path, *more: object) -> int:
    truths = [file.parent / "truths" / file.name for file in measurements]
    files = ["--truths", *truths] if settings.optical_flow.source == "truth" else ["--measurements", *measurements]
    words = [*files, "--output", output, *more]
    return main(["optical_flow", "--settings", dump_settings(settings), *map(str, words)])


def known_weights(folder: Path) -> Path:
    """Write and return a table in which the kept file may have any SHA-256."""
    columns = list(KnownWeights.__dataclass_fields__)
    with (folder / "weights.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerow(dict.fromkeys(columns, "") | {"network": "raft"})
    return folder / "weights.csv"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "text"), [("truth", "truth (oracle), TV-L1"), ("backprojection", "backprojection, TV-L1")]
)
def test_the_optical_flow_of_truth_and_of_backprojection_follows_the_motion(
    config, measurements, tmp_path, source, text, capsys
):
    assert run(settings_of(config, source), measurements, tmp_path / "optical_flow.h5") == 0
    moving, still = read_optical_flows(tmp_path / "optical_flow.h5").values()
    assert moving.forward.shape == moving.backward.shape == (SHAPE[0] - 1, 2, 32, 32)
    for time in range(SHAPE[0] - 1):
        y, x = 15 + time // 2, 14 + time
        assert np.allclose(moving.forward[time, :, y, x], [1, 0.5], atol=0.25)
        assert np.allclose(moving.backward[time, :, y, x], [-1, -0.5], atol=0.25)
        assert np.abs(still.forward[time, :, y, x]).max() < 0.1
    attributes = read_optical_flow_attributes(tmp_path / "optical_flow.h5")
    assert (attributes["optical_flow"], attributes["source"], attributes["estimator"]) == (text, source, "tvl1")
    assert 0 < attributes["end_point_error_px"] < 0.2
    told = f"texture of 32 x 32 pixels: {attributes['end_point_error_px']:.2f} pixel"
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("source", "given", "asked"),
    [("truth", "--measurements", "--truths"), ("backprojection", "--truths", "--measurements")],
)
def test_the_optical_flow_asks_for_the_files_that_it_is_taken_from(
    config, measurements, tmp_path, capsys, source, given, asked
):
    settings = dump_settings(settings_of(config, source))
    command = [
        "optical_flow",
        "--settings",
        settings,
        given,
        str(measurements[0]),
        "--output",
        str(tmp_path / "optical_flow.h5"),
    ]
    assert main(command) == 1
    assert (
        f"optical_flow.source is {source}; give the files that it is taken from with {asked}" in capsys.readouterr().err
    )
    assert not (tmp_path / "optical_flow.h5").exists()


def test_no_truth_is_taken_out_of_a_measurement(config, measurements, tmp_path, capsys):
    settings = dump_settings(settings_of(config, "truth"))
    command = [
        "optical_flow",
        "--settings",
        settings,
        "--truths",
        str(measurements[0]),
        "--output",
        str(tmp_path / "optical_flow.h5"),
    ]
    assert main(command) == 1
    assert "video000.h5 holds measurement, no truth" in capsys.readouterr().err


def test_a_measurement_of_another_size_is_refused(config, measurements, tmp_path, capsys):
    settings = settings_of(config, "backprojection").model_copy(update={"shape": (4, 2, 48, 48)})
    assert run(settings, measurements, tmp_path / "optical_flow.h5") == 1
    assert "video000.h5 holds kspace (4 x " in capsys.readouterr().err


@pytest.mark.slow
def test_without_weights_raft_gives_way_to_tv_l1_and_the_file_says_why(config, measurements, tmp_path, capsys):
    settings, checksums = settings_of(config, "truth", "raft"), known_weights(tmp_path)
    write_missing(tmp_path / "raft.safetensors", "weights.raft is null")
    weights = ("--weights", tmp_path / "raft.safetensors", "--checksums", checksums)
    for words, reason in (((), "no weights given"), (weights, "weights.raft is null")):
        assert run(settings, measurements[1:], tmp_path / "optical_flow.h5", *words) == 0
        attributes = read_optical_flow_attributes(tmp_path / "optical_flow.h5")
        assert attributes["optical_flow"] == f"truth (oracle), TV-L1 (no RAFT: {reason})"
        assert attributes["estimator"] == "tvl1"
        assert f"no RAFT: {reason}; the optical flow is estimated by TV-L1" in capsys.readouterr().err


@pytest.mark.slow
def test_with_weights_it_is_raft(config, measurements, tmp_path):
    torch.manual_seed(0)
    from torchvision.models.optical_flow import raft_large

    arrays = {name: tensor.numpy() for name, tensor in raft_large(weights=None).state_dict().items()}
    write_learned_weights(tmp_path / "raft.safetensors", arrays, {"source": "nowhere", "sha256": "0123"})
    weights = ("--weights", tmp_path / "raft.safetensors", "--checksums", known_weights(tmp_path))
    assert run(settings_of(config, "truth", "raft"), measurements[1:], tmp_path / "optical_flow.h5", *weights) == 0
    attributes = read_optical_flow_attributes(tmp_path / "optical_flow.h5")
    assert (attributes["optical_flow"], attributes["estimator"]) == ("truth (oracle), RAFT", "raft")
    assert attributes["end_point_error_px"] > 0.2  # of a network that has learned nothing


def test_weights_that_cannot_be_checked_are_refused(config, measurements, tmp_path, capsys):
    settings = settings_of(config, "truth", "raft")
    assert run(settings, measurements, tmp_path / "optical_flow.h5", "--weights", tmp_path / "raft.safetensors") == 1
    assert "give the table of known weights, --checksums" in capsys.readouterr().err


def test_settings_hold_just_what_the_optical_flow_uses(config):
    oracle, inverse = optical_flow.select(config, BLACK_HOLE), optical_flow.select(config, TASK)
    assert (oracle.optical_flow.source, oracle.measurement, oracle.shape) == ("truth", None, None)
    assert optical_flow.modules(oracle) == []
    assert inverse.shape == (12, 2, 192, 192)
    assert optical_flow.modules(inverse) == ["step.physics.mri"]
    for chosen in (oracle, inverse):
        assert parse_settings(dump_settings(chosen), optical_flow.Settings) == chosen
    without = config.model_copy(update={"tasks": {TASK: config.tasks[TASK].model_copy(update={"optical_flow": None})}})
    with pytest.raises(InputError, match=r"task mri6 has no optical flow.*tasks\.mri6\.optical_flow"):
        optical_flow.select(without, TASK)
