"""The error of representation is what the autoencoder loses, seen through the forward model: against its own sums."""

import argparse
import math

import numpy as np
import pytest
import torch
import yaml
from one_coil import PAPERS_LINES
from step.cli import estimate_representation
from step.config.tasks import MeasurementOfDomain
from step.errors import InputError
from step.io.reconstructions import write_measurement
from step.io.tables import read_table
from step.io.truths import write_truth
from step.physics.mri import CartesianMri
from step.tuning.representation import Fit, Representation, RepresentationSettings
from tiny_priors import SHAPE, write_tiny_prior

NOISE = 0.05
SETTINGS = RepresentationSettings(
    task="mri8",
    domain="mri",
    measurement=MeasurementOfDomain(
        model="mri", acceleration=2, acs_lines=4, noise_level=NOISE, geometry={}, **PAPERS_LINES
    ),
    noise_level=0.1,
    frames_per_chunk=2,
)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Three smooth videos, measured: the folder of the autoencoder, files of measurements and of truths."""
    folder = tmp_path_factory.mktemp("representation")
    write_tiny_prior(folder / "prior")
    physics = CartesianMri.equispaced(rows=SHAPE[-1], acceleration=2, acs_lines=4, noise_level=NOISE)
    files = {"measurements": [], "truths": []}
    for number in range(3):
        truth = 0.3 * torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(number))
        measured = physics.measure(truth, seed=number)
        for name in files:
            files[name].append(folder / name / f"validation{number:03d}.h5")
        arrays = {key: array[0].numpy() for key, array in measured.items()}
        write_measurement(files["measurements"][-1], arrays, {})
        write_truth(files["truths"][-1], truth[0].numpy(), {})
    return folder, files


def run(folder, files, out, settings=SETTINGS):
    parser = argparse.ArgumentParser()
    estimate_representation.add_arguments(parser)
    words = [
        "--autoencoder",
        folder / "prior" / "networks" / "autoencoder",
        "--output",
        out / "r.yaml",
        "--table",
        out / "r.csv",
    ]
    words += ["--measurements", *files["measurements"], "--truths", *files["truths"]]
    estimate_representation.run(parser.parse_args(list(map(str, words))), settings)
    return yaml.safe_load((out / "r.yaml").read_text()), read_table(out / "r.csv")


@pytest.mark.slow
def test_noise_and_what_the_autoencoder_loses_add_up_to_the_noise_level(videos, tmp_path):
    from step.models.prior import load_autoencoder

    overlay, rows = run(*videos, tmp_path)
    folder, _ = videos
    network = load_autoencoder(folder / "prior" / "networks" / "autoencoder", "mri")
    lost = []
    physics = CartesianMri.equispaced(rows=SHAPE[-1], acceleration=2, acs_lines=4, noise_level=NOISE)
    for number in range(3):
        truth = 0.3 * torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(number))
        with torch.no_grad():
            error = truth - network.decode(network.encode(truth))
        image = torch.complex(error[:, :, 0], error[:, :, 1]).numpy()
        kspace = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(image, axes=(-2, -1)), norm="ortho"), axes=(-2, -1))
        lost.append(np.square(np.abs(kspace[:, :, physics.mask.numpy()])).mean() / 2)
    [level] = [overlay["tasks"]["mri8"]["sampler"]["likelihood"]["noise_level"]]
    assert level == pytest.approx(math.sqrt(NOISE**2 + np.mean(lost)), rel=0.04)  # the noise is that of 2,880 numbers
    assert {row["kind"] for row in rows} == {"kspace"}
    errors = [float(row["error"]) for row in rows]
    assert errors == pytest.approx([math.sqrt(each) / NOISE for each in lost], rel=0.03)
    text = (tmp_path / "r.yaml").read_text()
    assert "the study's likelihood assumes 0.1" in text
    assert f"--configfile STUDY.yaml {tmp_path / 'r.yaml'}" in text


def test_an_autoencoder_that_loses_nothing_leaves_the_noise():
    fits = [Fit(f"validation{k:03d}", 100.0 + k, 100.0 + k, {"kspace": 1.0}, {"kspace": 1.0}) for k in range(3)]
    found = Representation(SETTINGS, NOISE, fits)
    assert (found.factor, found.noise_level, found.deviation) == pytest.approx((1.0, NOISE, 0.0))
    assert {row["error"] for row in found.rows} == {0.0}


def test_the_standard_error_is_that_of_the_mean_where_videos_weigh_the_same():
    losses = np.array([2.0, 2.2, 1.8, 2.4])  # small differences: the root is nearly linear in them
    fits = [Fit(f"validation{k:03d}", 100.0, 100.0 * loss, {}, {}) for k, loss in enumerate(losses)]
    found = Representation(SETTINGS, 1.0, fits)
    of_mean = losses.std(ddof=1) / math.sqrt(len(losses))
    assert found.deviation == pytest.approx(of_mean / (2 * found.noise_level), rel=0.02)
    assert math.isnan(Representation(SETTINGS, 1.0, fits[:1]).deviation)


def test_test_videos_are_refused(videos, tmp_path):
    folder, files = videos
    named = {name: [path.rename(path.with_name("video000.h5")) for path in paths[:1]] for name, paths in files.items()}
    with pytest.raises(InputError, match="settings are chosen on validation videos alone"):
        run(folder, named, tmp_path)
    for paths in named.values():
        paths[0].rename(paths[0].with_name("validation000.h5"))


def test_a_measurement_without_noise_has_no_units_for_the_error(videos, tmp_path):
    noiseless = SETTINGS.measurement.model_copy(update={"noise_level": 0.0})
    with pytest.raises(InputError, match=r"the measurement of mri8 has the noise level 0"):
        run(*videos, tmp_path, SETTINGS.model_copy(update={"measurement": noiseless}))
