"""What a likelihood asks of several coils' k-space off the grid, in bounded memory: misfit, gradient, normal operator.

Coil c of frame t sees ``F_t (S_c x_t)`` at the points of its trajectory, F_t unitary on the grid. Coil images are made
of one frame and a few coils at a time, used and dropped, as `step.physics.coil_encoding` does it on the grid.
"""

import math
from collections.abc import Iterator
from typing import Any

import torch

from step.physics.nufft import PointTransform

BLOCK_SAMPLES = 2**20
"""Complex numbers in the coil images that exist at a time, at most, unless one frame of one coil has more."""


def samples_of(image: torch.Tensor, points: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    """Return ``F_t S_c x_t`` (batch, time, coil, sample) of the complex `image` (batch, time, y, x), differentiable.

    `points` (batch, time, sample, 2) are (ky, kx) in cycles per field of view, `maps` (batch, time, coil, y, x) of the
    image's precision.
    """
    samples: torch.Tensor = _ToSamples.apply(image, points, maps)
    return samples


def image_of(samples: torch.Tensor, points: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    """Return ``sum_c conj(S_c) F_t' y_{t,c}`` (batch, time, y, x), the adjoint of `samples_of`, differentiable."""
    image: torch.Tensor = _ToImage.apply(samples, points, maps)
    return image


def squared_misfit(image: torch.Tensor, kspace: torch.Tensor, points: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    """Return ``sum_c || F_t S_c x_t - y_{t,c} ||^2`` (batch,); it can be differentiated once in `image`.

    `kspace` is (batch, time, coil, sample), of the image's precision; the rest as `samples_of` has it.
    """
    misfit: torch.Tensor = _SquaredMisfit.apply(image, kspace, points, maps)
    return misfit


def normal(image: torch.Tensor, points: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    """Return ``sum_c conj(S_c) F_t' F_t S_c x_t`` of the complex `image` (batch, time, y, x), same shape."""
    result = torch.zeros_like(image)
    for place, coils, transform in _blocks(points, maps):
        samples = transform.to_samples(maps[place][coils] * image[place])
        result[place] += torch.linalg.vecdot(maps[place][coils], transform.to_images(samples), dim=0)
    return result / math.prod(image.shape[-2:])


class _ToSamples(torch.autograd.Function):
    """`samples_of`, whose derivative's transpose is `image_of`."""

    @staticmethod
    def forward(image: torch.Tensor, points: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
        samples = image.new_empty((*maps.shape[:3], points.shape[2]))
        for place, coils, transform in _blocks(points, maps):
            samples[place][coils] = transform.to_samples(maps[place][coils] * image[place])
        return samples.mul_(math.prod(image.shape[-2:]) ** -0.5)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        ctx.save_for_backward(*inputs[1:])

    @staticmethod
    def backward(ctx: Any, of_samples: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return _ToImage.apply(of_samples, *ctx.saved_tensors), None, None


class _ToImage(torch.autograd.Function):
    """`image_of`, whose derivative's transpose is `samples_of`."""

    @staticmethod
    def forward(samples: torch.Tensor, points: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
        image = samples.new_zeros((*maps.shape[:2], *maps.shape[3:]))
        for place, coils, transform in _blocks(points, maps):
            image[place] += torch.linalg.vecdot(maps[place][coils], transform.to_images(samples[place][coils]), dim=0)
        return image.mul_(math.prod(maps.shape[-2:]) ** -0.5)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        ctx.save_for_backward(*inputs[1:])

    @staticmethod
    def backward(ctx: Any, of_image: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return _ToSamples.apply(of_image, *ctx.saved_tensors), None, None


class _SquaredMisfit(torch.autograd.Function):
    """The squared misfit, whose gradient is computed along with it: no coil image is kept for it."""

    @staticmethod
    def forward(
        ctx: Any, image: torch.Tensor, kspace: torch.Tensor, points: torch.Tensor, maps: torch.Tensor
    ) -> torch.Tensor:
        n_pixels = math.prod(image.shape[-2:])
        gradient = torch.zeros_like(image) if ctx.needs_input_grad[0] else None
        total = torch.zeros(len(image), dtype=image.real.dtype, device=image.device)
        for place, coils, transform in _blocks(points, maps):
            residual = transform.to_samples(maps[place][coils] * image[place])
            residual.sub_(kspace[place][coils], alpha=n_pixels**0.5)
            total[place[0]] += torch.view_as_real(residual).square().sum()
            if gradient is not None:
                gradient[place] += torch.linalg.vecdot(maps[place][coils], transform.to_images(residual), dim=0)
        if gradient is not None:
            ctx.save_for_backward(gradient.div_(n_pixels))
        return total / n_pixels

    @staticmethod
    def backward(ctx: Any, *of_misfit: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return 2 * of_misfit[0][:, None, None, None] * gradient, None, None, None


def _blocks(points: torch.Tensor, maps: torch.Tensor) -> Iterator[tuple[tuple[int, int], slice, PointTransform]]:
    """Yield the video and frame, and which coils, to take at a time, and their transform."""
    n_batch, n_frames, n_coils, *shape = maps.shape
    at_once = min(n_coils, max(1, BLOCK_SAMPLES // math.prod(shape)))
    for place in ((video, frame) for video in range(n_batch) for frame in range(n_frames)):
        transform = None
        for first in range(0, n_coils, at_once):
            n_images = min(at_once, n_coils - first)
            if transform is None or n_images < at_once:
                transform = PointTransform(points[place], (shape[0], shape[1]), n_images, maps.dtype)
            yield place, slice(first, first + at_once), transform
