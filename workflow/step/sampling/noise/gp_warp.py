"""A stationary Gaussian process evaluated at positions that move with the optical flow (GP-Warp, Daras et al. 2024)."""

import torch

from step.config.methods import GaussianProcessNoise as Settings
from step.sampling.noise.positions import interpolate, pixel_centres
from step.sampling.optical_flow import OpticalFlow, optical_flow_of_latents


class GaussianProcessNoise:
    """Noise with ``n_t(p) = G(T_t^{-1}(p))``: the value of G where the optical flow takes p back to in the first frame.

    G is a Gaussian process of unit variance and kernel ``exp(-r^2 / (2 length^2))``. It is defined on the whole
    plane: what enters from outside the first frame brings its own values of G, independent of what was inside
    beyond the kernel's length, so that no fresh noise is needed.
    """

    def __init__(self, optical_flow: OpticalFlow, length: float, features: int):
        self._origins = _first_frame_positions(optical_flow.backward.double())
        self._length = length
        self._features = features

    def noise(self, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
        """Return noise of `shape` (time, latent_channel, latent_y, latent_x).

        By random Fourier features (Rahimi and Recht 2007), ``G(x) = M^{-1/2} sum_m (a_m cos(w_m.x) + b_m sin(w_m.x))``
        with a, b ~ N(0, 1) for each channel and w_m ~ N(0, I / length^2). Given w the variance is 1 exactly, and
        the covariance is the kernel's up to ``(2 M)^{-1/2}``.
        """
        w = torch.randn(self._features, 2, generator=generator, dtype=torch.float64) / self._length
        a, b = torch.randn(2, shape[1], self._features, generator=generator, dtype=torch.float64)
        frames = []
        for positions in self._origins:  # frame by frame, to bound the memory of the phases
            phases = w @ positions.flatten(1)
            frames.append((a @ phases.cos() + b @ phases.sin()) / self._features**0.5)
        return torch.stack(frames).reshape(shape).float()


def build(
    settings: Settings, optical_flow: OpticalFlow | None, latent_shape: tuple[int, int, int, int]
) -> GaussianProcessNoise:
    """Return the source that moves with the `optical_flow` of the pixels."""
    return GaussianProcessNoise(optical_flow_of_latents(optical_flow, latent_shape), settings.length, settings.features)


def _first_frame_positions(backward: torch.Tensor) -> torch.Tensor:
    """Return ``T_t^{-1}(p)``, where the pixels of every frame were in the first one: (time, 2, y, x).

    ``T_{t+1}^{-1}(p) = T_t^{-1}(p + B_t(p))``. The displacement of ``T_t^{-1}`` is interpolated between pixels and goes
    on constant beyond the frame's outermost, where positions so go on linearly.
    """
    pixels = pixel_centres(*backward.shape[-2:])
    positions = [pixels]
    for displacement in backward:
        previous = pixels + displacement
        positions.append(previous + interpolate(positions[-1] - pixels, previous))
    return torch.stack(positions)
