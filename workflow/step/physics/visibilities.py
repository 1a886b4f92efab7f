"""Visibilities: the Fourier transform of a frame at the baselines of an interferometer, and tables of them."""

from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Visibilities:
    """A table of visibilities, one row per time and baseline, sorted by time."""

    frame: np.ndarray  # (row,) int: the frame of the video that the row belongs to
    time_h: np.ndarray  # (row,) UTC
    stations: np.ndarray  # (row, 2) int: numbers of the two stations in the list of stations
    uv: np.ndarray  # (row, 2): projected baseline in wavelengths, towards east and north
    value: np.ndarray  # (row,) complex, Jy
    sigma: np.ndarray  # (row,) standard deviation of real and imaginary part, Jy

    def __getitem__(self, rows: np.ndarray | slice) -> "Visibilities":
        """Return the part of the table with `rows`."""
        return Visibilities(**{name: column[rows] for name, column in vars(self).items()})

    def __len__(self) -> int:
        return len(self.value)


def transform(image: torch.Tensor, uv: torch.Tensor, pixel_rad: float) -> torch.Tensor:
    """Return the visibilities (batch, time, baseline), complex, of `image` (batch, time, y, x), frame by frame (Eq. 7).

    ``V = sum_pixels I(l, m) pulse(u, v) exp(2 pi i (u l + v m))`` at `uv` (batch, time, baseline, 2) in wavelengths, in
    the unit of the pixels. Pixels are triangles of half width `pixel_rad`. l grows towards the left and m
    upwards, both from the centre of the frame: the convention of eht-imaging. On a regular grid it is separable,
    ``V = sum_y e_v(y) sum_x I(y, x) e_u(x)``: a product of matrices for each frame.
    """
    n_rows, n_columns = image.shape[-2:]
    cos_u, sin_u = _waves(uv[..., 0], n_columns, pixel_rad, image.dtype)
    cos_v, sin_v = _waves(uv[..., 1], n_rows, pixel_rad, image.dtype)
    n_baselines = uv.shape[-2]
    along_x = image @ torch.cat([cos_u, sin_u], dim=-2).transpose(-1, -2)  # (batch, time, y, 2 baselines)
    real, imag = along_x.transpose(-1, -2).split(n_baselines, dim=-2)  # (batch, time, baseline, y) each
    return torch.complex((cos_v * real - sin_v * imag).sum(-1), (cos_v * imag + sin_v * real).sum(-1))


def dirty_image(
    visibilities: torch.Tensor, weight: torch.Tensor, uv: torch.Tensor, n_pixels: int, pixel_rad: float
) -> torch.Tensor:
    """Return the dirty image (batch, time, y, x): the weighted mean of ``Re V exp(-2 pi i (u l + v m))``.

    `visibilities` and `weight` are (batch, time, baseline); a frame without data is zero.
    """
    dtype = weight.dtype
    cos_u, sin_u = _waves(uv[..., 0], n_pixels, pixel_rad, dtype, pulse=False)
    cos_v, sin_v = _waves(uv[..., 1], n_pixels, pixel_rad, dtype, pulse=False)
    total = weight.sum(-1, keepdim=True)
    weighted = visibilities * weight / torch.where(total > 0, total, torch.ones_like(total))
    real, imag = (part.to(dtype)[..., None] for part in (weighted.real, weighted.imag))
    cosines, sines = cos_v * real + sin_v * imag, cos_v * imag - sin_v * real
    return cosines.transpose(-1, -2) @ cos_u + sines.transpose(-1, -2) @ sin_u


def _waves(
    frequency: torch.Tensor, n_pixels: int, pixel_rad: float, dtype: torch.dtype, pulse: bool = True
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return cosine and sine (..., baseline, pixel) of ``2 pi frequency x`` along an axis, times the pulse."""
    position = pixel_rad * ((n_pixels - 1) / 2 - torch.arange(n_pixels, dtype=torch.float64, device=frequency.device))
    turns = frequency.double()[..., None] * position
    # Whole turns are dropped before the precision is: float32 would lose them a thousandfold.
    phase = (2 * torch.pi * (turns - turns.round())).to(dtype)
    factor = torch.special.sinc(frequency.double() * pixel_rad).square()[..., None].to(dtype) if pulse else 1
    return factor * phase.cos(), factor * phase.sin()
