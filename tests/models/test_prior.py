from typing import TYPE_CHECKING

import pytest
import torch
from step.config.priors import Autoencoder
from step.config.tasks import Networks
from step.contracts import VideoPrior
from step.diffusion.schedule import LinearBetaSchedule
from step.errors import InputError
from step.io.model_folders import weights_digest, write_model_folder
from step.physics.masks import equispaced_mask
from step.physics.mri import CartesianMri
from step.sampling.batches import FixedBatches, arrange_batches
from step.sampling.posterior import LatentLikelihood
from tiny_priors import tiny_denoiser

if TYPE_CHECKING:
    from step.models.prior import LatentDiffusionPrior

SHAPE = (3, 2, 4, 4)
SCHEDULE = {"timesteps": 1000, "beta_start": 1e-4, "beta_end": 0.02}
LOSSES = [{"step": 1, "loss": 1.0}]


def networks():
    from step.models.autoencoder import build_autoencoder

    torch.manual_seed(0)
    settings = Autoencoder(
        latent_channels=2, patch_size=1, block_channels=(4, 8, 8), layers_per_block=1, norm_groups=2, attention=True
    )
    denoiser = tiny_denoiser(temporal=True)
    return build_autoencoder(settings, channels=2), denoiser


@pytest.fixture
def prior() -> "LatentDiffusionPrior":
    from step.models.autoencoder import FrameAutoencoder
    from step.models.prior import LatentDiffusionPrior

    autoencoder, denoiser = networks()
    frames = FrameAutoencoder(autoencoder, [0.1, -0.2], [1.5, 0.5], 1)
    return LatentDiffusionPrior(frames, denoiser, LinearBetaSchedule(**SCHEDULE), SHAPE)


def test_networks_of_half_precision_take_and_give_what_they_would_in_float32(prior):
    latent = torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(0))
    video = prior.decode(latent)
    exact = video, prior.encode(video), prior.denoise(latent, 0.3)
    prior.autoencoder.network.to(torch.bfloat16)
    prior.network.to(torch.bfloat16)
    for found, expected in zip(
        (prior.decode(latent), prior.encode(video), prior.denoise(latent, 0.3)), exact, strict=True
    ):
        assert found.dtype == torch.float32
        assert 0 < (found - expected).norm() < 0.05 * expected.norm()


def test_a_processor_evaluates_the_networks_as_they_are(prior):
    networks = Networks(precision="bfloat16", channels_last=True, compile=True, frames_per_chunk=1)
    latent = torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(0))
    before = prior.decode(latent), prior.denoise(latent, 0.3)
    prepared = prior.place(networks)
    assert torch.equal(prepared.decode(latent), before[0])
    assert torch.equal(prepared.denoise(latent, 0.3), before[1])


@pytest.fixture
def folders(tmp_path):
    autoencoder, denoiser = networks()
    facts = {
        "kind": "autoencoder",
        "domain": "mri",
        "latent_mean": [0.1, -0.2],
        "latent_std": [1.5, 0.5],
        "patch_size": 1,
    }
    write_model_folder(tmp_path / "autoencoder", autoencoder, facts, "# card", LOSSES, {"hours": 0.0})
    facts = {
        "kind": "denoiser",
        "domain": "mri",
        "autoencoder": weights_digest(tmp_path / "autoencoder"),
        "architecture": "unet",
        "noise_schedule": SCHEDULE,
        "latent_shape": SHAPE,
    }
    write_model_folder(tmp_path / "joint", denoiser, facts, "# card", LOSSES, {"hours": 0.0})
    return tmp_path / "autoencoder", tmp_path / "joint"


