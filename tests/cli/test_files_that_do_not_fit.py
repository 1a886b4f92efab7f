"""Files of earlier stages that are damaged, or do not fit together, end a stage with one line and no output."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest
from step.__main__ import main
from step.cli import evaluate, measure, prepare, reference, sample, split, train
from step.config.settings import dump_settings
from step.config.study import BASE_CONFIG, Config, load_config
from step.figures import losses, movie
from step.io.features import missing_features, write_features
from step.io.learned_weights import write_missing
from step.io.model_folders import WEIGHTS, weights_digest, write_model_folder
from step.io.reconstructions import Reconstruction, write_measurement, write_reconstructions
from step.io.sequences import RawSequence, write_sequences
from step.io.truths import write_truth
from step.io.videos import PreparedVideo, VideoRecord, write_index, write_videos
from step.tables import metrics

SIZE = 8
N_FRAMES = 12

OVERLAY = """
data:
  mri: {resolution: 8, split: {validation: 0, test: 1}, test_videos: 1, validation_videos: 0}
priors:
  mri:
    autoencoder: {latent_channels: 2, block_channels: [4, 8], norm_groups: 2, attention: false}
    denoiser:
      {block_channels: [8, 8], layers_per_block: 1, norm_groups: 2, attention_heads: 2, context_width: 4,
       condition_width: 4}
    autoencoder_training: {optimisation: {epochs: 1, batch_size: 4, precision: "no"}}
    joint: {optimisation: {epochs: 1, batch_size: 1, precision: "no"}}
tasks:
  mri8:
    measurement: {acceleration: 2, acs_lines: 2}
    sampler: {annealing: {levels: 1}, ode: {steps: 1}, mcmc: {steps: 1}}
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Config:
    file = tmp_path_factory.mktemp("config") / "small.yaml"
    file.write_text(OVERLAY)
    return load_config(file)


