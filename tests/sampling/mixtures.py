"""Mixtures of Gaussians, measured in one or two of their dimensions, whose posterior's modes are known exactly."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

WIDTH = 0.35  # of each mode, in every dimension
NOISE = 0.4  # of each datum, unless another is given
APART = 2.5  # distance of modes, at least
MEASURED = {2: 1, 20: 2}  # dimensions that are measured, by the dimensions that there are


@dataclass(frozen=True)
class Mixture:
    """A prior over latents (1, 1, 1, dimension), and the measurement y = f(the first coordinates) + noise.

    The prior's weights are such that the posterior's are `shares`: those over the modes' evidences.
    """

    means: torch.Tensor  # (mode, dimension), float64
    kind: str  # linear: f(u) = u, squared: f(u) = u^2 / 2
    data: torch.Tensor  # (datum,), float64
    shares: np.ndarray  # (mode,)
    noise: float = NOISE  # of each datum

    @property
    def latent_shape(self) -> tuple[int, int, int, int]:
        return (1, 1, 1, self.means.shape[1])

    @cached_property
    def weights(self) -> np.ndarray:
        """The prior's weights (mode,)."""
        weights = self.shares / self.evidences().prod(axis=1)
        return weights / weights.sum()

    @cached_property
    def log_weights(self) -> torch.Tensor:
        return torch.from_numpy(np.log(self.weights))

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        return video

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        return latent * 1

    def denoise(self, latent: torch.Tensor, sigma: float) -> torch.Tensor:
        points, variance = latent.flatten(1).double(), WIDTH**2 + sigma**2
        logits = self.log_weights - torch.cdist(points, self.means).square() / (2 * variance)
        nearest = torch.softmax(logits, dim=1) @ self.means
        return (nearest + WIDTH**2 / variance * (points - nearest)).reshape(latent.shape).to(latent.dtype)

    def apply(self, video: torch.Tensor) -> torch.Tensor:
        measured = video.flatten(1)[:, : len(self.data)]
        return measured if self.kind == "linear" else measured.square() / 2

    def negative_log_likelihood(self, video, measurement):
        return (self.apply(video) - measurement["y"][:, 0]).square().sum(dim=1) / (2 * self.noise**2)

    def misfit(self, video, measurement):
        return (self.apply(video) - measurement["y"][:, 0]).square().mean(dim=1)

    @property
    def measurement(self) -> dict[str, torch.Tensor]:
        return {"y": self.data.float()[None, None]}

    def evidences(self) -> np.ndarray:
        """The integrals (mode, datum) of likelihood times prior, along each measured dimension."""
        return self._grid()[1].sum(axis=2)

    def measured_moments(self) -> tuple[np.ndarray, np.ndarray]:
        """The posterior's mean and deviation (mode, datum) in each mode, along the measured dimensions."""
        places, density = self._grid()
        density = density / density.sum(axis=2, keepdims=True)
        means = (places * density).sum(axis=2)
        return means, np.sqrt((places**2 * density).sum(axis=2) - means**2)

    def modes_of(self, latents: torch.Tensor) -> np.ndarray:
        """Which mode each of `latents` is nearest to."""
        return torch.cdist(latents.flatten(1).double(), self.means).argmin(dim=1).numpy()

    def _grid(self) -> tuple[np.ndarray, np.ndarray]:
        centres = self.means[:, : len(self.data)].numpy()[..., None]
        offsets = WIDTH * np.linspace(-8, 8, 4001)
        places = centres + offsets
        seen = places if self.kind == "linear" else places**2 / 2
        exponent = (offsets / WIDTH) ** 2 + ((seen - self.data.numpy()[None, :, None]) / self.noise) ** 2
        return places, np.exp(-exponent / 2)


def mixture(shares: list[float], dimension: int, kind: str) -> Mixture:
    """Return a mixture of that many modes: apart in what is not measured, different in how they fit what is."""
    n_modes, generator = len(shares), np.random.default_rng(7 * len(shares) + dimension)
    n_data = MEASURED[dimension]
    measured = generator.uniform(-0.9, 0.9, (n_modes, n_data))
    if kind == "squared":
        measured = generator.choice([-1, 1], (n_modes, n_data)) * (1.3 + measured)
    if dimension == 2:
        others = APART * (generator.permutation(n_modes)[:, None] - (n_modes - 1) / 2)
    else:
        others = generator.standard_normal((n_modes, dimension - n_data))
    data = np.full(n_data, 0.3 if kind == "linear" else 0.9)
    return Mixture(torch.from_numpy(np.hstack([measured, others])), kind, torch.from_numpy(data), np.array(shares))


def informative_mixture(shares: list[float], n_data: int, noise: float) -> Mixture:
    """Return a mixture of one or two modes of which many exact data say more than particles can be weighed by."""
    generator = np.random.default_rng(n_data)
    offset = 0.35 * generator.standard_normal(n_data) / n_data**0.5
    data = WIDTH * generator.standard_normal(n_data)
    measured = np.stack([np.zeros(n_data), offset])
    means = torch.from_numpy(np.hstack([measured, APART * np.array([[-0.5], [0.5]])]))
    return Mixture(means[: len(shares)], "linear", torch.from_numpy(data), np.array(shares), noise)