def test_the_adapter_offers_the_contract_and_the_shapes_agree(prior):
    assert isinstance(prior, VideoPrior)
    video = torch.randn(2, 3, 2, 16, 16)
    latent = prior.encode(video)
    assert latent.shape == (2, *prior.latent_shape)
    assert prior.decode(latent).shape == video.shape
    assert prior.denoise(latent, 3.0).shape == latent.shape


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_estimates_and_gradients_of_a_video_are_the_same_bit_for_bit_in_any_company(prior, size):
    fixed = FixedBatches(prior, size)
    latent = torch.randn(7, *SHAPE, generator=torch.Generator().manual_seed(1))
    forward_model = CartesianMri(equispaced_mask(16, 4, 4), 0.1)
    truth = torch.randn(7, 3, 2, 16, 16, generator=torch.Generator().manual_seed(2))
    measurement = forward_model.measure(truth, torch.Generator().manual_seed(3))

    def evaluated(chosen: list[int]) -> tuple[torch.Tensor, ...]:
        batches = arrange_batches(chosen, size)
        samples = [chosen[row] for row in batches.order]
        of_samples = {name: array[samples] for name, array in measurement.items()}
        likelihood = LatentLikelihood(fixed, forward_model, of_samples, size, 2, 100.0)
        gradient, video = likelihood.gradient(latent[samples])
        parts = (fixed.denoise(latent[samples], 0.7), gradient, video, likelihood.misfit(video))
        return tuple(part[batches.rows] for part in parts)

    of_all = evaluated(list(range(7)))
    assert torch.allclose(of_all[0], prior.denoise(latent, 0.7), atol=1e-5)
    for chosen in ([3], [4, 0], [1, 2, 3], [6, 5, 4, 1]):
        assert all(torch.equal(part, every[chosen]) for part, every in zip(evaluated(chosen), of_all, strict=True))


def test_batches_are_whole(prior):
    from step.models.prior import LatentDiffusionPrior

    latent = torch.randn(5, *SHAPE, generator=torch.Generator().manual_seed(1))
    seen = []

    class Watched(LatentDiffusionPrior):
        def decode(self, latent: torch.Tensor) -> torch.Tensor:
            seen.append(len(latent))
            return super().decode(latent)

    fixed = FixedBatches(Watched(prior.autoencoder, prior.network, prior.schedule, SHAPE), 3)
    assert fixed.decode(latent[arrange_batches(range(5), 3).order]).shape == (6, *prior.decode(latent).shape[1:])
    assert seen == [3, 3]
    assert isinstance(fixed, VideoPrior)
    with pytest.raises(ValueError, match="5 videos are not whole batches of 3"):
        fixed.decode(latent)


@pytest.mark.slow
def test_a_prior_comes_back_from_its_folders_the_same(prior, folders):
    from step.models.prior import load_prior

    loaded = load_prior(*folders, domain="mri", architecture="unet")
    latent = torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(1))
    assert loaded.latent_shape == SHAPE
    # Same weights, but at other addresses in memory, on which the rounding of a matrix product depends.
    assert torch.allclose(loaded.denoise(latent, 2.0), prior.denoise(latent, 2.0), atol=1e-5)
    assert torch.allclose(loaded.decode(latent), prior.decode(latent), atol=1e-5)


def test_a_prior_of_another_domain_is_refused(folders):
    from step.models.prior import load_prior

    with pytest.raises(InputError, match="of the domain 'mri', the task is of 'blackhole'"):
        load_prior(*folders, domain="blackhole", architecture="unet")


def test_a_prior_is_refused_with_an_autoencoder_that_it_does_not_know(folders, tmp_path):
    from step.models.autoencoder import build_autoencoder
    from step.models.prior import load_prior

    torch.manual_seed(1)
    other = build_autoencoder(
        Autoencoder(
            latent_channels=2, patch_size=1, block_channels=(4, 8, 8), layers_per_block=1, norm_groups=2, attention=True
        ),
        2,
    )
    facts = {
        "kind": "autoencoder",
        "domain": "mri",
        "latent_mean": [0.0, 0.0],
        "latent_std": [1.0, 1.0],
        "patch_size": 1,
    }
    write_model_folder(tmp_path / "other", other, facts, "# card", LOSSES, {"hours": 0.0})
    with pytest.raises(InputError, match="was trained on the latents of another autoencoder"):
        load_prior(tmp_path / "other", folders[1], domain="mri", architecture="unet")


def test_an_autoencoder_is_not_a_denoiser(folders):
    from step.models.prior import load_autoencoder

    with pytest.raises(InputError, match="holds a model of kind 'denoiser', not 'autoencoder'"):
        load_autoencoder(folders[1])
