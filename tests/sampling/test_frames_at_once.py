"""No network sees more frames at once than the settings say, from the first decoding to the last."""

import argparse
from pathlib import Path

import pytest
import torch
from step.cli import generate, reference
from step.cli.generate import select as generation_settings
from step.config.sampling import sample_settings
from step.config.study import load_config
from step.config.tasks import Networks, PixelSpace
from step.io.reconstructions import read_reconstructions
from step.io.truths import write_truth
from step.physics.forward_models import build_forward_model
from step.sampling.noise.sources import build_noise_source

N_FRAMES, SIDE = 11, 16
SHAPE = (N_FRAMES, 2, SIDE, SIDE)


class FramesSeen:
    """A prior of smooth videos that counts how many frames its autoencoder saw at once, at most."""

    latent_shape = (N_FRAMES, 2, SIDE // 4, SIDE // 4)

    def __init__(self):
        self.most = 0
        self.decoded = 0

    def to(self, device: torch.device) -> "FramesSeen":
        return self

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        self._see(video)
        return torch.nn.functional.avg_pool2d(video.flatten(0, 1), 4).unflatten(0, video.shape[:2])

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        self._see(latent)
        self.decoded += latent.shape[0] * latent.shape[1]
        frames = torch.nn.functional.interpolate(latent.flatten(0, 1), scale_factor=4, mode="bilinear")
        return torch.tanh(frames).unflatten(0, latent.shape[:2])

    def denoise(self, latent: torch.Tensor, sigma: float) -> torch.Tensor:
        return latent / (1 + sigma**2)

    def _see(self, frames: torch.Tensor) -> None:
        self.most = max(self.most, frames.shape[0] * frames.shape[1])


@pytest.fixture
def prior() -> FramesSeen:
    return FramesSeen()


@pytest.fixture
def video() -> torch.Tensor:
    return torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(0))


def settings_of_sampling(n_frames: int, videos_per_batch: int, above_sigma: float | None):
    config = load_config()
    settings = sample_settings(config, "mri8", "bis")
    sampler = settings.sampler
    sampler = sampler.model_copy(
        update={
            "annealing": sampler.annealing.model_copy(update={"levels": 3}),
            "ode": sampler.ode.model_copy(update={"steps": 2}),
            "mcmc": sampler.mcmc.model_copy(update={"steps": 3}),
            "pixel_space": PixelSpace(above_sigma=above_sigma, spread=1.0, iterations=2),
            "videos_per_batch": videos_per_batch,
            "frames_per_chunk": n_frames,
            "networks": Networks(precision="float32", channels_last=False, compile=False, frames_per_chunk=n_frames),
        }
    )
    return settings.model_copy(update={"sampler": sampler})


def samples_of(prior: FramesSeen, video: torch.Tensor, settings) -> torch.Tensor:
    from step.reconstruct import Problem, sample_problem

    model = build_forward_model(settings.measurement, SHAPE)
    measurement = model.measure(video, torch.Generator().manual_seed(1))
    problem = Problem(
        prior,
        torch.device("cpu"),
        {"video000": Path("video000.h5")},
        {"video000": measurement},
        {"video000": build_noise_source(settings.method.noise, None, prior.latent_shape)},
        "",
    )
    return torch.from_numpy(sample_problem(problem, settings, ["video000"], range(3)).samples["video000"])


@pytest.mark.slow
@pytest.mark.parametrize("above_sigma", [None, 0.0], ids=["latent space", "pixel space"])
@pytest.mark.parametrize(("n_frames", "videos_per_batch"), [(2, 1), (4, 3)])
def test_sampling_decodes_and_encodes_a_chunk_of_frames_at_once(prior, video, n_frames, videos_per_batch, above_sigma):
    samples_of(prior, video, settings_of_sampling(n_frames, videos_per_batch, above_sigma))
    assert prior.most == n_frames * videos_per_batch


@pytest.mark.slow
def test_samples_do_not_depend_on_the_chunks(prior, video):
    chunks, whole = (samples_of(prior, video, settings_of_sampling(n, 1, None)) for n in (2, N_FRAMES))
    assert torch.allclose(chunks, whole, atol=1e-6)


@pytest.mark.slow
def test_the_shape_of_a_frame_is_found_out_with_one_frame(prior, video):
    settings = settings_of_sampling(2, 1, None)
    samples_of(prior, video, settings)
    steps, levels = settings.sampler.mcmc.steps, settings.sampler.annealing.levels
    assert prior.decoded == 1 + 3 * N_FRAMES * (steps * levels + 1)


def test_the_reference_through_the_autoencoder_goes_chunk_by_chunk(prior, video, tmp_path, monkeypatch):
    import step.models.prior

    monkeypatch.setattr(step.models.prior, "load_autoencoder", lambda folder, domain: prior)
    config = load_config()
    write_truth(tmp_path / "video000.h5", video[0].numpy(), {})
    settings = reference.select(config, task="mri8", reference="vae")
    arguments = ["--truths", str(tmp_path / "video000.h5"), "--prior", "autoencoder", "--output"]
    run(reference, [*arguments, str(tmp_path / "vae.h5")], settings)
    assert prior.most == config.tasks["mri8"].sampler.frames_per_chunk == 2
    [restored] = read_reconstructions([tmp_path / "vae.h5"])["video000"].samples
    assert torch.equal(torch.from_numpy(restored), prior.decode(prior.encode(video))[0])


@pytest.mark.slow
def test_generated_samples_are_decoded_as_many_frames_at_once_as_the_autoencoder_learned_from(
    prior, tmp_path, monkeypatch
):
    import step.models.prior

    monkeypatch.setattr(step.models.prior, "load_prior", lambda autoencoder, folder, domain, architecture: prior)
    settings = generation_settings(load_config(), domain="mri", prior="video")
    assert settings.frames_at_once == 16
    arguments = ["--autoencoder", "autoencoder", "--denoiser", "video", "--output", str(tmp_path / "samples.h5")]
    run(generate, arguments, settings.model_copy(update={"frames_at_once": 3}))
    assert prior.most == 3


def run(stage, arguments: list[str], settings) -> None:
    parser = argparse.ArgumentParser()
    stage.add_arguments(parser)
    stage.run(parser.parse_args(arguments), settings)
