"""What a likelihood asks of k-space of several coils, in bounded memory: misfit, gradient, normal operator.

Coil c of frame t sees ``M_t F (S_c x_t)``. Coil images are as many as k-space is large, so they are made a few frames
and coils at a time, used, and dropped: the misfit's gradient ``2 sum_c conj(S_c) F' M' (M F S_c x - y_c)`` is computed
along with the misfit, and kept instead of them.

Images and k-space are held with y or ky last, along which memory is contiguous, and k-space as the FFT orders it, the
zero frequency first, with the phases of the first pixel as the origin: so one image a frame is turned, and nothing is
shifted. Where lines are measured whole, k-space is held with its readout transformed back: the transform along x is
unitary and changes no misfit, and the one along y is all that is left of F.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch

from step.physics.fourier import transform_readout

BLOCK_SAMPLES = 2**20
"""Complex numbers in the coil images that exist at a time, at most, unless one frame of one coil has more."""


class Encoding(NamedTuple):
    """What the lines of several coils sample of a video, and what was measured there, in the order of the FFT."""

    maps: torch.Tensor  # (batch, time, coil, x, y), complex; where frames have the same, they share memory
    mask: torch.Tensor  # (batch, time, 1, 1 or kx, ky), 1 where a sample was measured, else 0; of the maps' precision
    kspace: torch.Tensor  # (batch, time, coil, x or kx, ky), complex, 0 where nothing was measured

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes that F transforms: (-1,) where the readout is transformed back already, else (-2, -1)."""
        return (-1,) if self.mask.shape[-2] == 1 else (-2, -1)

    def of(self, frames: slice, coils: slice) -> "Encoding":
        """Return the encoding of some frames and coils."""
        return Encoding(self.maps[:, frames, coils], self.mask[:, frames], self.kspace[:, frames, coils])

    def to_lines(self, image: torch.Tensor) -> torch.Tensor:
        """Return ``M F S_c x`` of the turned `image` (batch, time, x, y), laid out as `kspace` is."""
        return torch.fft.fftn(self.maps * image[:, :, None], dim=self.axes, norm="ortho").mul_(self.mask)

    def combine(self, lines: torch.Tensor) -> torch.Tensor:
        """Return ``sum_c conj(S_c) F' lines_c`` (batch, time, x, y), turned, of lines laid out as `kspace` is.

        The lines are used up. F is symmetric: the conjugate of ``sum_c S_c F conj(lines_c)`` needs no conjugate maps.
        """
        images = torch.fft.fftn(lines.conj_physical_(), dim=self.axes, norm="ortho").mul_(self.maps)
        return images.sum(dim=2).conj_physical_()


def encode(kspace: torch.Tensor, mask: torch.Tensor, maps: torch.Tensor, dtype: torch.dtype) -> Encoding:
    """Return the encoding of `kspace` (batch, time, coil, ky, kx), for videos of the real `dtype`.

    `mask` is (batch, time, ky), or (batch, time, ky, kx) where lines are measured in part, and `maps`
    (batch, time, coil, y, x), of as many rows as there are lines.
    """
    kind = torch.complex(*torch.empty(2, 0, dtype=dtype)).dtype
    whole_lines = mask.ndim == 3
    axes = (-1,) if whole_lines else (-2, -1)
    if bool((maps == maps[:, :1]).all()):
        maps = maps[:, :1]
    of_coils = (mask[:, :, None, None] if whole_lines else mask[:, :, None].mT).to(dtype)
    measured = of_coils * (transform_readout(kspace) if whole_lines else kspace).to(kind).mT
    for axis in axes:
        measured = measured * _phases_of_origin(measured.shape[axis]).to(measured).reshape(-1, *(1,) * (-1 - axis))
    shifted = (torch.fft.ifftshift(array, dim=axes).contiguous() for array in (of_coils, measured))
    return Encoding(maps.to(kind).mT.contiguous().expand(*kspace.shape[:3], *maps.mT.shape[-2:]), *shifted)


def squared_misfit(image: torch.Tensor, encoding: Encoding) -> torch.Tensor:
    """Return ``sum_c || M F (S_c x) - y_c ||^2`` (batch,) of the complex `image` (batch, time, y, x).

    It can be differentiated once in `image`.
    """
    misfit: torch.Tensor = _SquaredMisfit.apply(image, *encoding)
    return misfit


def normal(image: torch.Tensor, encoding: Encoding) -> torch.Tensor:
    """Return ``sum_c conj(S_c) F' M' M F S_c x`` of the complex `image` (batch, time, y, x), same shape."""
    turned = image.mT.contiguous()
    result = torch.zeros_like(turned)
    for frames, coils in _blocks(encoding):
        block = encoding.of(frames, coils)
        result[:, frames] += block.combine(block.to_lines(turned[:, frames]))
    return result.mT


class _SquaredMisfit(torch.autograd.Function):
    """The squared misfit, whose gradient is computed along with it: no coil image is kept for it."""

    @staticmethod
    def forward(ctx: Any, image: torch.Tensor, *parts: torch.Tensor) -> torch.Tensor:
        encoding = Encoding(*parts)
        turned = image.mT.contiguous()
        gradient = torch.zeros_like(turned) if ctx.needs_input_grad[0] else None
        total = torch.zeros(len(image), dtype=encoding.mask.dtype, device=image.device)
        for frames, coils in _blocks(encoding):
            block = encoding.of(frames, coils)
            residual = block.to_lines(turned[:, frames]).sub_(block.kspace)
            lengths = torch.linalg.vector_norm(torch.view_as_real(residual).flatten(-2), dim=-1)
            total += lengths.square().sum(dim=(1, 2, 3))
            if gradient is not None:
                gradient[:, frames] += block.combine(residual)
        if gradient is not None:
            ctx.save_for_backward(gradient.mT)
        return total

    @staticmethod
    def backward(ctx: Any, *of_misfit: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return 2 * of_misfit[0][:, None, None, None] * gradient, *(None for _ in Encoding._fields)


def _blocks(encoding: Encoding) -> Iterator[tuple[slice, slice]]:
    """Yield which frames and which coils to take at a time."""
    n_batch, n_frames, n_coils, width, height = encoding.maps.shape
    room = max(1, BLOCK_SAMPLES // (n_batch * height * width))
    coils_at_once = min(n_coils, room)
    frames_at_once = max(1, room // coils_at_once)
    for frame in range(0, n_frames, frames_at_once):
        for coil in range(0, n_coils, coils_at_once):
            yield slice(frame, frame + frames_at_once), slice(coil, coil + coils_at_once)


def _phases_of_origin(n: int) -> torch.Tensor:
    """Return what turns centred k-space (k,), complex128, into that of an image whose first pixel is the origin."""
    place = torch.arange(n, dtype=torch.float64) - n // 2
    angle = -2 * torch.pi / n * (place * (n // 2) % n)
    return torch.polar(torch.ones_like(angle), angle)
