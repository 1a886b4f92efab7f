"""Accelerated dynamic MRI with Cartesian sampling (Eqs. 14, 15)."""

import torch

from step.config.tasks import CartesianMri as Settings
from step.contracts import Measurement
from step.errors import InputError
from step.physics.fourier import fft2c, ifft2c
from step.physics.masks import equispaced_mask


class CartesianMri:
    """``y_t = m F(x_t) + n``: the same phase-encode lines of every frame, with complex Gaussian noise.

    Videos are (batch, time, 2, y, x), real and imaginary part; a measurement holds `kspace`, complex
    (batch, time, ky, kx), zero where nothing was measured.
    """

    def __init__(self, mask: torch.Tensor, noise_level: float):
        """Measure the lines where `mask` (ky,) is true; noise of std `noise_level` per real and imaginary part."""
        self.mask = mask[:, None]
        self.noise_level = noise_level

    def measure(self, video: torch.Tensor, generator: torch.Generator) -> Measurement:
        """Return the k-space of `video` (batch, time, 2, y, x) on the mask, with noise (Eq. 14)."""
        clean = fft2c(_complex(video))
        noise = torch.randn((*clean.shape, 2), generator=generator, dtype=video.dtype).to(video.device)
        mask = self.mask.to(video.device)
        return {"kspace": mask * (clean + self.noise_level * torch.view_as_complex(noise))}

    def negative_log_likelihood(self, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        """Return ``|| m F(x) - y ||^2 / (2 noise_level^2)`` (Eq. 15), shape (batch,)."""
        return self._squared_residual(video, measurement).sum(dim=(1, 2, 3)) / (2 * self.noise_level**2)

    def misfit(self, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        """Return the paper's data misfit: the mean squared error per measured sample, *unnormalised* FFT.

        An unnormalised FFT of y * x pixels is sqrt(y x) times the orthonormal one, hence the factor.
        """
        squared = self._squared_residual(video, measurement)
        n_samples = self.mask.sum() * squared.shape[1] * squared.shape[3]
        n_pixels = squared.shape[2] * squared.shape[3]
        return squared.sum(dim=(1, 2, 3)) / n_samples * n_pixels

    def naive_inverse(self, measurement: Measurement) -> torch.Tensor:
        """Return the zero-filled reconstruction (batch, time, 2, y, x)."""
        image = ifft2c(measurement["kspace"])
        return torch.view_as_real(image).movedim(-1, 2).contiguous()

    def _squared_residual(self, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        residual = self.mask.to(video.device) * (fft2c(_complex(video)) - measurement["kspace"])
        return residual.real**2 + residual.imag**2


def build(settings: Settings, shape: tuple[int, int, int, int], noise_level: float | None) -> CartesianMri:
    """Return the forward model for videos of `shape` (time, channel, y, x).

    `noise_level` replaces the settings' own where the likelihood assumes another one than the measurement has.
    """
    _, channels, n_lines, _ = shape
    if channels != 2:
        raise InputError(f"the mri measurement needs 2 channels (real, imaginary), the videos have {channels}")
    mask = equispaced_mask(n_lines, settings.acceleration, settings.acs_lines)
    return CartesianMri(mask, settings.noise_level if noise_level is None else noise_level)


def _complex(video: torch.Tensor) -> torch.Tensor:
    return torch.complex(video[:, :, 0], video[:, :, 1])
