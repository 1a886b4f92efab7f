"""Noise levels of the variance-preserving training process."""

import math

import torch


class LinearBetaSchedule:
    """The training process ``z_t = sqrt(abar_t) z0 + sqrt(1 - abar_t) n`` with linear betas (Eq. 17).

    In the variance-exploding view ``z_t / sqrt(abar_t) = z0 + sigma(t) n`` with
    ``sigma(t) = sqrt(1 / abar_t - 1)``.
    """

    def __init__(self, timesteps: int, beta_start: float, beta_end: float):
        betas = torch.linspace(beta_start, beta_end, timesteps, dtype=torch.float64)
        self.alpha_bar = torch.cumprod(1 - betas, dim=0)
        self._log_sigma = 0.5 * torch.log(1 / self.alpha_bar - 1)

    @property
    def timesteps(self) -> int:
        """The number of noise levels in training."""
        return len(self.alpha_bar)

    def sigma(self, t: int) -> float:
        """Return sigma(t) of an integer timestep."""
        return math.exp(self._log_sigma[t])

    def timestep(self, sigma: float) -> float:
        """Return the continuous t with sigma(t) = `sigma`, linear in log sigma between the integer ones.

        Below the smallest and above the largest training level it is the nearest one.
        """
        log_sigma = torch.tensor(math.log(sigma), dtype=torch.float64)
        upper = int(torch.searchsorted(self._log_sigma, log_sigma).clamp(1, self.timesteps - 1))
        low, high = self._log_sigma[upper - 1], self._log_sigma[upper]
        fraction = ((log_sigma - low) / (high - low)).clamp(0, 1)
        return upper - 1 + float(fraction)

    def add_noise(self, clean: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Return ``sqrt(abar_t) clean + sqrt(1 - abar_t) noise``, with one integer t per item of the batch."""
        alpha_bar = self.alpha_bar.to(clean)[t.to(clean.device)].reshape(-1, *[1] * (clean.ndim - 1))
        return alpha_bar.sqrt() * clean + (1 - alpha_bar).sqrt() * noise
