"""From a network that predicts the noise to a denoiser and a score at any noise level."""

import math
from collections.abc import Callable

import torch

from step.diffusion.schedule import LinearBetaSchedule

Denoise = Callable[[torch.Tensor, float], torch.Tensor]
"""``denoise(z, sigma)``: the mean of z0 given z = z0 + sigma n, same shape as z."""


def denoise_from_noise_prediction(
    predict_noise: Callable[[torch.Tensor, float], torch.Tensor],
    schedule: LinearBetaSchedule,
    noisy: torch.Tensor,
    sigma: float,
) -> torch.Tensor:
    """Return ``z - sigma eps(z / sqrt(1 + sigma^2), t(sigma))``, same shape as `noisy`.

    `predict_noise` is the variance-preserving network eps(z_t, t), with a continuous t.
    """
    scaled = noisy / math.sqrt(1 + sigma**2)
    return noisy - sigma * predict_noise(scaled, schedule.timestep(sigma))


def score(denoise: Denoise, noisy: torch.Tensor, sigma: float) -> torch.Tensor:
    """Return the gradient of the log density of z0 + sigma n at `noisy`: ``(denoise(z, sigma) - z) / sigma^2``."""
    return (denoise(noisy, sigma) - noisy) / sigma**2
