"""Visibilities: the Fourier transform of a frame at the baselines of an interferometer, and tables of them."""

from dataclasses import dataclass
from typing import NamedTuple

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
    kernel: np.ndarray | None = None  # (row,) what scattering multiplies the source's visibility by; None: 1

    def __getitem__(self, rows: np.ndarray | slice) -> "Visibilities":
        """Return the part of the table with `rows`."""
        columns = {name: column[rows] for name, column in vars(self).items() if column is not None}
        return Visibilities(**columns)

    def __len__(self) -> int:
        return len(self.value)


class Waves(NamedTuple):
    """The separable parts of the transform of a grid of pixels, at some baselines."""

    along_x: torch.Tensor  # (batch, time, x, 2 baseline), real: cosine and sine of each baseline in turn
    along_y: torch.Tensor  # (batch, time, y, baseline), complex


def waves_at(uv: torch.Tensor, shape: tuple[int, int], pixel_rad: float, dtype: torch.dtype) -> Waves:
    """Return the waves at `uv` (batch, time, baseline, 2) in wavelengths over frames of `shape` (y, x), pulse included.

    They are for images of the real `dtype`. Pixels are triangles of half width `pixel_rad`. l grows towards the left
    and m upwards, both from the centre of the frame: the convention of eht-imaging.
    """
    n_rows, n_columns = shape
    along_x = torch.stack(_waves(uv[..., 0], n_columns, pixel_rad, dtype), dim=-1).transpose(-3, -2).flatten(-2)
    along_y = torch.complex(*_waves(uv[..., 1], n_rows, pixel_rad, dtype)).transpose(-2, -1)
    return Waves(along_x.contiguous(), along_y.contiguous())


def transform(image: torch.Tensor, waves: Waves) -> torch.Tensor:
    """Return the visibilities (batch, time, baseline), complex, of `image` (batch, time, y, x), frame by frame (Eq. 7).

    ``V = sum_pixels I(l, m) pulse(u, v) exp(2 pi i (u l + v m))`` at the baselines of `waves`, in the unit of the
    pixels. On a regular grid it is separable, ``V = sum_y e_v(y) sum_x I(y, x) e_u(x)``: a product of matrices for each
    frame.
    """
    along_x = torch.view_as_complex((image @ waves.along_x).unflatten(-1, (-1, 2)))  # (batch, time, y, baseline)
    return (along_x * waves.along_y).sum(-2)


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
