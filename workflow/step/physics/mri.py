"""Accelerated dynamic MRI with Cartesian sampling (Eqs. 14, 15)."""

from collections.abc import Mapping

import torch

from step.config.tasks import CartesianMri as Settings
from step.contracts import Measurement
from step.errors import InputError
from step.physics.fourier import fft2c, ifft2c
from step.physics.masks import equispaced_mask


class CartesianMri:
    """``y_t = m_t F(x_t) + n``: phase-encode lines of each frame, with complex Gaussian noise.

    Videos are (batch, time, 2, y, x), real and imaginary part. A measurement holds `kspace`, complex
    (batch, time, ky, kx), zero where nothing was measured, and `mask` (batch, time, ky), true where a line was. A
    scanner's ky may have more or fewer lines than the video has rows: outside the frame the image is then zero, or
    the frame's edge is zero, as seen from the centre.
    """

    def __init__(self, mask: torch.Tensor, noise_level: float, n_columns: int | None = None):
        """Simulate the lines where `mask` (ky,) is true; noise of std `noise_level` per real and imaginary part.

        Lines have `n_columns` samples, any number if it is not given.
        """
        self.mask = mask
        self.noise_level = noise_level
        self.n_columns = n_columns

    @property
    def layout(self) -> Mapping[str, tuple[int | None, ...]]:
        """Any number of lines, each with as many samples as a frame is wide."""
        return {"kspace": (None, self.n_columns), "mask": (None,)}

    def measure(self, video: torch.Tensor, generator: torch.Generator) -> Measurement:
        """Return the k-space of `video` (batch, time, 2, y, x) on the mask, with noise (Eq. 14)."""
        clean = fft2c(_complex(video))
        noise = torch.randn((*clean.shape, 2), generator=generator, dtype=video.dtype).to(video.device)
        mask = self.mask.to(video.device)
        kspace = mask[:, None] * (clean + self.noise_level * torch.view_as_complex(noise))
        return {"kspace": kspace, "mask": mask.expand(*video.shape[:2], len(mask)).clone()}

    def negative_log_likelihood(self, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        """Return ``|| m F(x) - y ||^2 / (2 noise_level^2)`` (Eq. 15), shape (batch,)."""
        return self._squared_residual(video, measurement).sum(dim=(1, 2, 3)) / (2 * self.noise_level**2)

    def residuals(self, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        """Return ``(m F(x) - y) / noise_level`` (batch, datum), real and imaginary parts; 0 where none is measured."""
        return torch.view_as_real(self._residual(video, measurement)).flatten(1) / self.noise_level

    def misfit(self, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        """Return the paper's data misfit: the mean squared error per measured sample, *unnormalised* FFT.

        An unnormalised FFT of y * x pixels is sqrt(y x) times the orthonormal one, hence the factor.
        """
        n_pixels = measurement["kspace"].shape[-2] * measurement["kspace"].shape[-1]
        return self._mean_squared_residual(video, measurement) * n_pixels

    def chi_squares(self, video: torch.Tensor, measurement: Measurement) -> Mapping[str, torch.Tensor]:
        """Return the reduced chi-square of the k-space samples at the model's noise level, shape (batch,)."""
        return {"kspace": self._mean_squared_residual(video, measurement) / (2 * self.noise_level**2)}

    def naive_inverse(self, measurement: Measurement) -> torch.Tensor:
        """Return the zero-filled reconstruction (batch, time, 2, y, x)."""
        image = fit_rows(ifft2c(measurement["kspace"]), len(self.mask))
        return torch.view_as_real(image).movedim(-1, 2).contiguous()

    def _residual(self, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        mask = measurement["mask"]
        image = fit_rows(_complex(video), mask.shape[-1])
        return mask[..., None] * (fft2c(image) - measurement["kspace"])

    def _squared_residual(self, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        residual = self._residual(video, measurement)
        return residual.real**2 + residual.imag**2

    def _mean_squared_residual(self, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        squared = self._squared_residual(video, measurement)
        n_samples = measurement["mask"].sum(dim=(1, 2)) * squared.shape[3]
        return squared.sum(dim=(1, 2, 3)) / n_samples


def fit_rows(image: torch.Tensor, n_rows: int) -> torch.Tensor:
    """Return `image` (..., y, x) cut or filled with zeros to `n_rows` rows; index ``n // 2`` stays the centre."""
    missing = n_rows - image.shape[-2]
    if missing == 0:
        return image
    before = n_rows // 2 - image.shape[-2] // 2
    return torch.nn.functional.pad(image, (0, 0, before, missing - before))


def build(settings: Settings, shape: tuple[int, int, int, int], noise_level: float | None) -> CartesianMri:
    """Return the forward model for videos of `shape` (time, channel, y, x).

    `noise_level` replaces the settings' own where the likelihood assumes another one than the measurement has.
    """
    _, channels, n_lines, n_columns = shape
    if channels != 2:
        raise InputError(f"the mri measurement needs 2 channels (real, imaginary), the videos have {channels}")
    mask = equispaced_mask(n_lines, settings.acceleration, settings.acs_lines)
    return CartesianMri(mask, settings.noise_level if noise_level is None else noise_level, n_columns)


def _complex(video: torch.Tensor) -> torch.Tensor:
    return torch.complex(video[:, :, 0], video[:, :, 1])
