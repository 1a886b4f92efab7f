"""Priors and measurements whose posterior is known in closed form.

The rows (axis y) of a latent video are independent copies of one small problem, so that one video is many samples.
"""

import torch
from step.config.tasks import Mcmc
from step.diffusion.denoiser import score

ROWS = 50
SHAPE = (2, 1, ROWS, 3)  # time, latent channel, y, x
N = 6  # numbers in a row: time and x


def as_rows(latent: torch.Tensor) -> torch.Tensor:
    """Return (batch, row, time * x) of latents (batch, time, 1, row, x)."""
    return latent[:, :, 0].transpose(1, 2).flatten(2)


def from_rows(rows: torch.Tensor) -> torch.Tensor:
    return rows.unflatten(2, (SHAPE[0], SHAPE[3])).transpose(1, 2)[:, :, None]


class GaussianPrior:
    """N(mean, covariance) over the rows of latent videos; the decoder is the identity."""

    latent_shape = SHAPE

    def __init__(self):
        generator = torch.Generator().manual_seed(3)
        root = torch.randn(N, N, dtype=torch.float64, generator=generator)
        self.mean = torch.randn(N, dtype=torch.float64, generator=generator)
        self.covariance = 0.2 * root @ root.T + 0.3 * torch.eye(N, dtype=torch.float64)

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        return video

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        return latent

    def denoise(self, latent: torch.Tensor, sigma: float) -> torch.Tensor:
        gain = self.covariance @ torch.linalg.inv(self.covariance + sigma**2 * torch.eye(N, dtype=torch.float64))
        rows = as_rows(latent).double()
        return from_rows(self.mean + (rows - self.mean) @ gain.T).to(latent.dtype)


class LinearGaussianModel:
    """``y = A x + n`` with the same matrix A for every frame and row."""

    def __init__(self, noise_level: float):
        self.noise_level = noise_level
        self.matrix = torch.tensor([[1.0, 0.5, 0.0], [0.0, -0.3, 1.2]])

    def measure(self, video: torch.Tensor, generator: torch.Generator) -> dict[str, torch.Tensor]:
        clean = self._apply(video)
        return {"y": clean + self.noise_level * torch.randn(clean.shape, generator=generator)}

    def negative_log_likelihood(self, video: torch.Tensor, measurement: dict[str, torch.Tensor]) -> torch.Tensor:
        residual = self._apply(video) - measurement["y"]
        return residual.square().sum(dim=(1, 2, 3)) / (2 * self.noise_level**2)

    def residuals(self, video: torch.Tensor, measurement: dict[str, torch.Tensor]) -> torch.Tensor:
        return (self._apply(video) - measurement["y"]).flatten(1) / self.noise_level

    def misfit(self, video: torch.Tensor, measurement: dict[str, torch.Tensor]) -> torch.Tensor:
        return (self._apply(video) - measurement["y"]).square().mean(dim=(1, 2, 3))

    def backprojection(self, measurement: dict[str, torch.Tensor]) -> torch.Tensor:
        return (measurement["y"] @ self.matrix)[:, :, None]

    def precision(self) -> torch.Tensor:
        """A^T A / noise^2 over one row of the video."""
        frame = self.matrix.T @ self.matrix / self.noise_level**2
        return torch.block_diag(frame, frame).double()

    def information(self, measurement: dict[str, torch.Tensor]) -> torch.Tensor:
        """A^T y / noise^2 of one row, where all rows have the same measurement."""
        return (measurement["y"][0, :, 0] @ self.matrix / self.noise_level**2).flatten().double()

    def _apply(self, video: torch.Tensor) -> torch.Tensor:
        return video[:, :, 0] @ self.matrix.to(video).T


def gaussian_from(precision: torch.Tensor, information: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and covariance of the Gaussian with this precision matrix and ``precision @ mean``."""
    covariance = torch.linalg.inv(precision)
    return covariance @ information, covariance


def exact_posterior(
    forward_model: LinearGaussianModel, measurement: dict[str, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and covariance of a row under `GaussianPrior`, given a measurement that all rows share."""
    prior = GaussianPrior()
    precision = torch.linalg.inv(prior.covariance)
    information = forward_model.information(measurement) + precision @ prior.mean
    return gaussian_from(forward_model.precision() + precision, information)


def exact_level(
    forward_model: LinearGaussianModel,
    measurement: dict[str, torch.Tensor],
    noisy: torch.Tensor,
    ode_solution: torch.Tensor,
    sigma: float,
    mcmc: Mcmc,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and covariance of a row of what the chain of the level `sigma` samples, all rows being alike."""
    prior, identity = GaussianPrior(), torch.eye(N, dtype=torch.float64)
    gaussian = mcmc.prior_score == "gaussian"
    centre, width = (ode_solution, mcmc.gaussian_width * sigma) if gaussian else (noisy, sigma)
    precision = forward_model.precision() + identity / width**2
    information = forward_model.information(measurement) + as_rows(centre)[0, 0].double() / width**2
    if mcmc.prior_score == "exact":
        smoothed = torch.linalg.inv(prior.covariance + mcmc.prior_score_sigma**2 * identity)
        precision, information = precision + smoothed, information + smoothed @ prior.mean
    if mcmc.prior_score == "frozen":
        frozen = score(prior.denoise, ode_solution, mcmc.prior_score_sigma)
        information = information + as_rows(frozen)[0, 0].double()
    return gaussian_from(precision, information)


def assert_distributed_as(samples: torch.Tensor, mean: torch.Tensor, covariance: torch.Tensor, bias: float) -> None:
    """Assert that `samples` (sample, ...) have this mean and covariance within 5 standard errors and `bias`.

    `bias` is what the discretisation of the chain may add, relative to the standard deviations.
    """
    flat = as_rows(samples).flatten(0, 1).double()
    n_samples = len(flat)
    deviation = covariance.diagonal().sqrt()
    error = (flat.mean(dim=0) - mean).abs() / deviation
    assert (error < 5 / n_samples**0.5 + bias).all(), error
    scale = torch.outer(deviation, deviation)
    error = (torch.cov(flat.T) - covariance).abs() / scale
    assert (error < 5 * 2**0.5 / n_samples**0.5 + bias).all(), error
