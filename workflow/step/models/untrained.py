"""Priors that nobody has trained: their samples mean nothing, and cost what those of trained ones do."""

import torch

from step.config.priors import Autoencoder, ChosenDenoiser, NoiseSchedule
from step.diffusion.schedule import LinearBetaSchedule
from step.models.architectures import build_denoiser
from step.models.autoencoder import FrameAutoencoder, build_autoencoder
from step.models.prior import LatentDiffusionPrior


def untrained_prior(
    autoencoder: Autoencoder,
    denoiser: ChosenDenoiser,
    schedule: NoiseSchedule,
    video_shape: tuple[int, int, int, int],
    temporal: bool,
    seed: int,
) -> LatentDiffusionPrior:
    """Return a prior with random weights from `seed` for videos of `video_shape` (time, channel, y, x).

    `temporal` is whether its network is one of videos. Its latents are not standardised.
    """
    frames, channels, height, width = video_shape
    n_latent, factor = autoencoder.latent_channels, autoencoder.downsampling
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        networks = (
            build_autoencoder(autoencoder, channels),
            build_denoiser(denoiser, n_latent, temporal),
        )
    return LatentDiffusionPrior(
        FrameAutoencoder(networks[0], [0.0] * n_latent, [1.0] * n_latent, autoencoder.patch_size),
        networks[1],
        LinearBetaSchedule(**schedule.model_dump()),
        (frames, n_latent, height // factor, width // factor),
    )
