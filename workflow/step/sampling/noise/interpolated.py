"""The noise of a frame interpolated at the positions from which the optical flow brought its pixels."""

import torch

from step.config.methods import InterpolatedNoise
from step.sampling.noise.positions import inside, interpolate, pixel_centres
from step.sampling.noise.recursion import noise_recursively
from step.sampling.optical_flow import OpticalFlow, optical_flow_of_latents


class WarpedNoise:
    """Noise with ``n_{t+1}(p) = n_t(p + backward_t(p))``, and fresh noise where that position is outside the frame.

    Interpolation between pixels averages them: the noise is not white, and bilinear interpolation takes variance
    away from frame to frame. That is the fault for which these baselines are compared.
    """

    def __init__(self, optical_flow: OpticalFlow, interpolation: str):
        self._backward = optical_flow.backward.double()
        self._interpolation = interpolation

    def noise(self, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
        """Return noise of `shape` (time, latent_channel, latent_y, latent_x)."""
        return noise_recursively(shape, self._move, generator)

    def _move(self, noise: torch.Tensor, t: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        height, width = noise.shape[1:]
        origins = pixel_centres(height, width) + self._backward[t]
        return interpolate(noise, origins, self._interpolation), inside(origins, height, width)


def build_warped(
    settings: InterpolatedNoise, optical_flow: OpticalFlow | None, latent_shape: tuple[int, int, int, int]
) -> WarpedNoise:
    """Return the source that moves with the `optical_flow` of the pixels; `settings` name the interpolation."""
    return WarpedNoise(optical_flow_of_latents(optical_flow, latent_shape), settings.source)
