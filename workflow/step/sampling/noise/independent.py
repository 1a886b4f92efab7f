"""Independent noise for every frame (BIS, and STeP itself)."""

import torch

from step.config.methods import FrameNoise as Settings
from step.sampling.flow import Flow


class IndependentNoise:
    """White noise that has nothing in common from frame to frame."""

    def noise(self, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
        """Return standard normal noise of `shape` (time, latent_channel, latent_y, latent_x)."""
        return torch.randn(shape, generator=generator)


def build(settings: Settings, flow: Flow | None, latent_shape: tuple[int, int, int, int]) -> IndependentNoise:
    """Return the source; it needs neither the flow nor the shape."""
    return IndependentNoise()
