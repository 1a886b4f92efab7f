"""The base of instruments with Gaussian noise: of their physics all follows that a forward model offers."""

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Self

import numpy as np
import torch

from step.contracts import Measurement
from step.physics.measuring import batch_of, generator_of

Product = Callable[[torch.Tensor], torch.Tensor]


class LeastSquares(ABC):
    """``y_t = m_t (A(x_t) + n)``, n white and Gaussian: a subclass gives `forward`, A, and `adjoint`, its transpose.

    Videos are (batch, time, channel, y, x). A measurement holds the data, (batch, time, ...), real or complex, by the
    name that `kind` is, and all that `sampling` returns. If `mask` is among that, it is true where a datum was
    measured: its axes are the first ones of the data, (batch, time, ky) of (batch, time, ky, kx) for example. Data that
    were not measured are 0 and count nowhere.

    `noise_level` is the standard deviation of the noise, for complex data of real and imaginary part each: in `measure`
    that of the simulated noise, everywhere else the one that is assumed. Where errors differ between data, let
    `forward` and the data be in units of them, and the level be 1.

    Examples:
        >>> class Halved(step.LeastSquares):
        ...     def forward(self, video, measurement):
        ...         return video / 2
        ...
        ...     def adjoint(self, data, measurement):
        ...         return data / 2
        >>> physics = Halved(frame_shape=(1, 4, 4), noise_level=0.1)
        >>> video = torch.ones(1, 3, 1, 4, 4)
        >>> physics.measure(video, seed=0)["data"].shape
        torch.Size([1, 3, 1, 4, 4])
        >>> y = {"data": torch.full((1, 3, 1, 4, 4), 0.6)}  # a measurement with an error of one noise level
    """

    kind = "data"
    """The name of the data, in the measurement, among the chi-squares and in files."""

    def __init__(self, frame_shape: tuple[int | None, int | None, int | None], noise_level: float):
        """Measure frames of `frame_shape` (channel, y, x); None is any length, for subclasses with a `layout`."""
        self.frame_shape = frame_shape
        self.noise_level = noise_level

    @abstractmethod
    def forward(self, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        """Return the data (batch, time, ...) of `video` without noise and mask, frame by frame, differentiably.

        What of the video is sampled stands in `measurement`, which has no data yet when it is simulated.

        Examples:
            >>> physics.forward(video, y).unique()
            tensor([0.5000])
        """

    @abstractmethod
    def adjoint(self, data: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        """Return the video (batch, time, channel, y, x) of the transposed operator applied to `data`.

        That is ``<forward(x), d> = <x, adjoint(d)>``, real and imaginary parts being two numbers; of a nonlinear
        instrument whatever picture of the data shows most.

        Examples:
            >>> data = torch.rand(1, 3, 1, 4, 4)
            >>> left, right = physics.forward(video, y) * data, video * physics.adjoint(data, y)
            >>> torch.allclose(left.sum(), right.sum())
            True
        """

    def sampling(self, video: torch.Tensor) -> Measurement:
        """Return what of `video` a simulated measurement samples, arrays (batch, time, ...); all, unless overridden.

        Examples:
            >>> physics.sampling(video)
            {}
        """
        return {}

    @cached_property
    def layout(self) -> Mapping[str, tuple[int | None, ...]]:
        """The names of a measurement's arrays and their axes after (batch, time), as a simulated frame has them.

        None is any length; to be overridden where real data may have other axes. Raises `NotImplementedError` where
        frames may have any length and nothing overrides it.

        Examples:
            >>> physics.layout
            {'data': (1, 4, 4)}
        """
        channels, height, width = self.frame_shape
        if channels is None or height is None or width is None:
            raise NotImplementedError(
                f"{type(self).__name__} measures frames of any length, {self.frame_shape} (channel, y, x); override "
                "its layout"
            )
        simulated = self.measure(torch.zeros(1, 1, channels, height, width), seed=0)
        return {name: tuple(array.shape[2:]) for name, array in simulated.items()}

    def with_noise_level(self, noise_level: float) -> Self:
        """Return the same instrument, but that `noise_level` is assumed, in units of the data.

        Examples:
            >>> physics.with_noise_level(0.2).noise_level
            0.2
        """
        other = copy.copy(self)
        other.noise_level = noise_level
        return other

    def measure(
        self, video: torch.Tensor | np.ndarray, generator: torch.Generator | None = None, *, seed: int | None = None
    ) -> Measurement:
        """Return the simulated noisy measurement of `video` (batch, time, channel, y, x), or of one without its batch.

        It has the data (batch, time, ...) by the name `kind`, and what `sampling` returns. The noise is that of
        `generator`, or of a new one with `seed`. Raises `InputError` for what is no video of the instrument's frames,
        and unless one of generator and seed is given.

        Examples:
            >>> physics.measure(np.ones((3, 1, 4, 4)), seed=0)["data"].shape
            torch.Size([1, 3, 1, 4, 4])
        """
        video, generator = batch_of(video, (None, *self.frame_shape)), generator_of(generator, seed)
        sampled = self.sampling(video)
        clean = self.forward(video, sampled)
        data = clean + self.noise_level * _noise_like(clean, generator)
        return {self.kind: self._measured(data, sampled), **sampled}

    def negative_log_likelihood(self, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        """Return ``|| m (A(x) - y) ||^2 / (2 noise_level^2)``, shape (batch,), differentiable in `video`.

        It is ``-log p(y | x)`` up to a constant; `video` is (batch, time, channel, y, x).

        Examples:
            >>> round(physics.negative_log_likelihood(video, y).item(), 3)  # of 48 data
            24.0
        """
        return self._sum_of_squares(video, measurement) / (2 * self.noise_level**2)

    def residuals(self, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        """Return ``m (A(x) - y) / noise_level`` (batch, datum), real and imaginary parts; 0 where none is measured.

        Examples:
            >>> physics.residuals(video, y).shape
            torch.Size([1, 48])
        """
        return _real(self._residual(video, measurement)).flatten(1) / self.noise_level

    def curvature(self, video: torch.Tensor, measurement: Measurement) -> Product:
        """Return the function that multiplies videos by ``J' J``, J being the derivative of the residuals at `video`.

        Examples:
            >>> torch.allclose(physics.curvature(video, y)(video), video / 4 / 0.1**2)
            True
        """
        return curvature_of(lambda x: self.residuals(x, measurement), video)

    def misfit(self, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        """Return the mean of ``|A(x) - y|^2`` over the measured data, shape (batch,), in units of the data squared.

        Examples:
            >>> round(physics.misfit(video, y).item(), 3)
            0.01
        """
        return self._sum_of_squares(video, measurement) / self._n_measured(measurement)

    def chi_squares(self, video: torch.Tensor, measurement: Measurement) -> Mapping[str, torch.Tensor]:
        """Return the reduced chi-square of the measured data at the model's noise level, by `kind`, shape (batch,).

        Examples:
            >>> round(physics.chi_squares(video, y)["data"].item(), 3)
            1.0
        """
        parts = 2 if measurement[self.kind].is_complex() else 1
        squares = self._sum_of_squares(video, measurement) / (parts * self.noise_level**2)
        return {self.kind: squares / self._n_measured(measurement)}

    def backprojection(self, measurement: Measurement) -> torch.Tensor:
        """Return the adjoint of the data (batch, time, channel, y, x).

        Examples:
            >>> physics.backprojection(y).unique()
            tensor([0.3000])
        """
        return self.adjoint(measurement[self.kind], measurement)

    def _residual(self, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        return self._measured(self.forward(video, measurement) - measurement[self.kind], measurement)

    def _sum_of_squares(self, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        """Return ``|| m (A(x) - y) ||^2``, shape (batch,)."""
        squares = squared(self._residual(video, measurement))
        return squares.sum(dim=tuple(range(1, squares.ndim)))

    def _n_measured(self, measurement: Measurement) -> torch.Tensor:
        """Return the number of measured data, real or complex, shape (batch,)."""
        data = measurement[self.kind]
        mask = self._mask_of(data, measurement)
        if mask is None:
            return torch.full(data.shape[:1], math.prod(data.shape[1:]), device=data.device)
        return mask.flatten(1).sum(1) * (data.numel() // mask.numel())

    def _mask_of(self, data: torch.Tensor, measurement: Measurement) -> torch.Tensor | None:
        """Return the mask with as many axes as `data`, those that it lacks of length 1; None where all is measured."""
        mask = measurement.get("mask")
        return None if mask is None else mask.reshape(*mask.shape, *(1,) * (data.ndim - mask.ndim))

    def _measured(self, data: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        """Return `data` (batch, time, ...), 0 where the measurement has none."""
        mask = self._mask_of(data, measurement)
        return data if mask is None else mask * data


def curvature_of(residuals: Callable[[torch.Tensor], torch.Tensor], video: torch.Tensor) -> Product:
    """Return the function that multiplies videos by ``J' J``, J being the derivative of `residuals` at `video`."""
    # torch's annotation has a third, auxiliary, return value too, which is not asked for here.
    _, transposed = torch.func.vjp(residuals, video)  # type: ignore[misc]

    def product(direction: torch.Tensor) -> torch.Tensor:
        forward = torch.func.jvp(residuals, (video,), (direction,))[1]
        result: torch.Tensor = transposed(forward)[0]
        return result

    return product


def conjugate_gradients(product: Product, right: torch.Tensor, iterations: int) -> torch.Tensor:
    """Return x after `iterations` towards ``product(x) = right``, from 0, for each item of the batch.

    `product` is linear, symmetric and positive definite. It stops where the residual is as small as rounding.
    """
    axes = tuple(range(1, right.ndim))
    solution, residual = torch.zeros_like(right), right
    direction, squared = residual, residual.square().sum(axes, keepdim=True)
    smallest = squared * torch.finfo(right.dtype).eps ** 2
    for _ in range(iterations):
        if (squared <= smallest).all():
            break
        image = product(direction)
        length = squared / (direction * image).sum(axes, keepdim=True)
        solution, residual = solution + length * direction, residual - length * image
        before, squared = squared, residual.square().sum(axes, keepdim=True)
        direction = residual + squared / before * direction
    return solution


def squared(values: torch.Tensor) -> torch.Tensor:
    """Return the squared magnitude of `values`, real or complex."""
    return values.real**2 + values.imag**2 if values.is_complex() else values**2


def _noise_like(data: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return standard normal noise, of real and imaginary part each."""
    real = _real(data)
    noise = torch.randn(real.shape, generator=generator, dtype=real.dtype).to(data.device)
    return torch.view_as_complex(noise) if data.is_complex() else noise


def _real(values: torch.Tensor) -> torch.Tensor:
    return torch.view_as_real(values) if values.is_complex() else values
