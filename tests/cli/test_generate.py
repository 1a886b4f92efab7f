"""Unconditional samples of trained priors, and their pictures, by the stages' own command lines."""

import argparse
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from matplotlib.image import imread
from step.cli import generate
from step.cli.stages import open_stage
from step.config.generation import Generation
from step.config.priors import Autoencoder
from step.config.settings import dump_settings, parse_settings
from step.config.study import load_config
from step.errors import InputError
from step.io.model_folders import weights_digest, write_model_folder
from step.io.reconstructions import read_reconstructions
from tiny_priors import tiny_denoiser

STAGE = open_stage("plot generated")

SHAPE = (3, 2, 4, 4)  # of a latent video
PRIORS = {"image": False, "joint": True}  # whether its network has temporal modules
GENERATION = Generation(samples=2, steps=3, sigma_max=20.0, sigma_min=0.05, rho=7.0)
NOT_TRAINED = ("# card", [{"step": 1, "loss": 1.0}], {"hours": 0.0})


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """Return the folder of an autoencoder and two priors of the domain mri."""
    from step.models.autoencoder import build_autoencoder

    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    settings = Autoencoder(
        latent_channels=2, patch_size=1, block_channels=(4, 8, 8), layers_per_block=1, norm_groups=2, attention=True
    )
    facts = {
        "kind": "autoencoder",
        "domain": "mri",
        "latent_mean": [0.1, -0.2],
        "latent_std": [1.5, 0.5],
        "patch_size": 1,
    }
    write_model_folder(folder / "autoencoder", build_autoencoder(settings, channels=2), facts, *NOT_TRAINED)
    facts = {
        "kind": "denoiser",
        "domain": "mri",
        "autoencoder": weights_digest(folder / "autoencoder"),
        "architecture": "unet",
        "noise_schedule": {"timesteps": 1000, "beta_start": 1e-4, "beta_end": 0.02},
        "latent_shape": SHAPE,
    }
    for prior, temporal in PRIORS.items():
        network = tiny_denoiser(temporal)
        write_model_folder(folder / prior, network, facts, *NOT_TRAINED)
    return folder


def settings_of(prior: str, **changes) -> generate.Settings:
    values = {"seed": 0, "domain": "mri", "architecture": "unet", "prior": prior, "generation": GENERATION}
    values["frames_at_once"] = 2
    return generate.Settings(**(values | changes))


def run(stage, settings, *words: object) -> None:
    parser = argparse.ArgumentParser()
    stage.add_arguments(parser)
    stage.run(parser.parse_args([str(word) for word in words]), settings)


def sample(models: Path, prior: str, output: Path, **changes) -> np.ndarray:
    files = ["--autoencoder", models / "autoencoder", "--denoiser", models / prior, "--output", output]
    run(generate, settings_of(prior, **changes), *files)
    return read_reconstructions([output])[prior].samples


@pytest.mark.slow
def test_samples_are_videos_and_the_file_says_how_they_were_sampled(models, tmp_path):
    samples = sample(models, "joint", tmp_path / "joint.h5")
    assert samples.shape == (2, 3, 2, 16, 16)
    assert np.isfinite(samples).all()
    assert not np.array_equal(samples[0], samples[1])
    with h5py.File(tmp_path / "joint.h5") as file:
        assert (file.attrs["domain"], file.attrs["prior"], file.attrs["seed"]) == ("mri", "joint", 0)
        assert Generation.model_validate_json(file.attrs["generation"]) == GENERATION


@pytest.mark.slow
def test_a_sample_depends_on_the_seed_and_its_number_alone(models, tmp_path):
    samples = sample(models, "joint", tmp_path / "joint.h5")
    more = sample(models, "joint", tmp_path / "more.h5", generation=GENERATION.model_copy(update={"samples": 3}))
    assert np.array_equal(more[:2], samples)
    assert not np.array_equal(sample(models, "joint", tmp_path / "other.h5", seed=1), samples)


@pytest.mark.slow
def test_all_priors_begin_from_the_same_noise(models, tmp_path, monkeypatch):
    # With a denoiser that leaves the noise alone, what is decoded is the noise itself.
    monkeypatch.setattr("step.models.prior.LatentDiffusionPrior.denoise", lambda self, latent, sigma: latent)
    sampled = [sample(models, prior, tmp_path / f"{prior}.h5") for prior in PRIORS]
    assert np.array_equal(*sampled)


@pytest.mark.slow
def test_the_frames_of_an_image_prior_do_not_see_each_other(models, tmp_path, monkeypatch):
    def first_latents(prior: str) -> list[np.ndarray]:
        """Return the samples from noise as it is, and from noise whose last frame is another."""
        randn, samples = torch.randn, [sample(models, prior, tmp_path / "as_it_is.h5")]

        def changed(*arguments, **words):
            noise = randn(*arguments, **words)
            noise[-1] *= -1
            return noise

        with monkeypatch.context() as context:
            context.setattr(torch, "randn", changed)
            samples.append(sample(models, prior, tmp_path / "changed.h5"))
        return samples

    before, after = first_latents("image")
    assert np.array_equal(before[:, :-1], after[:, :-1])
    assert not np.array_equal(before[:, -1], after[:, -1])


def test_a_prior_of_another_domain_and_the_autoencoder_alone_are_refused(models, tmp_path):
    with pytest.raises(InputError, match="holds a prior of the domain 'mri', the task is of 'blackhole'"):
        sample(models, "joint", tmp_path / "joint.h5", domain="blackhole")
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match="no samples can be taken of 'autoencoder'; give one of image, video, joint"):
        generate.select(load_config(), "mri", "autoencoder")


def test_settings_hold_just_what_generation_uses():
    config = load_config()
    settings = generate.select(config, "mri", "joint")
    assert settings.generation == config.generation
    assert parse_settings(dump_settings(settings), generate.Settings) == settings
    assert STAGE.module.select(config, "blackhole").geometry == {"field_of_view_uas": 128.0, "cadence_s": 102.0}


@pytest.mark.slow
def test_the_samples_of_all_priors_become_picture_video_and_numbers(models, tmp_path, monkeypatch):
    monkeypatch.setattr("step.figures.panels.PANEL_PIXELS", 16)  # a large video of noise takes long to compress
    files = [word for prior in PRIORS for word in ("--prior", prior, tmp_path / f"{prior}.h5")]
    samples = [sample(models, prior, tmp_path / f"{prior}.h5") for prior in PRIORS]
    pictures = ["--output", tmp_path / "generated.png"]
    more = ["--movie", tmp_path / "generated.mp4", "--data", tmp_path / "generated.npz"]
    settings = STAGE.module.Settings(display="magnitude", geometry={})
    run(STAGE, settings, *files, *pictures, *more)
    assert imread(tmp_path / "generated.png").shape[2] == 4
    assert (tmp_path / "generated.mp4").stat().st_size > 0
    with np.load(tmp_path / "generated.npz") as data:
        assert data["priors"].tolist() == list(PRIORS)
        magnitude = np.linalg.norm(samples[1][0], axis=1)
        assert np.allclose(data["videos"][1, 0], magnitude / magnitude.max(), atol=1e-5)
    with pytest.raises(InputError, match="names image, joint, image; give each prior once"):
        run(STAGE, settings, *files, *files[:3], *pictures, *more)
