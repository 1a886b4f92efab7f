"""The losses of the paper (Eqs. 16 and 17)."""

from collections.abc import Callable, Sequence

import torch

from step.diffusion.schedule import LinearBetaSchedule


def autoencoder_loss(
    network: torch.nn.Module, images: torch.Tensor, noise: torch.Tensor, kl_weight: float
) -> torch.Tensor:
    """Return the mean over `images` (batch, channel, y, x) of Eq. 16, divided by the number of pixels.

    Eq. 16 weighs the KL, summed over the latent, with `kl_weight` against the L1 summed over the pixels. Both are
    divided by the number of pixels C H W, so that the first term is the mean absolute error. `network` is a
    `PosteriorSample`, whose `noise` is (batch, latent_channel, latent_y, latent_x).
    """
    restored, kl = network(images, noise)
    return (restored - images).abs().mean() + kl_weight / images[0].numel() * kl.mean()


def denoising_loss(
    network: torch.nn.Module,
    schedule: LinearBetaSchedule,
    latent: torch.Tensor,
    noise: torch.Tensor,
    t: torch.Tensor,
    temporal: bool,
) -> torch.Tensor:
    """Return the mean squared error of the predicted noise (Eq. 17).

    `latent` and `noise` are (batch, time, latent_channel, latent_y, latent_x), `t` (batch,) integers; `temporal` is
    the switch of the temporal modules.
    """
    noisy = schedule.add_noise(latent, noise, t)
    return (network(noisy, t, temporal=temporal) - noise).square().mean()


def mean_in_parts(loss: Callable[..., torch.Tensor], examples: Sequence[torch.Tensor], size: int) -> float:
    """Return the mean `loss` of `examples`, arrays that begin with (example,), of which it sees `size` at once.

    `loss` takes the arrays and returns the mean over its examples.
    """
    parts = zip(*(array.split(size) for array in examples), strict=True)
    return sum(len(part[0]) * float(loss(*part)) for part in parts) / len(examples[0])
