import pytest
import torch
from step.config.priors import Autoencoder
from step.contracts import VideoPrior
from step.diffusion.schedule import LinearBetaSchedule
from step.errors import InputError
from step.io.model_folders import weights_digest, write_model_folder
from step.models.autoencoder import FrameAutoencoder, build_autoencoder
from step.models.prior import LatentDiffusionPrior, load_autoencoder, load_prior
from step.models.unet import DenoisingUNet
from step.physics.masks import equispaced_mask
from step.physics.mri import CartesianMri
from step.sampling.batches import FixedBatches
from step.sampling.posterior import LatentLikelihood

SHAPE = (3, 2, 4, 4)
SCHEDULE = {"timesteps": 1000, "beta_start": 1e-4, "beta_end": 0.02}
LOSSES = [{"step": 1, "loss": 1.0}]


def networks():
    torch.manual_seed(0)
    settings = Autoencoder(
        latent_channels=2, block_channels=(4, 8, 8), layers_per_block=1, norm_groups=2, attention=True
    )
    denoiser = DenoisingUNet(
        latent_channels=2,
        block_channels=(8, 16),
        layers_per_block=1,
        norm_groups=4,
        attention_heads=2,
        context_width=4,
        condition_width=4,
        temporal=True,
    )
    return build_autoencoder(settings, channels=2), denoiser


@pytest.fixture
def prior() -> LatentDiffusionPrior:
    autoencoder, denoiser = networks()
    frames = FrameAutoencoder(autoencoder, [0.1, -0.2], [1.5, 0.5])
    return LatentDiffusionPrior(frames, denoiser, LinearBetaSchedule(**SCHEDULE), SHAPE)


@pytest.fixture
def folders(tmp_path):
    autoencoder, denoiser = networks()
    facts = {"kind": "autoencoder", "domain": "mri", "latent_mean": [0.1, -0.2], "latent_std": [1.5, 0.5]}
    write_model_folder(tmp_path / "autoencoder", autoencoder, facts, "# card", LOSSES, {"hours": 0.0})
    facts = {
        "kind": "denoiser",
        "domain": "mri",
        "autoencoder": weights_digest(tmp_path / "autoencoder"),
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


@pytest.mark.parametrize("size", [1, 3, 4])
def test_estimates_and_gradients_of_a_video_are_the_same_bit_for_bit_in_any_batch(prior, size):
    batches = FixedBatches(prior, size)
    latent = torch.randn(5, *SHAPE, generator=torch.Generator().manual_seed(1))
    forward_model = CartesianMri(equispaced_mask(16, 4, 4), 0.1)
    truth = torch.randn(5, 3, 2, 16, 16, generator=torch.Generator().manual_seed(2))
    measurement = forward_model.measure(truth, torch.Generator().manual_seed(3))

    def gradient(chosen: list[int]) -> torch.Tensor:
        likelihood = LatentLikelihood(
            batches, forward_model, {name: array[chosen] for name, array in measurement.items()}, size, 2, 1.0, 0.1
        )
        return likelihood.gradient(latent[chosen])[0]

    estimate, slope = batches.denoise(latent, 0.7), gradient(list(range(5)))
    for chosen in ([3], [4, 0], [1, 2, 3]):
        assert torch.equal(batches.denoise(latent[chosen], 0.7), estimate[chosen])
        assert torch.equal(gradient(chosen), slope[chosen])
    assert torch.allclose(batches.denoise(latent, 0.7), prior.denoise(latent, 0.7), atol=1e-5)


def test_batches_are_filled_up_with_what_changes_nothing(prior):
    latent = torch.randn(5, *SHAPE, generator=torch.Generator().manual_seed(1))
    seen = []

    class Watched(LatentDiffusionPrior):
        def decode(self, latent: torch.Tensor) -> torch.Tensor:
            seen.append(len(latent))
            return super().decode(latent)

    watched = Watched(prior.autoencoder, prior.network, prior.schedule, SHAPE)
    assert FixedBatches(watched, 3).decode(latent).shape == prior.decode(latent).shape
    assert seen == [3, 3]
    assert isinstance(FixedBatches(prior, 3), VideoPrior)


def test_a_prior_comes_back_from_its_folders_the_same(prior, folders):
    loaded = load_prior(*folders, domain="mri")
    latent = torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(1))
    assert loaded.latent_shape == SHAPE
    # Same weights, but at other addresses in memory, on which the rounding of a matrix product depends.
    assert torch.allclose(loaded.denoise(latent, 2.0), prior.denoise(latent, 2.0), atol=1e-5)
    assert torch.allclose(loaded.decode(latent), prior.decode(latent), atol=1e-5)


def test_a_prior_of_another_domain_is_refused(folders):
    with pytest.raises(InputError, match="of the domain 'mri', the task is of 'blackhole'"):
        load_prior(*folders, domain="blackhole")


def test_a_prior_is_refused_with_an_autoencoder_that_it_does_not_know(folders, tmp_path):
    torch.manual_seed(1)
    other = build_autoencoder(
        Autoencoder(latent_channels=2, block_channels=(4, 8, 8), layers_per_block=1, norm_groups=2, attention=True), 2
    )
    facts = {"kind": "autoencoder", "domain": "mri", "latent_mean": [0.0, 0.0], "latent_std": [1.0, 1.0]}
    write_model_folder(tmp_path / "other", other, facts, "# card", LOSSES, {"hours": 0.0})
    with pytest.raises(InputError, match="was trained on the latents of another autoencoder"):
        load_prior(tmp_path / "other", folders[1], domain="mri")


def test_an_autoencoder_is_not_a_denoiser(folders):
    with pytest.raises(InputError, match="holds a model of kind 'denoiser', not 'autoencoder'"):
        load_autoencoder(folders[1])
