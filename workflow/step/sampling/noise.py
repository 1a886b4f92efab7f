"""Where the noise of Algorithm 1, lines 1 and 9, comes from."""

import torch

from step.contracts import NoiseSource
from step.errors import InputError


class IndependentNoise:
    """Independent noise for every frame (BIS, and STeP itself)."""

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
        """Return standard normal noise of `shape` (time, latent_channel, latent_y, latent_x)."""
        return torch.randn(shape, generator=generator)


class BatchConsistentNoise:
    """One frame's noise for all frames (BCS)."""

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
        """Return standard normal noise of `shape` (time, latent_channel, latent_y, latent_x), constant in time."""
        return torch.randn(shape[1:], generator=generator).expand(shape).clone()


def noise_source(name: str) -> NoiseSource:
    """Return the noise source that a method's `noise` names."""
    sources = {"independent": IndependentNoise, "batch_consistent": BatchConsistentNoise}
    if name not in sources:
        raise InputError(f"noise is {name!r}; the sources are {list(sources)}")
    return sources[name]()
