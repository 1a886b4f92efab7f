"""A complete prior can be copied, is checked where it is used, and is taken from a hub's cache without a network."""

import json
import shutil
import sys

import pytest
from step.cli import take_network
from step.cli.read_observation import brightness_from
from step.config.pretrained import pretrained_settings
from step.config.study import load_config
from step.errors import InputError
from step.io.hub import fetch_from_hub
from step.io.model_folders import WEIGHTS
from step.io.prior_folders import copy_network, networks_of_prior, read_prior_facts, verify_prior
from step.physics.display import Brightness
from tiny_priors import SHAPE, write_tiny_prior


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return write_tiny_prior(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def prior(made, tmp_path):
    """A copy elsewhere, which a test may damage."""
    return shutil.copytree(made, tmp_path / "elsewhere/prior")


@pytest.mark.slow
def test_a_copy_elsewhere_is_whole(prior):
    from step.models.prior import load_prior_folder

    verify_prior(prior)
    assert networks_of_prior(prior) == ["autoencoder", "joint"]
    assert read_prior_facts(prior).shape == SHAPE
    assert load_prior_folder(prior, "joint", "unet").shape == SHAPE


def test_a_network_of_it_is_the_same_file(prior, tmp_path):
    copy_network(prior, "joint", tmp_path / "joint")
    assert (tmp_path / "joint" / WEIGHTS).read_bytes() == (prior / "joint" / WEIGHTS).read_bytes()
    assert (tmp_path / "joint" / WEIGHTS).stat().st_ino != (prior / "joint" / WEIGHTS).stat().st_ino


def damage_weights(prior):
    file = prior / "joint" / WEIGHTS
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


DAMAGES = {
    "one bit": (damage_weights, "joint/.* is not the file that prior.json has the SHA-256 of; copy the folder again"),
    "a file less": (lambda prior: (prior / "joint/config.json").unlink(), "joint/config.json is missing"),
    "no facts": (lambda prior: (prior / "prior.json").unlink(), "is not the folder of a prior: it has no prior.json"),
    "half of the facts": (lambda prior: (prior / "prior.json").write_text('{"format": 1'), "prior.json is not JSON"),
    "other facts": (
        lambda prior: (prior / "prior.json").write_text("[1]"),
        "has the format None, this version reads",
    ),
    "a newer format": (
        lambda prior: (prior / "prior.json").write_text(json.dumps({"format": 2})),
        "has the format 2, this version reads 1",
    ),
    "facts that are missing": (
        lambda prior: (prior / "prior.json").write_text(json.dumps({"format": 1, "domain": "mri"})),
        "does not say .*rows and sampler and sha256",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_prior_is_refused_in_one_line(prior, name):
    from step.models.prior import load_prior_folder

    damage, says = DAMAGES[name]
    damage(prior)
    with pytest.raises(InputError, match=says):
        load_prior_folder(prior, "joint", "unet")


def test_a_network_that_it_lacks_is_named(prior, tmp_path):
    from step.models.prior import load_prior_folder

    for ask in (
        lambda: load_prior_folder(prior, "image", "unet"),
        lambda: copy_network(prior, "image", tmp_path / "image"),
    ):
        with pytest.raises(InputError, match="has no image network; it has autoencoder, joint"):
            ask()


def settings(tmp_path, source: object, **data):
    overlay = tmp_path / "pretrained.yaml"
    overlay.write_text(json.dumps({"priors": {"mri": {"pretrained": str(source)}}, "data": {"mri": data}}))
    return pretrained_settings(load_config("config/demo.yaml", overlay), "mri")


@pytest.mark.slow
def test_a_prior_of_other_videos_is_refused(prior, tmp_path):
    fitting = {"frames": 3, "resolution": 16, "crop": 16, "window_stride": 3}
    take_network.check(settings(tmp_path, prior, **fitting), prior)
    with pytest.raises(InputError, match=r"\(time, channel, y, x\) \(3, 2, 16, 16\), the study has \(12, 2, 64, 64\)"):
        take_network.check(settings(tmp_path, prior), prior)
    other = write_tiny_prior(tmp_path / "other", domain="blackhole")
    with pytest.raises(InputError, match=r"of domain blackhole, the study has mri; change priors\.mri\.pretrained"):
        take_network.check(settings(tmp_path, other, **fitting), other)


def test_how_bright_videos_are_a_prior_says_where_there_are_no_training_videos(prior, tmp_path):
    known = write_tiny_prior(tmp_path / "bright", brightness={"mean": 75.0, "std": 28.0})
    for source in (known, known / "prior.json"):
        assert brightness_from(source) == Brightness(75.0, 28.0)
    with pytest.raises(InputError, match="does not say how bright its videos are; take a prior that does"):
        brightness_from(prior)


@pytest.mark.slow
def test_a_folder_is_told_from_a_hub(tmp_path):
    assert settings(tmp_path, "people/hearts@v1").folder is None
    assert str(settings(tmp_path, "priors/hearts").folder) == "priors/hearts"
    assert settings(tmp_path, "people/hearts").folder is not None  # without a revision, which would move
    (tmp_path / "a@1").mkdir()
    assert settings(tmp_path, tmp_path / "a@1").folder == tmp_path / "a@1"
    assert pretrained_settings(load_config(), "mri") is None


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The folder in which a hub's files are cached; the hub itself cannot be reached."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    return tmp_path / "cache"


def cached(hub, prior):
    repository = hub / "models--people--hearts"
    shutil.copytree(prior, repository / "snapshots" / ("1" * 40))
    (repository / "refs").mkdir()
    (repository / "refs/v1").write_text("1" * 40)


def test_a_prior_that_was_fetched_once_needs_no_network(hub, prior, tmp_path):
    cached(hub, prior)
    fetch_from_hub("people/hearts@v1", tmp_path / "fetched")
    verify_prior(tmp_path / "fetched")
    assert read_prior_facts(tmp_path / "fetched") == read_prior_facts(prior)


def test_a_hub_that_cannot_be_reached_is_one_line(hub, tmp_path):
    with pytest.raises(InputError, match="hearts@v2 is not in the cache and the hub cannot be reached; fetch it"):
        fetch_from_hub("people/hearts@v2", tmp_path / "fetched")
    assert not (tmp_path / "fetched").exists()
    with pytest.raises(InputError, match="'hearts' is neither a folder nor a prior on a hub"):
        fetch_from_hub("hearts", tmp_path / "fetched")


def test_what_a_hub_has_must_be_a_whole_prior(hub, prior, tmp_path):
    damage_weights(prior)
    cached(hub, prior)
    with pytest.raises(InputError, match=r"is not the file that prior\.json has the SHA-256 of"):
        fetch_from_hub("people/hearts@v1", tmp_path / "fetched")
    assert not (tmp_path / "fetched").exists()


def test_a_folder_does_not_decide_which_code_runs(prior, tmp_path):
    from step.models.architectures import load_denoiser

    facts = json.loads((prior / "joint/step.json").read_text())
    (prior / "joint/step.json").write_text(json.dumps(facts | {"architecture": "this"}))
    with pytest.raises(
        InputError, match=r"is of the architecture 'this', not 'unet'; change priors\.mri\.architecture"
    ):
        load_denoiser(prior / "joint", "mri", "unet")
    assert "this" not in sys.modules


@pytest.mark.parametrize("name", ["../elsewhere.txt", "/etc/hostname"])
def test_a_folder_that_names_files_outside_of_it_is_refused(prior, name):
    record = json.loads((prior / "prior.json").read_text())
    record["sha256"][name] = "0" * 64
    (prior / "prior.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match="which lies outside the folder; copy the folder again"):
        read_prior_facts(prior)


def test_of_what_lies_next_to_a_prior_nothing_is_copied(prior, tmp_path):
    from step.io.prior_folders import copy_prior

    (prior / "evil.py").write_text("raise SystemExit")
    copy_prior(prior, tmp_path / "copy")
    assert not (tmp_path / "copy/evil.py").exists()
    verify_prior(tmp_path / "copy")
