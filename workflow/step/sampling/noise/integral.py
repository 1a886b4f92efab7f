"""White noise whose integrals over latent pixels move with the optical flow (Chang et al. 2024, Deng et al. 2025)."""

import torch

from step.config.methods import IntegralNoise as Settings
from step.contracts import NoiseSource
from step.sampling.noise.positions import interpolate, pixel_centres
from step.sampling.noise.recursion import noise_recursively
from step.sampling.optical_flow import OpticalFlow, optical_flow_of_latents


class SubcellNoise:
    """Integral noise with latent pixels cut into k x k sub-cells, each moved by the optical flow at its centre.

    A pixel of value n is cut into ``n / k + w - mean(w)`` with white w; a pixel of the next frame is the sum of the
    sub-cells that fall into it over the square root of their number. Every frame is white: the sub-cells of white
    pixels are independent of unit variance (variance ``1/k^2 + 1 - 1/k^2``, covariance ``1/k^2 - 1/k^2``), and each
    falls into one pixel of the next frame at most.
    """

    def __init__(self, optical_flow: OpticalFlow, subcells: int):
        self._forward = optical_flow.forward.double()
        self._k = subcells

    def noise(self, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
        """Return noise of `shape` (time, latent_channel, latent_y, latent_x)."""
        return noise_recursively(shape, self._move, generator)

    def _move(self, noise: torch.Tensor, t: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        k, size = self._k, noise.shape[1:]
        w = torch.randn(*noise.shape, k * k, generator=generator, dtype=noise.dtype)
        pieces = noise[..., None] / k + w - w.mean(dim=-1, keepdim=True)
        centres = self._centres(*size)
        cells = torch.floor(centres + interpolate(self._forward[t], centres) + 0.5).long()
        return _collect(pieces, torch.ones(cells.shape[1:], dtype=noise.dtype), cells)

    def _centres(self, height: int, width: int) -> torch.Tensor:
        """Return the centres (2, y, x, k * k) of the sub-cells."""
        offsets = (pixel_centres(self._k, self._k) + 0.5) / self._k - 0.5
        return pixel_centres(height, width)[..., None] + offsets.reshape(2, 1, 1, -1)


class BridgeNoise:
    """Integral noise in the limit of infinitely many sub-cells that move as their pixel does.

    A pixel is a unit square that the optical flow at its centre moves; it covers areas ``a_j``, of sum 1, of up to four
    pixels of the next frame. Given the pixel's value n, the white noise integrated over these areas is
    ``X_j = a_j n + sqrt(a_j) w_j - a_j sum_i sqrt(a_i) w_i`` with white w (a Brownian bridge from 0 to n in the area);
    a pixel of the next frame is the sum of its pieces over the square root of their area. Every frame is white: the
    pieces of white pixels are independent, ``Var X_j = a_j^2 + a_j - a_j^2`` and ``Cov(X_j, X_i) = a_j a_i - a_j a_i``,
    and each belongs to one pixel of the next frame at most.
    """

    def __init__(self, optical_flow: OpticalFlow):
        self._forward = optical_flow.forward.double()

    def noise(self, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
        """Return noise of `shape` (time, latent_channel, latent_y, latent_x)."""
        return noise_recursively(shape, self._move, generator)

    def _move(self, noise: torch.Tensor, t: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        cells, areas = _overlaps(pixel_centres(*noise.shape[1:]) + self._forward[t])
        w = torch.randn(*noise.shape, 4, generator=generator, dtype=noise.dtype) * areas.sqrt()
        pieces = w + areas * (noise[..., None] - w.sum(dim=-1, keepdim=True))
        return _collect(pieces, areas, cells)


def build(settings: Settings, optical_flow: OpticalFlow | None, latent_shape: tuple[int, int, int, int]) -> NoiseSource:
    """Return the source that moves with the `optical_flow` of the pixels, in finite or infinitely many pieces."""
    optical_flow = optical_flow_of_latents(optical_flow, latent_shape)
    return BridgeNoise(optical_flow) if settings.subcells is None else SubcellNoise(optical_flow, settings.subcells)


def _overlaps(centres: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the four cells (2, y, x, 4) that unit squares around `centres` (2, y, x) cover, and their areas."""
    corner = torch.floor(centres)
    steps = pixel_centres(2, 2).reshape(2, 1, 1, 4)
    share = (centres - corner)[..., None]
    areas = torch.where(steps == 1, share, 1 - share).prod(dim=0)
    return (corner[..., None] + steps).long(), areas


def _collect(pieces: torch.Tensor, areas: torch.Tensor, cells: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return, by pixel, the sum of the pieces in it over the square root of their area, and whether there are any.

    `pieces` (latent_channel, y, x, piece) of `areas` (y, x, piece) are in the pixels `cells` (2, y, x, piece) of the
    next frame, those outside it are lost; the sums are (latent_channel, y, x).
    """
    n_channels, height, width, _ = pieces.shape
    sizes = torch.tensor([width, height]).reshape(2, 1, 1, 1)
    kept = ((cells >= 0) & (cells < sizes)).all(dim=0).flatten()
    x, y = cells.flatten(1)[:, kept]
    pixels = y * width + x
    total = pieces.new_zeros(n_channels, height * width).index_add_(1, pixels, pieces.flatten(1)[:, kept])
    area = areas.new_zeros(height * width).index_add_(0, pixels, areas.flatten()[kept])
    reached = area > 0
    noise = total / torch.where(reached, area, 1).sqrt()
    return noise.reshape(n_channels, height, width), reached.reshape(height, width)
