"""What a likelihood asks of k-space of several coils, in bounded memory: misfit, gradient, normal operator.

Coil c of frame t sees ``M_t F (S_c x_t)``. Coil images are as many as k-space is large, so they are made a few frames
and coils at a time, used, and dropped: the misfit's gradient ``2 sum_c conj(S_c) F' M' (M F S_c x - y_c)`` is computed
along with the misfit, and kept instead of them.

Images and k-space are held as the FFT orders them, the zero frequency first: so one image a frame is shifted, and no
coil's. Where lines are measured whole, k-space is held with its readout transformed back: the transform along x is
unitary and changes no misfit, and the one along y is all that is left of F. Where few lines are measured that is a
product with a matrix of as many rows, which is faster than the FFT of all, and what follows is of the measured lines.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch

from step.physics.fourier import transform_readout

BLOCK_SAMPLES = 2**20
"""Complex numbers in the coil images that exist at a time, at most, unless one frame of one coil has more."""


FEW_LINES = 1 / 3
"""Of all lines: a product with the matrix of so many takes about as long as the FFT."""


class Encoding(NamedTuple):
    """What the lines of several coils sample of a video, and what was measured there, in the order of the FFT."""

    maps: torch.Tensor  # (batch, time, coil, y, x), complex; where frames have the same, they share memory
    mask: torch.Tensor  # (batch, time, 1, ky, 1 or kx), 1 where a sample was measured, else 0; of the maps' precision
    kspace: torch.Tensor  # (batch, time, coil, ky or line, kx or x), complex, 0 where nothing was measured
    transform: torch.Tensor  # (batch, time, 1, line, y), ``M F`` along y in place of mask and FFT; of no line otherwise

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes that F transforms: (-2,) where the readout is transformed back already, else (-2, -1)."""
        return (-2,) if self.mask.shape[-1] == 1 else (-2, -1)

    def of(self, frames: slice, coils: slice) -> "Encoding":
        """Return the encoding of some frames and coils."""
        return Encoding(
            self.maps[:, frames, coils], self.mask[:, frames], self.kspace[:, frames, coils], self.transform[:, frames]
        )

    def to_lines(self, image: torch.Tensor) -> torch.Tensor:
        """Return ``M F S_c x`` of `image` (batch, time, y, x), ordered, laid out as `kspace` is."""
        images = self.maps * image[:, :, None]
        if self.transform.shape[-2]:
            return self.transform @ images
        return torch.fft.fftn(images, dim=self.axes, norm="ortho").mul_(self.mask)

    def combine(self, lines: torch.Tensor) -> torch.Tensor:
        """Return ``sum_c conj(S_c) F' lines_c`` (batch, time, y, x), ordered, of lines laid out as `kspace` is."""
        if self.transform.shape[-2]:
            images = self.transform.mH @ lines
        else:
            images = torch.fft.ifftn(lines, dim=self.axes, norm="ortho")
        return torch.linalg.vecdot(self.maps, images, dim=2)


def encode(kspace: torch.Tensor, mask: torch.Tensor, maps: torch.Tensor, dtype: torch.dtype) -> Encoding:
    """Return the encoding of `kspace` (batch, time, coil, ky, kx), for videos of the real `dtype`.

    `mask` is (batch, time, ky), or (batch, time, ky, kx) where lines are measured in part, and `maps`
    (batch, time, coil, y, x), of as many rows as there are lines.
    """
    kind = torch.complex(*torch.empty(2, 0, dtype=dtype)).dtype
    whole_lines = mask.ndim == 3
    axes = (-2,) if whole_lines else (-2, -1)
    if bool((maps == maps[:, :1]).all()):
        maps = maps[:, :1]
    of_coils = (mask[:, :, None, :, None] if whole_lines else mask[:, :, None]).to(dtype)
    measured = of_coils * (transform_readout(kspace) if whole_lines else kspace).to(kind)
    found = Encoding(
        maps=torch.fft.ifftshift(maps.to(kind), dim=axes).expand(*kspace.shape[:3], *maps.shape[-2:]),
        mask=torch.fft.ifftshift(of_coils, dim=axes),
        kspace=torch.fft.ifftshift(measured, dim=axes),
        transform=measured.new_zeros((*mask.shape[:2], 1, 0, mask.shape[2])),
    )
    few = whole_lines and float(mask.sum(2).max()) <= FEW_LINES * mask.shape[2]
    return _of_measured_lines(found) if few else found


