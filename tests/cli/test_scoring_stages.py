"""From measurements to table and pictures, by the stages' own command lines."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from step.__main__ import main
from step.cli import evaluate, extract_features, reference
from step.config.settings import dump_settings, parse_settings
from step.config.study import Config, load_config
from step.errors import InputError
from step.figures import comparison, masks, movie
from step.io.features import VideoFeatures, missing_features, read_features, write_features
from step.io.learned_weights import KnownWeights, write_learned_weights, write_missing
from step.io.reconstructions import (
    Reconstruction,
    read_reconstructions,
    write_measurement,
    write_reconstructions,
)
from step.io.tables import write_table
from step.io.truths import write_truth
from step.metrics import catalogue
from step.metrics.i3d import I3D
from step.physics.forward_models import build_forward_model
from step.tables import metrics, tour

METRICS = tuple(metric.name for metric in catalogue.METRICS)

TASK = "mri6"


@pytest.fixture(scope="module")
def config() -> Config:
    study = load_config().model_dump()
    study["data"]["mri"] |= {"frames": 4, "resolution": 24}
    for prior in study["priors"].values():
        prior["denoiser"]["block_channels"] = prior["denoiser"]["block_channels"][:2]
        prior["autoencoder"]["block_channels"] = prior["autoencoder"]["block_channels"][:2]
    return Config.model_validate(study)


@pytest.fixture(scope="module")
def measurements(config, tmp_path_factory) -> list[str]:
    """Return the files of two measured videos of moving blobs."""
    return write_measurements(config, tmp_path_factory.mktemp("measurements"), [moving_blob(0), moving_blob(1)])


def write_measurements(config: Config, folder: Path, truths: list[torch.Tensor]) -> list[str]:
    """Measure `truths`, each (time, channel, y, x), and return the files."""
    forward_model = build_forward_model(config.measurement_of(TASK), tuple(truths[0].shape))
    files = []
    for number, truth in enumerate(truths):
        measured = forward_model.measure(truth[None], torch.Generator().manual_seed(number))
        files.append(str(folder / f"video{number:03d}.h5"))
        arrays = {name: array[0].numpy() for name, array in measured.items()}
        write_measurement(Path(files[-1]), arrays, {})
        write_truth(folder / f"truths/video{number:03d}.h5", truth.numpy(), {})
    return files


def truths_of(measurements: list[str]) -> list[str]:
    """Return the files of the truths of these measurements."""
    return [str(Path(file).parent / "truths" / Path(file).name) for file in measurements]


@pytest.fixture(scope="module")
def no_weights(tmp_path_factory) -> list[str]:
    """The arguments that give a stage no learned weights."""
    return weights_arguments(tmp_path_factory.mktemp("weights"), "vgg16", None)


def weights_arguments(folder: Path, network: str, tensors: dict[str, torch.Tensor] | None) -> list[str]:
    """Return the arguments that give a stage `tensors`, which no table knows the hash of; None for missing ones."""
    file, table = folder / f"{network}.safetensors", folder / "weights.csv"
    unknown = dict.fromkeys(KnownWeights.__dataclass_fields__, "")
    write_table(table, [unknown | {"network": name} for name in ("vgg16", "i3d")])
    if tensors is None:
        write_missing(file, f"weights.{network} is null")
    else:
        arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
        write_learned_weights(file, arrays, {"source": "sampled", "sha256": "0123456789"})
    return ["--weights", str(file), "--checksums", str(table)]


def random_vgg16() -> dict[str, torch.Tensor]:
    """Return weights for LPIPS that were not trained."""
    torch.manual_seed(0)
    from torchvision.models import vgg16

    state = {f"features.{name}": tensor for name, tensor in vgg16(weights=None).features.state_dict().items()}
    return state | {f"lin{layer}": torch.ones(n) for layer, n in enumerate((64, 128, 256, 512, 512))}


def rows_of(table: Path) -> list[dict[str, str]]:
    with table.open() as file:
        return list(csv.DictReader(file))


def moving_blob(number: int) -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(24), torch.arange(24), indexing="ij")
    centres = 9 + number + 2 * torch.arange(4)[:, None, None]
    blob = torch.exp(-((y - 12) ** 2 + (x - centres) ** 2) / 18)
    return torch.stack([0.6 * blob, 0.8 * blob], dim=1)


def settings_of(stage, config: Config, *names: str) -> list[str]:
    return ["--settings", dump_settings(stage.select(config, *names))]


def run_reference(name: str, config: Config, measurements: list[str], output) -> int:
    settings = settings_of(reference, config, TASK, name)
    files = ["--truths", *truths_of(measurements)] if name in ("static", "vae") else ["--measurements", *measurements]
    return main(["reference", *settings, *files, "--output", str(output)])


@pytest.mark.slow
def test_references_become_a_table_with_one_row_each(config, measurements, no_weights, tmp_path, capsys):
    names = ["zero_filled", "total_variation", "low_rank_sparse", "static"]
    for name in names:
        assert run_reference(name, config, measurements, tmp_path / f"{name}.h5") == 0
        arguments = ["--measurements", *measurements, "--truths", *truths_of(measurements)]
        arguments += ["--reconstructions", str(tmp_path / f"{name}.h5")]
        settings = [*settings_of(evaluate, config, TASK), *no_weights]
        assert main(["evaluate", *settings, *arguments, "--output", str(tmp_path / f"{name}.csv")]) == 0
    inputs = [str(tmp_path / f"{name}.csv") for name in names]
    arguments = ["--inputs", *inputs, "--methods", *names, "--paired-with", "static"]
    write_features(tmp_path / "none.h5", missing_features("weights.i3d is null"))
    none = str(tmp_path / "none.h5")
    arguments += ["--features", *[none] * len(names), "--true-features", none]
    settings = settings_of(metrics, config, TASK)
    assert main(["table", "metrics", *settings, *arguments, "--output", str(tmp_path / "metrics.csv")]) == 0
    with (tmp_path / "metrics.csv").open() as file:
        rows = {row["method"]: row for row in csv.DictReader(file)}
    assert list(rows) == names
    for classical in ("total_variation", "low_rank_sparse"):
        assert float(rows[classical]["psnr"]) > float(rows["static"]["psnr"])
    assert float(rows["zero_filled"]["data_misfit"]) < 1e-6  # it has all the measured lines as they are
    assert math.isnan(float(rows["static"]["difference_correlation"]))
    assert {row["videos"] for row in rows.values()} == {"2"}


@pytest.mark.slow
def test_one_job_makes_the_tours_table_of_the_same_scores_without_learned_metrics(
    config, measurements, no_weights, tmp_path, capsys
):
    files, names = ["--measurements", *measurements, "--truths", *truths_of(measurements)], ["bis", "static"]
    run_reference("static", config, measurements, tmp_path / "static.h5")
    blobs = [Reconstruction(f"video{n:03d}", 0.8 * moving_blob(n).numpy()[None], {}) for n in range(2)]
    write_reconstructions(tmp_path / "bis.h5", blobs, {"optical_flow": "TV-L1 of a pilot video"})
    for name in names:
        arguments = [*settings_of(evaluate, config, TASK), *no_weights, *files]
        arguments += ["--reconstructions", str(tmp_path / f"{name}.h5"), "--output", str(tmp_path / f"{name}.csv")]
        assert main(["evaluate", *arguments]) == 0
    common = ["--references", "static", "--paired-with", "static"]
    inputs, none = [str(tmp_path / f"{name}.csv") for name in names], str(tmp_path / "none.h5")
    write_features(Path(none), missing_features("weights.i3d is null"))
    arguments = [*settings_of(metrics, config, TASK), "--inputs", *inputs, "--methods", *names, *common]
    arguments += ["--features", none, none, "--true-features", none, "--output", str(tmp_path / "one_by_one.csv")]
    assert main(["table", "metrics", *arguments]) == 0
    arguments = [*settings_of(tour, config, TASK), *files, *common, "--output", str(tmp_path / "tour.csv")]
    for name in names:
        arguments += ["--method", name, str(tmp_path / f"{name}.h5")]
    assert main(["table", "tour", *arguments]) == 0
    one_by_one, together = (rows_of(tmp_path / f"{name}.csv") for name in ("one_by_one", "tour"))
    remarks = [row.pop("remarks") for row in together]
    assert together == [{name: value for name, value in row.items() if name != "remarks"} for row in one_by_one]
    assert all("learned metrics to `snakemake all`" in remark for remark in remarks)
    assert {(row["lpips"], row["fvd"]) for row in together} == {("", "")}


def test_static_is_the_truths_time_average(config, measurements, tmp_path):
    run_reference("static", config, measurements, tmp_path / "static.h5")
    [sample] = read_reconstructions([tmp_path / "static.h5"])["video001"].samples
    expected = moving_blob(1).mean(dim=0).numpy()
    assert all(np.allclose(frame, expected, atol=1e-6) for frame in sample)


def test_only_the_first_sample_is_scored(config, measurements, no_weights, tmp_path):
    truth = moving_blob(0).numpy()
    samples = np.stack([truth, 0 * truth])
    write_reconstructions(tmp_path / "bis.h5", [Reconstruction("video000", samples, {})], {})
    arguments = ["--measurements", measurements[0], "--truths", *truths_of(measurements)]
    arguments += ["--reconstructions", str(tmp_path / "bis.h5")]
    settings = [*settings_of(evaluate, config, TASK), *no_weights]
    main(["evaluate", *settings, *arguments, "--output", str(tmp_path / "bis.csv")])
    [row] = rows_of(tmp_path / "bis.csv")
    assert list(row) == ["video", *METRICS, "optical_flow", "lpips_weights", "remark"]
    assert float(row["psnr"]) == pytest.approx(80, abs=0.1)
    assert float(row["psnr_authors"]) == pytest.approx(80, abs=0.1)
    assert float(row["ssim_authors"]) == pytest.approx(1, abs=1e-6)


def test_without_weights_lpips_is_empty_and_a_remark_says_why(config, measurements, no_weights, tmp_path, capsys):
    write_blobs(tmp_path / "bis.h5", scale=0.5, attributes={"optical_flow": "TV-L1 of a pilot video"})
    row = evaluated(config, measurements, tmp_path, no_weights)
    assert (row["lpips"], row["lpips_weights"]) == ("", "")
    assert row["remark"] == "no LPIPS: weights.vgg16 is null"
    assert row["optical_flow"] == "TV-L1 of a pilot video"
    assert "no LPIPS: weights.vgg16 is null" in capsys.readouterr().err


@pytest.mark.slow
def test_with_weights_lpips_grows_with_the_error_and_its_weights_are_named(config, measurements, tmp_path):
    weights, values = weights_arguments(tmp_path, "vgg16", random_vgg16()), []
    for scale in (1.0, 0.9, 0.5):
        write_blobs(tmp_path / "bis.h5", scale, attributes={})
        row = evaluated(config, measurements, tmp_path, weights)
        values.append(float(row["lpips"]))
    assert values[0] < 1e-6 < values[1] < values[2]
    assert (row["optical_flow"], row["remark"]) == ("", "")
    assert row["lpips_weights"] == "vgg16: sampled, SHA-256 01234567"


def write_blobs(path: Path, scale: float, attributes: dict[str, object]) -> None:
    sample = scale * moving_blob(0).numpy()
    write_reconstructions(path, [Reconstruction("video000", sample[None], {})], attributes)


def evaluated(config: Config, measurements: list[str], folder: Path, weights: list[str]) -> dict[str, str]:
    """Return the row of the only video."""
    run_evaluate(config, folder, measurements[:1], weights)
    [row] = rows_of(folder / "bis.csv")
    return row


def run_evaluate(config: Config, folder: Path, measurements: list[str], weights: list[str]) -> None:
    names = ["--measurements", *measurements, "--truths", *truths_of(measurements)]
    names += ["--reconstructions", str(folder / "bis.h5")]
    settings = settings_of(evaluate, config, TASK)
    assert main(["evaluate", *settings, *weights, *names, "--output", str(folder / "bis.csv")]) == 0


def features_of_truths(config: Config, folder: Path, *names: str) -> VideoFeatures:
    """Return the features of the truths."""
    settings = settings_of(extract_features, config, TASK)
    assert main(["extract_features", *settings, *names, "--output", str(folder / "features.h5")]) == 0
    return read_features(folder / "features.h5")


@pytest.mark.slow
def test_videos_too_short_for_i3d_have_no_features(config, measurements, tmp_path):
    weights = weights_arguments(tmp_path, "i3d", I3D().state_dict())
    features = features_of_truths(config, tmp_path, *weights, "--truths", *truths_of(measurements))
    assert features.missing == "videos have 4 frames, I3D needs 9"
    assert (features.videos, features.features.shape, features.frames) == ((), (0, 0), 0)


def test_without_weights_there_are_no_features(config, measurements, tmp_path):
    weights = weights_arguments(tmp_path, "i3d", None)
    assert (
        features_of_truths(config, tmp_path, *weights, "--truths", *truths_of(measurements)).missing
        == "weights.i3d is null"
    )


@pytest.mark.slow
def test_truths_and_reconstructions_are_described_alike(config, no_weights, tmp_path):
    torch.manual_seed(0)
    state = I3D().state_dict()
    # Untrained layers would damp what they see; small variances make up for it.
    state |= {name: torch.full_like(tensor, 0.1) for name, tensor in state.items() if name.endswith("variance")}
    weights = weights_arguments(tmp_path, "i3d", state)
    truths = [moving_blob(number).repeat(3, 1, 1, 1)[:9] for number in range(2)]
    files = write_measurements(config, tmp_path, truths)
    described = features_of_truths(config, tmp_path, *weights, "--truths", *truths_of(files))
    assert described.videos == ("video000", "video001")
    assert (described.features.shape, described.frames, described.missing) == ((2, 400), 9, "")
    assert described.weights == "i3d: sampled, SHA-256 01234567"
    assert np.isfinite(described.features).all()
    blob = truths[0].numpy()
    samples = [Reconstruction(f"video{n:03d}", np.stack([blob, 0 * blob]), {}) for n in range(2)]
    write_reconstructions(tmp_path / "bis.h5", samples, {})
    features = str(tmp_path / "bis-features.h5")
    run_evaluate(config, tmp_path, files, [*no_weights, "--i3d", weights[1], "--features", features])
    of_method = read_features(Path(features))
    # The first sample of both is the first truth; only the second differs from its own truth.
    difference = abs(of_method.features - described.features).max(axis=1) / described.features.std()
    assert difference[0] < 1e-4 < 1e-2 < difference[1]


def test_a_method_has_no_features_where_there_are_no_weights(config, measurements, no_weights, tmp_path, capsys):
    write_blobs(tmp_path / "bis.h5", scale=0.5, attributes={})
    i3d, features = weights_arguments(tmp_path, "i3d", None)[1], tmp_path / "bis-features.h5"
    run_evaluate(config, tmp_path, measurements[:1], [*no_weights, "--i3d", i3d, "--features", str(features)])
    assert read_features(features).missing == "weights.i3d is null"
    assert "no features: weights.i3d is null" in capsys.readouterr().err


def test_features_are_not_asked_for_without_their_network(config, measurements, no_weights, tmp_path, capsys):
    write_blobs(tmp_path / "bis.h5", scale=0.5, attributes={})
    names = ["--measurements", measurements[0], "--truths", *truths_of(measurements)]
    names += ["--reconstructions", str(tmp_path / "bis.h5")]
    outputs = ["--features", str(tmp_path / "bis-features.h5"), "--output", str(tmp_path / "bis.csv")]
    assert main(["evaluate", *settings_of(evaluate, config, TASK), *no_weights, *names, *outputs]) == 1
    assert "--features and --i3d belong together" in capsys.readouterr().err


@pytest.mark.slow
def test_pictures_are_made_from_files_alone(config, measurements, tmp_path):
    run_reference("static", config, measurements, tmp_path / "static.h5")
    methods = ["--method", "static", str(tmp_path / "static.h5")]
    pictures = [str(tmp_path / "comparison.png"), str(tmp_path / "comparison.pdf")]
    arguments = ["--truth", truths_of(measurements)[0], *methods, "--data", str(tmp_path / "comparison.npz")]
    settings = settings_of(comparison, config, TASK)
    assert main(["plot", "comparison", *settings, *arguments, "--output", *pictures]) == 0
    settings, output = settings_of(movie, config, TASK), str(tmp_path / "static.gif")
    assert main(["plot", "movie", *settings, "--truths", *truths_of(measurements), *methods, "--output", output]) == 0
    made = {path.name for path in tmp_path.iterdir()}
    assert made == {"static.h5", "comparison.png", "comparison.pdf", "comparison.npz", "static.gif"}


def test_a_video_that_was_not_reconstructed_is_named(config, measurements, no_weights, tmp_path, capsys):
    run_reference("static", config, measurements[:1], tmp_path / "static.h5")
    arguments = ["--measurements", *measurements, "--truths", *truths_of(measurements)]
    arguments += ["--reconstructions", str(tmp_path / "static.h5")]
    settings = [*settings_of(evaluate, config, TASK), *no_weights]
    assert main(["evaluate", *settings, *arguments, "--output", str(tmp_path / "static.csv")]) == 1
    assert "video001 is not among the reconstructed videos ['video000']" in capsys.readouterr().err
    assert not (tmp_path / "static.csv").exists()


def test_the_autoencoder_reference_asks_for_its_folder(config, measurements, tmp_path, capsys):
    assert run_reference("vae", config, measurements, tmp_path / "vae.h5") == 1
    assert "give its folder with --prior" in capsys.readouterr().err


def test_settings_hold_just_what_a_reference_uses(config):
    settings = {name: reference.select(config, TASK, name) for name in config.tasks[TASK].references}
    assert settings["static"].measurement is None
    assert settings["vae"].classical is None
    for name in ("total_variation", "low_rank_sparse"):
        assert settings[name].classical.model_dump() == config.tasks[TASK].classical[name].model_dump()
    for chosen in settings.values():
        assert parse_settings(dump_settings(chosen), reference.Settings) == chosen
    with pytest.raises(InputError, match=f"{TASK} has no reference 'zerofilled'; give one of zero_filled, dirty"):
        reference.select(config, TASK, "zerofilled")


def test_the_masks_of_a_domain_keep_the_order_of_its_tasks(config):
    settings = masks.select(config, "mri")
    assert [task.task for task in settings.tasks] == ["mri8", "mri6"]
    assert parse_settings(dump_settings(settings), masks.Settings) == settings
    with pytest.raises(InputError, match="no task of 'blackhole'"):
        masks.select(config, "blackhole")
