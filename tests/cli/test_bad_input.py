"""Input that cannot be used ends with one clear line, an exit status that says so, and nothing half-written."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from raw_files import random_image, to_kspace, write_mat
from step.__main__ import main
from step.config.settings import dump_settings
from step.config.study import BASE_CONFIG, Config, load_config, overlaid
from step.io.model_folders import WEIGHTS, weights_digest, write_model_folder
from step.io.optical_flows import VideoOpticalFlow, write_optical_flows
from step.io.reconstructions import write_measurement

KSPACE = "kspace_single_full"
SHAPE = (4, 2, 16, 16)  # time, channel, y, x
SUBJECT = "TrainingSet-P001"


@pytest.fixture(scope="module")
def config() -> Config:
    tiny = {
        "data": {"mri": {"frames": 4, "resolution": 16, "crop": 16, "videos": 1, "images": 4}},
        "priors": {
            "mri": {
                "autoencoder": {"block_channels": [8, 8, 8], "norm_groups": 2, "attention": False},
                "denoiser": {
                    "block_channels": [8, 16],
                    "layers_per_block": 1,
                    "norm_groups": 2,
                    "attention_heads": 2,
                    "context_width": 4,
                    "condition_width": 4,
                },
            }
        },
        "tasks": {"mri8": {"measurement": {"acceleration": 4, "acs_lines": 4}}},
    }
    return Config.model_validate(overlaid(load_config().model_dump(mode="json"), tiny))


def settings(stage: str, config: Config, *selectors: str) -> list[str]:
    module = __import__(f"step.cli.{stage}", fromlist=["select"])
    return [stage, "--settings", dump_settings(module.select(config, *selectors))]


def fails(command: list, output: Path, capfd, status: int = 1) -> str:
    """Return the one line with which `command` ends; nothing may be where `output` was to be, or next to it."""
    before = sorted(output.parent.rglob("*")) if output.parent.is_dir() else []
    assert main([str(word) for word in command]) == status
    printed, line = capfd.readouterr()
    assert printed == ""
    # Progress bars are printed over one another on the line before.
    lines = [part for part in line.replace("\r", "\n").splitlines() if part.strip() and "it/s" not in part]
    error = [part for part in lines if part.startswith("error: ")]
    assert len(error) == 1, line
    assert lines[-1] == error[0]
    assert "Traceback" not in line
    assert (sorted(output.parent.rglob("*")) if output.parent.is_dir() else []) == before
    return error[0]


# --- raw files


def kspace(n_frames: int = 4) -> np.ndarray:
    return to_kspace(random_image((n_frames, 2, 6, 8)))


def cut_short(path: Path) -> None:
    write_mat(path, KSPACE, kspace())
    path.write_bytes(path.read_bytes()[:-1500])


def cut_to_nothing(path: Path) -> None:
    path.touch()


def without_variable(path: Path) -> None:
    write_mat(path, "kspace_single_sub04", kspace())


def with_too_few_frames(path: Path) -> None:
    write_mat(path, KSPACE, kspace(3))


def with_nan(path: Path) -> None:
    values = kspace()
    values[3, 1, 2, 2] = np.nan
    write_mat(path, KSPACE, values)


def of_integers(path: Path) -> None:
    write_mat(path, KSPACE, np.ones((4, 2, 6, 8), np.int16))


def with_an_axis_too_few(path: Path) -> None:
    write_mat(path, KSPACE, kspace()[:, 0])


def with_a_group_in_place_of_the_variable(path: Path) -> None:
    with h5py.File(path, "w", userblock_size=512) as file:
        file.create_group(KSPACE)


def nothing(path: Path) -> None:
    path.with_name("notes.txt").touch()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (cut_short, "cut short"),
        (cut_to_nothing, "is not HDF5"),
        (without_variable, "no variable kspace_single_full or kspace_full"),
        (with_too_few_frames, "kspace has 3 frames, the study needs 4"),
        (with_nan, "values that are not finite"),
        (of_integers, "has type int16"),
        (with_an_axis_too_few, "has shape (4, 6, 8)"),
        (with_a_group_in_place_of_the_variable, "no variable kspace_single_full"),
        (nothing, "no FullSample/P*/"),
    ],
)
def test_ingest_refuses_a_raw_file(config, tmp_path, capfd, spoil: Callable[[Path], None], says):
    file = tmp_path / "raw/TrainingSet/FullSample/P001/cine_sax.mat"
    file.parent.mkdir(parents=True)
    spoil(file)
    output = tmp_path / "out/000.h5"
    output.parent.mkdir()
    arguments = ["--root", tmp_path / "raw", "--subjects", SUBJECT, "--output", output]
    line = fails([*settings("ingest", config, "mri"), *arguments], output, capfd)
    assert says in line
    assert str(tmp_path / "raw" if spoil is nothing else file) in line


def test_ten_frames_are_too_few_for_the_paper(tmp_path, capfd):
    file = tmp_path / "raw/TrainingSet/FullSample/P001/cine_sax.mat"
    write_mat(file, KSPACE, kspace(10))
    arguments = ["--root", tmp_path / "raw", "--subjects", SUBJECT, "--output", tmp_path / "out/000.h5"]
    (tmp_path / "out").mkdir()
    line = fails([*settings("ingest", load_config(), "mri"), *arguments], tmp_path / "out/000.h5", capfd)
    assert "kspace has 10 frames, the study needs 12" in line
    assert "data.mri.exclude" in line


def test_a_missing_root_is_named_with_its_key(config, tmp_path, capfd):
    arguments = ["--root", tmp_path / "raw", "--subjects", SUBJECT, "--output", tmp_path / "000.h5"]
    line = fails([*settings("ingest", config, "mri"), *arguments], tmp_path / "000.h5", capfd)
    assert f"no folder {tmp_path / 'raw'}" in line
    assert "data.mri.root" in line


def test_prepare_refuses_a_file_that_is_no_raw_store(config, tmp_path, capfd):
    store = write_mat(tmp_path / "raw.h5", "other", np.ones(3))
    arguments = ["--input", store, "--output", tmp_path / "000.h5"]
    line = fails([*settings("prepare", config, "mri"), *arguments], tmp_path / "000.h5", capfd)
    assert "is no raw store" in line


# --- configuration


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("data: {mri: {frame: 12}}", ["data.mri.frame", "unknown key"]),
        ("priors: {mri: {joint: {p_joint: 1.5}}}", ["priors.mri.joint.p_joint", "1.5"]),
        ("data: {mri: {frames: 12.5}}", ["data.mri.frames", "12.5"]),
    ],
    ids=["misspelt", "out of range", "not whole"],
)
def test_a_bad_configuration_stops_a_stage(tmp_path, capfd, text, says):
    bad = tmp_path / "bad.yaml"
    bad.write_text(text)
    output = tmp_path / "000.h5"
    command = ["prepare", "--config", bad, "--domain", "mri", "--input", tmp_path / "raw.h5", "--output", output]
    line = fails(command, output, capfd)
    assert [part for part in [*says, "bad.yaml"] if part not in line] == []


@pytest.mark.parametrize(
    ("text", "says"),
    [('{"seed": 0}', "missing"), ("{", "Invalid JSON"), ('{"display": "magnitude", "more": 1}', "unknown key")],
    ids=["missing", "no JSON", "unknown"],
)
def test_bad_settings_stop_a_stage(tmp_path, capfd, text, says):
    output = tmp_path / "movie.mp4"
    command = ["plot", "movie", "--settings", text, "--truths", "a.h5", "--method", "bis", "b.h5"]
    assert says in fails([*command, "--output", output], output, capfd)


def test_a_task_that_is_not_in_the_study_is_named(tmp_path, capfd):
    command = ["measure", "--config", BASE_CONFIG, "--task", "mri7", "--index", "index.csv", "--videos", "video000"]
    command += ["--truths", tmp_path / "truths"]
    line = fails([*command, "--output", tmp_path / "out"], tmp_path / "out", capfd)
    assert "mri7" in line
    assert "mri8" in line


@pytest.mark.slow
def test_wrong_usage_exits_with_2(capfd):
    for command in (["ingest", "--roots", "raw"], ["ingset"], []):
        with pytest.raises(SystemExit) as ended:
            main(command)
        assert ended.value.code == 2
        assert "error: " in capfd.readouterr().err


# --- model folders


@pytest.fixture
def models(config, tmp_path) -> dict[str, Path]:
    """Untrained networks in model folders of the domain mri, and a measurement."""
    from step.models.autoencoder import build_autoencoder
    from step.models.unet import DenoisingUNet

    torch.manual_seed(0)
    priors = config.priors["mri"]
    folders = {name: tmp_path / "models" / name for name in ("autoencoder", "image")}
    facts = {"domain": "mri", "kind": "autoencoder", "prior": "autoencoder", "latent_mean": [0.0] * 2}
    network = build_autoencoder(priors.autoencoder, 2)
    losses = [{"step": 1, "loss": 1.0}]
    write_model_folder(
        folders["autoencoder"], network, facts | {"latent_std": [1.0] * 2, "patch_size": 1}, "", losses, {"hours": 0.0}
    )
    facts = {
        "domain": "mri",
        "kind": "denoiser",
        "prior": "image",
        "autoencoder": weights_digest(folders["autoencoder"]),
        "architecture": "unet",
        "noise_schedule": priors.noise_schedule.model_dump(),
        "latent_shape": list(config.latent_shape("mri")),
    }
    network = DenoisingUNet(latent_channels=2, temporal=False, **priors.denoiser.model_dump())
    write_model_folder(folders["image"], network, facts, "", losses, {"hours": 0.0})
    measurement = {"kspace": np.ones((4, 16, 16), np.complex64)}
    write_measurement(tmp_path / "video000.h5", measurement, {})
    return folders


def sample(config: Config, models: dict[str, Path], output: Path, method: str = "bis") -> list:
    files = ["--autoencoder", models["autoencoder"], "--denoiser", models["image"], "--output", output]
    measurements = ["--measurements", models["image"].parents[1] / "video000.h5"]
    return [*settings("sample", config, "mri8", method), *files, *measurements]


def of_another_domain(models: dict[str, Path]) -> None:
    for folder in models.values():
        facts = folder / "step.json"
        facts.write_text(facts.read_text().replace('"mri"', '"blackhole"'))


def of_another_autoencoder(models: dict[str, Path]) -> None:
    facts = models["image"] / "step.json"
    facts.write_text(facts.read_text().replace(weights_digest(models["autoencoder"]), "0" * 64))


def with_a_pickle_for_safetensors(models: dict[str, Path]) -> None:
    weights = models["image"] / WEIGHTS
    weights.unlink()
    torch.save({}, weights.with_name("diffusion_pytorch_model.bin"))


def with_a_pickle_called_safetensors(models: dict[str, Path]) -> None:
    torch.save({"weight": torch.zeros(3)}, models["image"] / WEIGHTS)


def with_weights_cut_short(models: dict[str, Path]) -> None:
    weights = models["image"] / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-1000])


def with_damaged_facts(models: dict[str, Path]) -> None:
    (models["image"] / "step.json").write_text("{")


def with_facts_missing(models: dict[str, Path]) -> None:
    (models["image"] / "step.json").write_text('{"domain": "mri", "kind": "denoiser"}')


def with_a_damaged_configuration(models: dict[str, Path]) -> None:
    (models["image"] / "config.json").write_text('{"latent_channels": "two"')


def swapped(models: dict[str, Path]) -> None:
    models["image"], models["autoencoder"] = models["autoencoder"], models["image"]


def missing(models: dict[str, Path]) -> None:
    models["image"] = models["image"].with_name("joint")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (of_another_domain, ["prior of the domain 'blackhole'", "'mri'"]),
        (of_another_autoencoder, ["another autoencoder"]),
        (with_a_pickle_for_safetensors, ["is not a model folder", WEIGHTS]),
        (with_a_pickle_called_safetensors, ["cannot load the model", "train the prior again"]),
        (with_weights_cut_short, ["cannot load the model", "train the prior again"]),
        (with_damaged_facts, ["step.json is not JSON"]),
        (with_facts_missing, ["autoencoder", "train the prior again"]),
        (with_a_damaged_configuration, ["cannot load the model"]),
        (swapped, ["kind 'autoencoder', not 'denoiser'"]),
        (missing, ["joint is not a model folder"]),
    ],
)
def test_sample_refuses_a_model_folder(config, models, tmp_path, capfd, spoil, says):
    spoil(models)
    output = tmp_path / "out/000.h5"
    line = fails(sample(config, models, output), output, capfd)
    assert [part for part in says if part not in line] == []


def write_optical_flow(path: Path, video: str, n_frames: int) -> None:
    displacements = np.zeros((n_frames - 1, 2, 16, 16), np.float32)
    write_optical_flows(
        path, [VideoOpticalFlow(video, displacements, displacements)], {"optical_flow": "truth (oracle), TV-L1"}
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("video", "n_frames", "says"),
    [
        (None, 4, ["bilinear", "--optical-flow"]),
        ("video001", 4, ["optical_flow.h5", "video001", "video000"]),
        ("video000", 5, ["5 frames", "latents have 4"]),
    ],
    ids=["none", "of another video", "of more frames"],
)
def test_sample_refuses_noise_that_moves_without_its_optical_flow(
    config, models, tmp_path, capfd, video, n_frames, says
):
    output = tmp_path / "out/000.h5"
    command = sample(config, models, output, method="bilinear")
    if video:
        write_optical_flow(tmp_path / "optical_flow.h5", video, n_frames)
        command += ["--optical-flow", tmp_path / "optical_flow.h5"]
    line = fails(command, output, capfd)
    assert [part for part in says if part not in line] == []


# --- places that cannot be written to

LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
from step.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def ingest_command(config: Config, root: Path, output: Path) -> list[str]:
    write_mat(root / "TrainingSet/FullSample/P001/cine_sax.mat", KSPACE, to_kspace(random_image((4, 40, 40, 40))))
    arguments = ["--root", root, "--subjects", SUBJECT, "--output", output]
    return [str(word) for word in [*settings("ingest", config, "mri"), *arguments]]


def run_full(program: list[str], command: list[str]) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(BASE_CONFIG.parents[1] / "workflow")}
    return subprocess.run([sys.executable, *program, *command], env=environment, capture_output=True, text=True)


def assert_nothing_was_left(job: subprocess.CompletedProcess, folder: Path, older: bytes | None) -> None:
    assert job.returncode == 1, job.stderr
    assert "Traceback" not in job.stderr
    (line,) = [line for line in job.stderr.splitlines() if line.startswith("error: ")]
    assert "move `results` to a larger disk" in line
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == ({} if older is None else {"000.h5": older})


@pytest.mark.slow
@pytest.mark.parametrize("older", [None, b"the older file"], ids=["nothing there", "an older file there"])
def test_a_file_that_cannot_grow_leaves_what_was_there(config, tmp_path, older):
    output = tmp_path / "out/000.h5"
    output.parent.mkdir()
    if older is not None:
        output.write_bytes(older)
    job = run_full(["-c", LIMITED], ingest_command(config, tmp_path / "raw", output))
    assert_nothing_was_left(job, output.parent, older)


@pytest.fixture
def tiny_disk(tmp_path) -> Path:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("a small disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
def test_a_full_disk_leaves_nothing_behind(config, tmp_path, tiny_disk):
    job = run_full(["-m", "step"], ingest_command(config, tmp_path / "raw", tiny_disk / "000.h5"))
    assert_nothing_was_left(job, tiny_disk, None)


def test_an_output_below_a_file_is_named(config, tmp_path, capfd):
    (tmp_path / "file").touch()
    command = ingest_command(config, tmp_path / "raw", tmp_path / "file/000.h5")
    line = fails(command, tmp_path / "out/000.h5", capfd)
    assert str(tmp_path / "file") in line


def test_a_folder_in_place_of_an_output_is_named(config, tmp_path, capfd):
    output = tmp_path / "out/000.h5"
    output.mkdir(parents=True)
    line = fails(ingest_command(config, tmp_path / "raw", output), output, capfd)
    assert str(output) in line