@pytest.fixture
def out(tmp_path) -> Path:
    """The folder to which every stage is told to write, with an older result in it."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "older").write_text("an older result")
    return folder


@pytest.fixture
def error_of(out, capsys) -> Callable[..., str]:
    """Return the line with which a stage refuses its arguments, having left the folder of outputs as it was."""

    def run(stage: str, settings: object, *arguments: Sequence[str | Path]) -> str:
        capsys.readouterr()
        assert main(command(stage, settings, *arguments)) == 1
        assert [path.name for path in out.rglob("*")] == ["older"]
        assert (out / "older").read_text() == "an older result"
        return the_error(capsys.readouterr().err)

    return run


def command(stage: str, settings: object, *arguments: Sequence[str | Path]) -> list[str]:
    return [
        *stage.split(),
        "--settings",
        dump_settings(settings),
        *(str(word) for words in arguments for word in words),
    ]


def the_error(stderr: str) -> str:
    """Return the only error of a log; it is the last line, and the lines above it are ordinary ones."""
    *log, error = stderr.strip().splitlines()
    assert [line for line in log if not re.match(r"\d\d:\d\d:\d\d ", line)] == []
    assert error.startswith("error: ")
    return error


def video(seed: int = 0, size: int = SIZE) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((N_FRAMES, 2, size, size)).astype(np.float32)


@pytest.fixture
def raw_store(tmp_path) -> Path:
    sequence = RawSequence("P1-00", "P1", "P001/cine_sax.mat", "sax", video()[:, 0].astype(np.complex64))
    write_sequences(tmp_path / "raw.h5", [sequence])
    return tmp_path / "raw.h5"


@pytest.fixture
def prepared(tmp_path) -> Path:
    videos = [PreparedVideo(f"P{n}-00-00", f"P{n}", f"P{n}-00", 1.0, 0.0, video(n)) for n in range(2)]
    write_videos(tmp_path / "prepared/000.h5", (2, *videos[0].frames.shape), videos)
    return tmp_path / "prepared/000.h5"


@pytest.fixture
def index(tmp_path, prepared) -> Path:
    """The index of the two prepared videos, one of which is held out."""
    uses = [("train", "video"), ("test", "video000")]
    records = [
        VideoRecord(f"P{n}-00-00", f"P{n}", f"P{n}-00", "prepared/000.h5", n, "video", *uses[n]) for n in range(2)
    ]
    write_index(tmp_path / "index.csv", records)
    return tmp_path / "index.csv"


@pytest.fixture
def measurement(tmp_path) -> Path:
    write_measurement(tmp_path / "measurements/video000.h5", kspace(N_FRAMES, SIZE, SIZE), {})
    return tmp_path / "measurements/video000.h5"


@pytest.fixture
def truth(tmp_path) -> Path:
    write_truth(tmp_path / "truths/video000.h5", video(), {})
    return tmp_path / "truths/video000.h5"


@pytest.fixture
def reconstruction(tmp_path) -> Path:
    write_reconstructions(tmp_path / "bis.h5", [Reconstruction("video000", video()[None], {})], {})
    return tmp_path / "bis.h5"


@pytest.fixture
def no_weights(tmp_path) -> list[str | Path]:
    """The arguments that give an evaluation no learned weights."""
    write_missing(tmp_path / "vgg16.safetensors", "weights.vgg16 is null")
    return [
        "--weights",
        tmp_path / "vgg16.safetensors",
        "--checksums",
        BASE_CONFIG.parents[1] / "resources/weights.csv",
    ]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def replace_dataset(path: Path, name: str, values: np.ndarray) -> None:
    with h5py.File(path, "a") as file:
        del file[name]
        file[name] = values


def delete(path: Path, name: str) -> None:
    with h5py.File(path, "a") as file:
        del file[name]


def rename(path: Path, old: str, new: str) -> None:
    with h5py.File(path, "a") as file:
        file.move(old, new)


# Files that are cut short or something else


def test_a_raw_store_that_is_cut_short_is_one_line(config, out, error_of, raw_store):
    cut(raw_store)
    error = error_of("prepare", prepare.select(config, "mri"), ["--input", raw_store, "--output", out / "000.h5"])
    assert f"cannot read {raw_store}: it is cut short" in error


def test_prepared_videos_that_are_cut_short_are_one_line(config, out, error_of, prepared):
    cut(prepared)
    error = error_of("split", split.select(config, "mri"), ["--inputs", prepared, "--output", out / "index.csv"])
    assert f"cannot read {prepared}: it is cut short" in error


def test_a_measurement_or_a_truth_that_is_cut_short_is_one_line(config, out, error_of, measurement, truth):
    for file, option, name in ((measurement, "--measurements", "zero_filled"), (truth, "--truths", "static")):
        cut(file)
        error = error_of("reference", reference.select(config, "mri8", name), [option, file, "--output", out / "r.h5"])
        assert f"cannot read {file}: it is cut short" in error


@pytest.mark.parametrize(("name", "option"), [("zero_filled", "--measurements"), ("static", "--truths")])
def test_a_reference_asks_for_the_files_that_it_is_made_of(config, out, error_of, name, option):
    error = error_of("reference", reference.select(config, "mri8", name), ["--output", out / "r.h5"])
    assert f"reference {name} is made of the files of {option}; give them" in error


def test_a_sequence_that_is_zero_everywhere_is_one_line(tmp_path, config, out, error_of):
    dark = np.zeros((N_FRAMES, 9, 9), np.complex64)
    write_sequences(tmp_path / "raw.h5", [RawSequence("P1-00", "P1", "P001/cine_sax.mat", "sax", dark)])
    names = ["--input", tmp_path / "raw.h5", "--output", out / "000.h5"]
    assert "P001/cine_sax.mat" in error_of("prepare", prepare.select(config, "mri"), names)


def test_too_few_patients_are_one_line_that_names_the_key(config, out, error_of, prepared):
    settings = split.select(config, "mri")
    many = settings.model_copy(update={"split": settings.split.model_copy(update={"test": 3})})
    names = ["--inputs", prepared, "--output", out / "index.csv"]
    assert "data.mri.split.test asks for 3 units" in error_of("split", many, names)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda index: index.unlink(), "no index of videos"),
        (lambda index: index.write_text("video,subject\na,b\n"), "has columns"),
        (lambda index: (index.parent / "prepared/000.h5").unlink(), "no file"),
        (lambda index: cut(index.parent / "prepared/000.h5"), "cut short"),
        (lambda index: index.write_text(index.read_text().replace("video000", "video001")), "no video called video000"),
    ],
    ids=["no index", "another table", "no videos", "truncated videos", "no such video"],
)
def test_measuring_videos_that_are_not_there_is_one_line(config, out, error_of, index, spoil, says):
    spoil(index)
    names = ["--index", index, "--videos", "video000", "--output", out / "measurements"]
    names += ["--truths", out / "truths"]
    assert says in error_of("measure", measure.select(config, "mri8"), names)


# Numbers that are not finite


def test_a_video_that_is_not_finite_is_not_measured(config, out, error_of, prepared, index):
    videos = np.stack([video(0), video(1)])
    videos[1, 3, 0, 2, 2] = np.nan
    replace_dataset(prepared, "videos", videos)
    names = ["--index", index, "--videos", "video000", "--output", out / "measurements"]
    names += ["--truths", out / "truths"]
    assert "measurement of video000 is not finite" in error_of("measure", measure.select(config, "mri8"), names)


def test_a_loss_that_is_not_finite_ends_the_training_and_leaves_no_state(
    tmp_path, config, out, error_of, prepared, index
):
    replace_dataset(prepared, "videos", np.stack([video(0) * np.nan, video(1)]))
    names = ["--index", index, "--state", tmp_path / "state", "--output", out / "autoencoder"]
    assert "the loss is nan at step 1" in error_of("train", train.select(config, "mri", "autoencoder"), names)
    assert [path for path in (tmp_path / "state").rglob("*") if path.is_file()] == []


# Reconstructions, tables


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda path: replace_dataset(path, "video000/samples", video(size=4)[None]), "reconstructed as (12, 2, 4, 4)"),
        (lambda path: rename(path, "video000", "video777"), "video000 is not among the reconstructed videos"),
        (lambda path: delete(path, "video000/samples"), "no variable video000/samples"),
        (cut, "cut short"),
        (Path.unlink, "no file"),
    ],
    ids=["another size", "another video", "no samples", "truncated", "no file"],
)
def test_reconstructions_that_do_not_fit_are_one_line(
    config, out, error_of, measurement, truth, reconstruction, no_weights, spoil, says
):
    spoil(reconstruction)
    names = [
        "--measurements",
        measurement,
        "--truths",
        truth,
        "--reconstructions",
        reconstruction,
        "--output",
        out / "bis.csv",
    ]
    assert says in error_of("evaluate", evaluate.select(config, "mri8"), names, no_weights)


def test_a_reconstruction_of_another_size_is_not_shown(config, out, error_of, truth, reconstruction):
    replace_dataset(reconstruction, "video000/samples", video(size=4)[None])
    names = ["--truths", truth, "--method", "bis", reconstruction, "--output", out / "bis.mp4"]
    error = error_of("plot movie", movie.select(config, "mri8"), names)
    assert "video000 was reconstructed as (12, 2, 4, 4) by bis" in error


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("measurements/video000.h5", "video000.h5 holds measurement, no truth; give the file of the same name that"),
        ("truths/video001.h5", "video000.h5 has no truth among those of video001; give its file with --truths"),
        ("nowhere/video000.h5", "nowhere/video000.h5; has the stage that writes it run?"),
    ],
)
def test_a_measurement_without_its_truth_is_not_scored(
    tmp_path, config, out, error_of, measurement, reconstruction, no_weights, file, says
):
    names = ["--measurements", measurement, "--truths", tmp_path / file]
    names += ["--reconstructions", reconstruction, "--output", out / "bis.csv"]
    assert says in error_of("evaluate", evaluate.select(config, "mri8"), names, no_weights)


def test_a_table_of_something_else_is_one_line_and_leaves_the_older_table(tmp_path, config, out, error_of):
    (tmp_path / "bis.csv").write_text("video,brightness\nvideo000,1.0\n")
    write_features(tmp_path / "none.h5", missing_features("weights.i3d is null"))
    names = ["--inputs", tmp_path / "bis.csv", "--methods", "bis", "--output", out / "older"]
    names += ["--features", tmp_path / "none.h5", "--true-features", tmp_path / "none.h5"]
    assert str(tmp_path / "bis.csv") in error_of("table metrics", metrics.select(config, "mri8"), names)


def test_losses_that_are_no_numbers_are_one_line(tmp_path, config, out, error_of):
    (tmp_path / "losses.csv").write_text("step,loss,validation_loss\n1,low,lower\n")
    names = ["--losses", tmp_path / "losses.csv", "--title", "joint", "--output", out / "losses.png"]
    assert str(tmp_path / "losses.csv") in error_of("plot losses", losses.select(config), names)


# Measurements of another task


@pytest.fixture(scope="module")
def trained(config, tmp_path_factory) -> Path:
    """A folder with an autoencoder and a joint prior, untrained."""
    from step.models.autoencoder import build_autoencoder
    from step.models.unet import DenoisingUNet

    folder, priors = tmp_path_factory.mktemp("priors"), config.priors["mri"]
    facts = {
        "kind": "autoencoder",
        "domain": "mri",
        "latent_mean": [0.0, 0.0],
        "latent_std": [1.0, 1.0],
        "patch_size": 1,
    }
    losses = [{"step": 1, "loss": 1.0}]
    write_model_folder(
        folder / "autoencoder", build_autoencoder(priors.autoencoder, 2), facts, "# card", losses, {"hours": 0.0}
    )
    network = DenoisingUNet(latent_channels=2, temporal=True, **priors.denoiser.model_dump())
    facts = {
        "kind": "denoiser",
        "domain": "mri",
        "autoencoder": weights_digest(folder / "autoencoder"),
        "architecture": "unet",
        "noise_schedule": priors.noise_schedule.model_dump(),
        "latent_shape": config.latent_shape("mri"),
    }
    write_model_folder(folder / "joint", network, facts, "# card", losses, {"hours": 0.0})
    return folder


@pytest.fixture
def priors(trained, tmp_path) -> Path:
    """The same, to be spoilt."""
    return Path(shutil.copytree(trained, tmp_path / "priors"))


def sampling(priors: Path, measurement: Path, out: Path) -> list[str | Path]:
    models = ["--autoencoder", priors / "autoencoder", "--denoiser", priors / "joint"]
    return [*models, "--measurements", measurement, "--output", out / "000.h5"]


@pytest.mark.slow
def test_models_and_a_measurement_that_fit_are_sampled(config, out, measurement, trained):
    names = sampling(trained, measurement, out)
    assert main(command("sample", sample.select(config, "mri8", "step_joint"), names)) == 0


def kspace(*shape: int) -> dict[str, np.ndarray]:
    outside = {"outside_scale": np.zeros(shape[::2], np.float32), "outside_fitted": np.zeros(shape[0], bool)}
    return {"kspace": np.ones(shape, np.complex64), "mask": np.ones(shape[:2], bool), **outside}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arrays", "found"),
    [
        (
            kspace(N_FRAMES, SIZE, SIZE + 2),
            "kspace (12 x 8 x 10), mask (12 x 8), outside_fitted (12), outside_scale (12 x 10)",
        ),
        (
            kspace(N_FRAMES - 2, SIZE, SIZE),
            "kspace (10 x 8 x 8), mask (10 x 8), outside_fitted (10), outside_scale (10 x 8)",
        ),
        ({"visibilities": np.ones((N_FRAMES, 21), np.complex64)}, "visibilities (12 x 21)"),
    ],
    ids=["another size", "10 frames", "another model"],
)
@pytest.mark.parametrize("stage", ["sample", "reference", "evaluate"])
def test_a_measurement_of_another_task_is_one_line(
    config, out, error_of, measurement, truth, reconstruction, trained, no_weights, arrays, found, stage
):
    write_measurement(measurement, arrays, {})
    files = ["--measurements", measurement, "--output", out / "000"]
    scored = ["--reconstructions", reconstruction, *no_weights]
    settings, names = {
        "sample": (sample.select(config, "mri8", "step_joint"), sampling(trained, measurement, out)),
        "reference": (reference.select(config, "mri8", "zero_filled"), files),
        "evaluate": (evaluate.select(config, "mri8"), [*files, "--truths", truth, *scored]),
    }[stage]
    error = error_of(stage, settings, names)
    assert f"{measurement} holds {found}, the task measures kspace (12 x any x 8), mask (12 x any)" in error


@pytest.mark.slow
def test_a_measurement_that_is_not_finite_is_not_sampled(config, out, error_of, measurement, trained):
    spoiled = kspace(N_FRAMES, SIZE, SIZE)
    spoiled["kspace"][3, 4, 5] = np.nan
    write_measurement(measurement, spoiled, {})
    settings = sample.select(config, "mri8", "step_joint")
    assert "finite" in error_of("sample", settings, sampling(trained, measurement, out))


# Models of other stages than the sampler's


def change_facts(folder: Path, **changes: object) -> None:
    facts = json.loads((folder / "step.json").read_text())
    (folder / "step.json").write_text(json.dumps({**facts, **changes}))


def test_weights_of_other_widths_are_one_line(config, out, error_of, measurement, priors):
    from step.models.unet import DenoisingUNet

    widths = config.priors["mri"].denoiser.model_dump() | {"block_channels": (4, 4)}
    DenoisingUNet(latent_channels=2, temporal=True, **widths).save_pretrained(priors / "other")
    shutil.copy(priors / "other" / WEIGHTS, priors / "joint")
    settings = sample.select(config, "mri8", "step_joint")
    error = error_of("sample", settings, sampling(priors, measurement, out))
    assert f"cannot load the model in {priors / 'joint'}" in error


def test_an_autoencoder_of_another_domain_passes_no_video(config, out, error_of, truth, priors):
    change_facts(priors / "autoencoder", domain="blackhole")
    names = ["--truths", truth, "--prior", priors / "autoencoder", "--output", out / "vae.h5"]
    assert "domain 'blackhole'" in error_of("reference", reference.select(config, "mri8", "vae"), names)


def test_the_passage_through_the_autoencoder_needs_its_folder(config, out, error_of, truth):
    names = ["--truths", truth, "--output", out / "vae.h5"]
    assert "--prior" in error_of("reference", reference.select(config, "mri8", "vae"), names)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda folder: (folder / WEIGHTS).rename(folder / "diffusion_pytorch_model.bin"), WEIGHTS),
        (lambda folder: (folder / WEIGHTS).write_bytes(b"\xff" * 1000), "cannot load the model"),
        (lambda folder: change_facts(folder, domain="blackhole"), "domain 'blackhole'"),
    ],
    ids=["pickle", "damaged", "another domain"],
)
def test_nothing_is_trained_on_an_autoencoder_that_cannot_be_used(
    tmp_path, config, out, error_of, index, priors, spoil, says
):
    spoil(priors / "autoencoder")
    models = ["--autoencoder", priors / "autoencoder", "--initial", priors / "joint"]
    names = ["--index", index, *models, "--state", tmp_path / "state", "--output", out / "joint"]
    error = error_of("train", train.select(config, "mri", "joint"), names)
    assert says in error
    assert str(priors / "autoencoder") in error


def test_the_joint_prior_needs_the_models_that_it_is_trained_on_and_from(tmp_path, config, out, error_of, index):
    names = ["--index", index, "--state", tmp_path / "state", "--output", out / "joint"]
    assert "--autoencoder and --initial" in error_of("train", train.select(config, "mri", "joint"), names)


# Places


def test_a_log_that_cannot_be_written_is_one_line(config, out, error_of, truth):
    # Not even root can write below a file.
    names = ["--truths", truth, "--output", out / "static.h5", "--log", out / "older/static.log"]
    assert str(out / "older") in error_of("reference", reference.select(config, "mri8", "static"), names)


@pytest.fixture
def small_disk(tmp_path) -> Path:
    """A disk of one megabyte with sixteen kilobytes left."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    (folder / "ballast").write_bytes(bytes(2**20 - 2**14))
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
def test_a_full_disk_ends_a_training_with_one_line_and_leaves_no_model(tmp_path, config, index, small_disk):
    names = ["--index", index, "--state", tmp_path / "state", "--output", small_disk / "autoencoder"]
    words = command("train", train.select(config, "mri", "autoencoder"), names)
    variables = {**os.environ, "PYTHONPATH": str(BASE_CONFIG.parents[1] / "workflow")}
    run = [sys.executable, "-m", "step", *words]
    job = subprocess.run(run, env=variables, capture_output=True, text=True, check=False)
    assert job.returncode == 1, job.stderr
    assert "No space left on device" in the_error(job.stderr)
    assert [path.name for path in small_disk.iterdir()] == ["ballast"]
    # The training can go on from its state once there is space.
    assert list((tmp_path / "state").rglob("*.safetensors"))