def _of_measured_lines(encoding: Encoding) -> Encoding:
    """Return `encoding` with the measured lines alone, and the matrix that makes them; frames are filled to as many."""
    mask, n_lines = encoding.mask[:, :, 0, :, 0], encoding.mask.shape[-2]
    most = int((mask > 0).sum(2).max())
    # Measured lines first, in their order; lines that fill a frame up have a factor of 0.
    order = torch.argsort(mask, dim=2, descending=True, stable=True)[:, :, :most]
    weight = mask.gather(2, order)
    place = torch.arange(n_lines, device=mask.device, dtype=torch.float64)
    angle = -2 * torch.pi / n_lines * (order[..., None] * place % n_lines)
    transform = torch.polar((weight / n_lines**0.5)[..., None].double().expand_as(angle), angle)
    where = order[:, :, None, :, None].expand(*encoding.kspace.shape[:3], most, encoding.kspace.shape[-1])
    kspace = encoding.kspace.gather(3, where) * weight[:, :, None, :, None]
    return encoding._replace(kspace=kspace, transform=transform.to(kspace.dtype)[:, :, None])


def squared_misfit(image: torch.Tensor, encoding: Encoding) -> torch.Tensor:
    """Return ``sum_c || M F (S_c x) - y_c ||^2`` (batch,) of the complex `image` (batch, time, y, x).

    It can be differentiated once in `image`.
    """
    misfit: torch.Tensor = _SquaredMisfit.apply(image, *encoding)
    return misfit


def normal(image: torch.Tensor, encoding: Encoding) -> torch.Tensor:
    """Return ``sum_c conj(S_c) F' M' M F S_c x`` of the complex `image` (batch, time, y, x), same shape."""
    ordered = torch.fft.ifftshift(image, dim=encoding.axes)
    result = torch.zeros_like(ordered)
    for frames, coils in _blocks(encoding):
        block = encoding.of(frames, coils)
        result[:, frames] += block.combine(block.to_lines(ordered[:, frames]))
    return torch.fft.fftshift(result, dim=encoding.axes)


class _SquaredMisfit(torch.autograd.Function):
    """The squared misfit, whose gradient is computed along with it: no coil image is kept for it."""

    @staticmethod
    def forward(ctx: Any, image: torch.Tensor, *parts: torch.Tensor) -> torch.Tensor:
        encoding = Encoding(*parts)
        ordered = torch.fft.ifftshift(image, dim=encoding.axes)
        gradient = torch.zeros_like(ordered) if ctx.needs_input_grad[0] else None
        total = torch.zeros(len(image), dtype=encoding.mask.dtype, device=image.device)
        for frames, coils in _blocks(encoding):
            block = encoding.of(frames, coils)
            residual = block.to_lines(ordered[:, frames]).sub_(block.kspace)
            total += torch.view_as_real(residual).square().sum(dim=(1, 2, 3, 4, 5))
            if gradient is not None:
                gradient[:, frames] += block.combine(residual)
        if gradient is not None:
            ctx.save_for_backward(torch.fft.fftshift(gradient, dim=encoding.axes))
        return total

    @staticmethod
    def backward(ctx: Any, *of_misfit: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return 2 * of_misfit[0][:, None, None, None] * gradient, *(None for _ in Encoding._fields)


def _blocks(encoding: Encoding) -> Iterator[tuple[slice, slice]]:
    """Yield which frames and which coils to take at a time."""
    n_batch, n_frames, n_coils, height, width = encoding.maps.shape
    room = max(1, BLOCK_SAMPLES // (n_batch * height * width))
    coils_at_once = min(n_coils, room)
    frames_at_once = max(1, room // coils_at_once)
    for frame in range(0, n_frames, frames_at_once):
        for coil in range(0, n_coils, coils_at_once):
            yield slice(frame, frame + frames_at_once), slice(coil, coil + coils_at_once)
