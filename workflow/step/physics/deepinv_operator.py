"""Any operator of deepinv (https://deepinv.github.io) that has an adjoint, frame by frame and with Gaussian noise."""

import importlib
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import torch
from pydantic import Field, field_validator

from step.config.sections import NonNegative, Section
from step.contracts import Measurement
from step.errors import InputError
from step.physics.least_squares import LeastSquares
from step.plugins import modules_of_functions

if TYPE_CHECKING:
    from deepinv.physics import Physics


class DeepinvSettings(Section):
    """The task's measurement: a function that builds the operator, what it is given, and the noise."""

    model: str
    operator: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
    """``package.module:function``, called with the frames' shape (channel, y, x), `options` and `files`."""
    options: Mapping[str, Any] = {}
    files: Mapping[str, Path] = {}
    """Like `options`; jobs depend on them."""
    noise_level: NonNegative

    @field_validator("operator")
    @classmethod
    def _module_is_found(cls, name: str) -> str:
        if not modules_of_functions(name):
            raise ValueError(f"there is no module {name.partition(':')[0]}")
        return name


Settings = DeepinvSettings


class DeepinvOperator(LeastSquares):
    """``y_t = A(x_t) + n``, A an operator of deepinv that takes frames (frame, channel, y, x), n white and Gaussian.

    A measurement holds `data` (batch, time, ...), what A returns of each frame. Where A is zero for every frame, as
    where an inpainting has a hole, nothing is measured, and `mask`, of the shape of the data, says so; it is left out
    where A has no such data. The operator itself is moved to the device of the videos; its precision must be theirs,
    float32 for those of priors.

    >>> from deepinv.physics import Downsampling
    >>> operator = Downsampling((1, 8, 8), filter="gaussian", factor=2)
    >>> physics = DeepinvOperator(operator, frame_shape=(1, 8, 8), noise_level=0.1)
    >>> physics.measure(torch.zeros(3, 1, 8, 8), seed=0)["data"].shape
    torch.Size([1, 3, 1, 4, 4])
    """

    def __init__(self, operator: "Physics", frame_shape: tuple[int, int, int], noise_level: float | None = None):
        """Take `operator` for frames of `frame_shape` (channel, y, x), without its own models of noise and sensor.

        `noise_level` is the noise's standard deviation; if None, that of the operator's own Gaussian noise. Raises
        `InputError` for an operator without adjoint, or without such noise where no level is given.
        """
        if not (hasattr(operator, "A") and hasattr(operator, "A_adjoint")):
            raise InputError(
                f"{type(operator).__name__} has no A or no A_adjoint; give an operator of deepinv that has both"
            )
        super().__init__(frame_shape, _own_noise_level(operator) if noise_level is None else noise_level)
        self.operator = operator

    def forward(self, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        """Return ``A(x_t)`` (batch, time, ...)."""
        data = self.operator.to(video.device).A(video.flatten(0, 1))
        if not isinstance(data, torch.Tensor):
            raise InputError(f"{type(self.operator).__name__} returns {type(data).__name__}, not one tensor of data")
        return data.unflatten(0, video.shape[:2])

    def adjoint(self, data: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        """Return ``A_adjoint(y_t)`` (batch, time, channel, y, x)."""
        return self.operator.to(data.device).A_adjoint(data.flatten(0, 1)).unflatten(0, data.shape[:2])

    def sampling(self, video: torch.Tensor) -> Measurement:
        """Return the `mask` (batch, time, ...) of the data that depend on the video, unless all do."""
        generator = torch.Generator().manual_seed(0)
        probe = torch.randn((1, 1, *video.shape[2:]), generator=generator, dtype=video.dtype).to(video.device)
        mask = self.forward(probe, {}) != 0
        return {} if mask.all() else {"mask": mask.expand(*video.shape[:2], *mask.shape[2:]).clone()}


def build(settings: DeepinvSettings, shape: tuple[int, int, int, int], noise_level: float | None) -> DeepinvOperator:
    """Return the forward model for videos of `shape` (time, channel, y, x).

    A random operator is the same in every process: torch's generator starts from 0 where it is built. Raises
    `InputError` where the function cannot be imported, or does not take what it is given.
    """
    _, channels, height, width = shape
    frame_shape = (channels, height, width)
    function, values = _function(settings.operator), {**settings.options, **settings.files}
    try:
        inspect.signature(function).bind(frame_shape, **values)
    except TypeError as error:
        given = ", ".join(["the frames' shape", *values])
        raise InputError(f"{settings.operator} does not take {given}: {error}; change options or files") from None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        operator = function(frame_shape, **values)
    return DeepinvOperator(operator, frame_shape, settings.noise_level if noise_level is None else noise_level)


def _function(name: str) -> Callable[..., "Physics"]:
    """Return what `name`, ``package.module:function``, stands for."""
    module, _, function = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), function, None)
    except ImportError as error:
        raise InputError(
            f"measurement.operator is {name!r}, whose module cannot be imported: {error}; install what it needs "
            "(deepinv comes with the extra [deepinv])"
        ) from None
    if not callable(found):
        raise InputError(f"measurement.operator is {name!r}; {module} has no function {function}")
    return found


def _own_noise_level(operator: "Physics") -> float:
    """Return the standard deviation of the operator's Gaussian noise."""
    noise = getattr(operator, "noise_model", None)
    sigma = getattr(noise, "sigma", None)
    if sigma is None or type(noise).__name__ != "GaussianNoise" or torch.as_tensor(sigma).numel() != 1:
        raise InputError(f"{type(operator).__name__} has no Gaussian noise of one level; give noise_level")
    return float(sigma)
