"""A prior with weights of float16 is half as large, gives nearly the same, and is checked like any other."""

import argparse
import json
import shutil

import numpy as np
import pytest
import step
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from step.cli import fetch_prior, take_network
from step.config.pretrained import PretrainedSettings
from step.errors import InputError
from step.io.half_precision import write_half_precision
from step.io.model_folders import EPOCHS, WEIGHTS, weights_digest
from step.io.prior_folders import networks_of_prior, verify_prior
from tiny_priors import SHAPE, write_tiny_prior

TOLERANCE = 2e-3  # of the norm of what a network gives; each weight moves by 2^-11 of itself at most


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return write_tiny_prior(tmp_path_factory.mktemp("tiny"), half_precision=True)


@pytest.fixture
def prior(made, tmp_path):
    """A copy elsewhere, which a test may damage."""
    return shutil.copytree(made, tmp_path / "elsewhere/prior")


@pytest.fixture
def networks(made, tmp_path):
    """A copy of the networks as they were trained, which a test may change."""
    folder = shutil.copytree(made.parent / "networks", tmp_path / "networks")
    return {name: folder / name for name in ("joint", "autoencoder")}


def settings(prior) -> dict[str, object]:
    time, channels, side, _ = SHAPE
    of_video = {"frames": time, "channels": channels, "resolution": side, "display": "magnitude"}
    return {"source": str(prior), "domain": "mri", "architecture": "unet", **of_video}


def outputs(prior):
    latent = torch.randn(1, *prior.latent_shape, generator=torch.Generator().manual_seed(0))
    video = torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(1))
    return [prior.encode(video), prior.decode(latent), *(prior.denoise(latent, sigma) for sigma in (0.1, 1.0, 10.0))]


@pytest.mark.slow
def test_the_weights_are_half_as_large_and_of_float16(made):
    for name in networks_of_prior(made):
        with safe_open(made / name / WEIGHTS, "np") as file:
            dtypes = {file.get_slice(key).get_dtype() for key in file.keys()}  # noqa: SIM118
        assert dtypes == {"F16"}
        exact = load_file(made.parent / "networks" / name / WEIGHTS)
        rounded = load_file(made / name / WEIGHTS)
        assert exact.keys() == rounded.keys()
        assert all(np.array_equal(exact[key].astype(np.float16), rounded[key]) for key in exact)


@pytest.mark.slow
def test_networks_are_float32_once_they_are_loaded_and_give_nearly_the_same(made):
    from step.models.prior import load_prior

    rounded = step.load_prior(made, device="cpu")
    networks = made.parent / "networks"
    exact = load_prior(networks / "autoencoder", networks / "joint", "mri", "unet")
    for network in (rounded.autoencoder.network, rounded.network):
        assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    for found, expected in zip(outputs(rounded), outputs(exact), strict=True):
        assert found.dtype == torch.float32
        assert 0 < (found - expected).norm() < TOLERANCE * expected.norm()


@pytest.mark.slow
def test_the_denoisers_name_the_autoencoder_that_lies_next_to_them(made):
    facts = json.loads((made / "joint/step.json").read_text())
    assert facts["autoencoder"] == weights_digest(made / "autoencoder")
    assert facts["autoencoder"] != weights_digest(made.parent / "networks/autoencoder")
    verify_prior(made)


@pytest.mark.slow
def test_its_networks_are_taken_into_a_study(made, tmp_path):
    from step.models.prior import load_prior

    for name in ("autoencoder", "joint"):
        arguments = argparse.Namespace(folder=made, output=tmp_path / name)
        take_network.run(arguments, take_network.Settings(prior=name, **settings(made)))
    taken = load_prior(tmp_path / "autoencoder", tmp_path / "joint", "mri", "unet")
    whole = step.load_prior(made, device="cpu")
    assert all(torch.allclose(one, other) for one, other in zip(outputs(taken), outputs(whole), strict=True))


@pytest.mark.parametrize("file", [f"joint/{WEIGHTS}", f"autoencoder/{WEIGHTS}", "joint/step.json"])
def test_a_changed_file_is_refused(prior, tmp_path, file):

    content = bytearray((prior / file).read_bytes())
    content[-2] ^= 1
    (prior / file).write_bytes(content)
    with pytest.raises(InputError, match=f"{file} is not the file that prior.json has the SHA-256 of"):
        step.load_prior(prior)
    with pytest.raises(InputError, match="copy the folder again"):
        fetch_prior.run(
            argparse.Namespace(folder=prior, output=tmp_path / "copy"), PretrainedSettings(**settings(prior))
        )
    assert not (tmp_path / "copy").exists()


def test_a_prior_is_copied_whole(made, tmp_path):
    fetch_prior.run(argparse.Namespace(folder=made, output=tmp_path / "copy"), PretrainedSettings(**settings(made)))
    verify_prior(tmp_path / "copy")
    assert networks_of_prior(tmp_path / "copy") == ["autoencoder", "joint"]


def changed(folder, change):
    """Let the first weight in a model folder be what `change` says."""
    weights = load_file(folder / WEIGHTS)
    name = sorted(weights)[0]
    weights[name].flat[0] = change
    save_file(weights, folder / WEIGHTS, {"format": "pt"})
    return name


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (7e4, r"has a weight of 7e\+04, float16 ends at 65504; set priors\.<domain>\.weights_precision to float32"),
        (-7e4, r"has a weight of 7e\+04"),
        (np.nan, "has weights that are not finite; train the prior again"),
        (np.inf, "has weights that are not finite"),
    ],
)
def test_a_weight_that_float16_cannot_hold_is_refused_in_one_line(networks, tmp_path, value, says):
    name = changed(networks["autoencoder"], value)
    with pytest.raises(InputError, match=f"^{name} in .*{says}") as caught:
        write_half_precision(networks, tmp_path / "rounded")
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "rounded").iterdir()) == []


def test_the_largest_weight_that_float16_holds_is_kept(networks, tmp_path):
    name = changed(networks["joint"], 65504)
    rounded = write_half_precision(networks, tmp_path / "rounded")
    assert load_file(rounded["joint"] / WEIGHTS)[name].flat[0] == 65504


def test_a_denoiser_of_another_autoencoder_is_refused(networks, tmp_path):
    changed(networks["autoencoder"], 0.5)
    with pytest.raises(InputError, match=r"joint.* was trained on the latents of another autoencoder"):
        write_half_precision(networks, tmp_path / "rounded")


def test_what_a_network_was_after_some_epochs_stays_behind(networks, tmp_path):
    shutil.copytree(networks["joint"], networks["joint"] / EPOCHS / "0")
    assert not (write_half_precision(networks, tmp_path / "rounded")["joint"] / EPOCHS).exists()
