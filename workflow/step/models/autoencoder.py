"""The frame-wise variational autoencoder and its standardised latents."""

from collections.abc import Sequence

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from step.config.priors import Autoencoder


def build_autoencoder(settings: Autoencoder, channels: int) -> AutoencoderKL:
    """Return an untrained autoencoder for patches of frames of `channels` channels."""
    blocks = len(settings.block_channels)
    return AutoencoderKL(
        in_channels=channels * settings.patch_size**2,
        out_channels=channels * settings.patch_size**2,
        down_block_types=("DownEncoderBlock2D",) * blocks,
        up_block_types=("UpDecoderBlock2D",) * blocks,
        block_out_channels=settings.block_channels,
        layers_per_block=settings.layers_per_block,
        latent_channels=settings.latent_channels,
        norm_num_groups=settings.norm_groups,
        mid_block_add_attention=settings.attention,
        scaling_factor=1.0,
    )


class PosteriorSample(torch.nn.Module):
    """Encodes, samples a latent from its posterior and decodes: one forward pass, as training needs it."""

    def __init__(self, network: AutoencoderKL, patch_size: int):
        super().__init__()
        self.network = network
        self.patch_size = patch_size

    def forward(self, images: torch.Tensor, noise: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the restored `images` (batch, channel, y, x), and the KL (batch,) summed over the latent.

        `noise` (batch, latent_channel, latent_y, latent_x) samples the latent.
        """
        posterior = self.network.encode(pixel_unshuffle(images, self.patch_size)).latent_dist
        restored = self.network.decode(posterior.mean + posterior.std * noise).sample
        return pixel_shuffle(restored, self.patch_size), posterior.kl()


class FrameAutoencoder:
    """Encodes and decodes videos frame by frame, with latents shifted and scaled channel by channel.

    Deviation from the paper: its latents are the network's own. Ours have, with `mean` and `std` of the training
    images, mean 0 and variance 1 per channel, which is what the noise schedule assumes. With a `patch_size` above 1
    the network sees patches of that side as single pixels of more channels.
    """

    def __init__(self, network: AutoencoderKL, mean: Sequence[float], std: Sequence[float], patch_size: int):
        self.network = network.eval().requires_grad_(False)
        self.patch_size = patch_size
        self.mean = torch.tensor(mean).reshape(-1, 1, 1)
        self.std = torch.tensor(std).reshape(-1, 1, 1)

    def to(self, device: torch.device) -> "FrameAutoencoder":
        """Return the autoencoder with its network and statistics on `device`."""
        self.network.to(device)  # type: ignore[arg-type]  # diffusers wraps it, so that it is no method to mypy
        self.mean, self.std = self.mean.to(device), self.std.to(device)
        return self

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        """Return the latents (batch, time, latent_channel, latent_y, latent_x): the posterior's mean, standardised."""
        patches = pixel_unshuffle(video.flatten(0, 1), self.patch_size)
        latent = self.network.encode(patches.to(self.network.dtype)).latent_dist.mode()
        return ((latent.to(video.dtype) - self.mean) / self.std).unflatten(0, video.shape[:2])

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """Return the videos (batch, time, channel, y, x) of standardised `latent`; differentiable."""
        frames = latent.flatten(0, 1) * self.std + self.mean
        patches = self.network.decode(frames.to(self.network.dtype)).sample
        return pixel_shuffle(patches.to(latent.dtype), self.patch_size).unflatten(0, latent.shape[:2])
