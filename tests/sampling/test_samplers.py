"""A sampler that the library does not know is found by its name, checked, and given what it needs."""

import sys

import pytest
import torch
from own_sampler import MODULE
from step.config.sampling import sample_settings, settings_of_sampler
from step.config.study import load_config
from step.config.tasks import AnySettings
from step.contracts import PosteriorSampler
from step.errors import InputError
from step.sampling.daps import Daps
from step.sampling.noise.independent import build as independent
from step.sampling.samplers import build_sampler

OVERLAY = """
methods: {map: {prior: joint, noise: {source: independent}, sampler: descent_sampler}}
tasks: {mri8: {samplers: {descent_sampler: {steps: 200, step_size: 0.1}}}}
"""
SHAPE = (3, 1, 2, 2)


class Identity:
    """A prior whose latents are the videos, standard normal."""

    latent_shape = SHAPE

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        return video

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        return latent * 1

    def denoise(self, latent: torch.Tensor, sigma: float) -> torch.Tensor:
        return latent / (1 + sigma**2)


class Photograph:
    """The video itself, with noise of standard deviation 1."""

    def negative_log_likelihood(self, video, measurement):
        return ((video - measurement["image"]) ** 2).sum(dim=(1, 2, 3, 4)) / 2

    def misfit(self, video, measurement):
        return ((video - measurement["image"]) ** 2).mean(dim=(1, 2, 3, 4))


@pytest.fixture
def config(tmp_path, monkeypatch):
    (tmp_path / "descent_sampler.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield lambda overlay=OVERLAY: load_config(_written(tmp_path / "overlay.yaml", overlay))
    sys.modules.pop("descent_sampler", None)


def _written(path, text):
    path.write_text(text)
    return path


def reconstruct(sampler: PosteriorSampler, chunks) -> dict:
    from step.reconstruct import Reconstructor

    truth = torch.arange(12.0).reshape(1, *SHAPE)
    sources = {"video000": independent(None, None, SHAPE)}
    sampled = Reconstructor(Identity(), Photograph(), sampler, chunks, torch.device("cpu")).sample(
        {"video000": {"image": truth}}, sources, range(2), lambda video, number: number, "photographs"
    )
    return {"samples": torch.from_numpy(sampled.samples["video000"]), "sampled": sampled, "truth": truth}


@pytest.mark.slow
def test_the_papers_sampler_is_one_of_them():
    settings = sample_settings(load_config(), "mri8", "bis")
    sampler = build_sampler(settings.method.sampler, settings.sampler, settings.own)
    assert isinstance(sampler, Daps)
    assert isinstance(sampler, PosteriorSampler)
    assert sampler.settings == load_config().tasks["mri8"].sampler
    assert "step.sampling.daps" in settings.modules


@pytest.mark.slow
def test_a_sampler_from_elsewhere_finds_the_posterior_mode(config):
    settings = sample_settings(config(), "mri8", "map")
    sampler = build_sampler(settings.method.sampler, settings.sampler, settings.own)
    found = reconstruct(sampler, settings.sampler)
    # Prior and noise of the same width: half of what was measured.
    assert torch.allclose(found["samples"], (found["truth"] / 2).expand(2, *SHAPE), atol=1e-5)
    assert found["sampled"].trace["video000"]["misfit"].shape == (2, 200)
    assert found["sampled"].decoder_evaluations == 200
    assert found["sampled"].log_weights == {"video000": None}
    assert "descent_sampler" in settings.modules


def test_weights_stay_with_their_samples(config):
    settings = sample_settings(config(), "mri8", "map")
    own = AnySettings(steps=1, step_size=0.1, weighted=True)
    found = reconstruct(build_sampler("descent_sampler", settings.sampler, own), settings.sampler)
    assert found["sampled"].log_weights["video000"].tolist() == [0, 1]


def test_settings_that_a_sampler_does_not_have_are_named(config):
    settings = sample_settings(config(OVERLAY.replace("steps: 200,", "steps: 200, momentum: 1,")), "mri8", "map")
    with pytest.raises(InputError, match="settings of the sampler descent_sampler: momentum"):
        build_sampler(settings.method.sampler, settings.sampler, settings.own)


def test_a_task_without_settings_of_a_methods_sampler_is_told_which_to_give(config):
    with pytest.raises(InputError, match=r"tasks\.mri6\.samplers has no settings of 'descent_sampler'.*methods\.map"):
        settings_of_sampler(config(), "mri6", "map")


def test_a_sampler_that_is_not_there_is_named(config):
    settings = sample_settings(config(OVERLAY.replace("descent_sampler", "no_sampler")), "mri8", "map")
    with pytest.raises(InputError, match=r"sampler is 'no_sampler'; there is no module step\.sampling\.no_sampler"):
        build_sampler(settings.method.sampler, settings.sampler, settings.own)


def test_the_papers_sampler_refuses_a_likelihood_that_has_a_gradient_alone():
    sampler = build_sampler("daps", load_config().tasks["mri8"].sampler, None)
    with pytest.raises(TypeError, match="DAPS needs a LatentLikelihood, this is a object"):
        sampler.sample(Identity(), object(), [], [], torch.device("cpu"), "nothing")
