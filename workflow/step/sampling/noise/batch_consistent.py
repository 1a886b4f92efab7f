"""One frame's noise for all frames (BCS)."""

import torch

from step.config.methods import FrameNoise as Settings
from step.sampling.optical_flow import OpticalFlow


class BatchConsistentNoise:
    """White noise that stays where it is."""

    def noise(self, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
        """Return standard normal noise of `shape` (time, latent_channel, latent_y, latent_x), constant in time."""
        return torch.randn(shape[1:], generator=generator).expand(shape).clone()


def build(
    settings: Settings, optical_flow: OpticalFlow | None, latent_shape: tuple[int, int, int, int]
) -> BatchConsistentNoise:
    """Return the source; it needs neither the optical flow nor the shape."""
    return BatchConsistentNoise()
