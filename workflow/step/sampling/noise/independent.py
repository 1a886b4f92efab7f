"""Independent noise for every frame (BIS, and STeP itself)."""

import torch

from step.config.methods import FrameNoise as Settings
from step.sampling.optical_flow import OpticalFlow


class IndependentNoise:
    """White noise that has nothing in common from frame to frame."""

    def noise(self, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
        """Return standard normal noise of `shape` (time, latent_channel, latent_y, latent_x)."""
        return torch.randn(shape, generator=generator)


def build(
    settings: Settings, optical_flow: OpticalFlow | None, latent_shape: tuple[int, int, int, int]
) -> IndependentNoise:
    """Return the source; it needs neither the optical flow nor the shape."""
    return IndependentNoise()
