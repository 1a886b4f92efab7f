"""From the `measurement` section of a task to the forward model that it names."""

import importlib
from collections.abc import Mapping
from types import ModuleType

import numpy as np
import torch
from pydantic import BaseModel, ValidationError

from step.config.study import describe_problem
from step.contracts import ForwardModel
from step.errors import InputError


def build_forward_model(
    measurement: BaseModel, shape: tuple[int, int, int, int], noise_level: float | None = None
) -> ForwardModel:
    """Return the forward model that `measurement` describes, for videos of `shape` (time, channel, y, x).

    `noise_level` is what the likelihood assumes, if not the measurement's own. The module that
    ``measurement.model`` names offers `Settings`, a pydantic model of the section, and
    ``build(settings, shape, noise_level)``.
    """
    module = forward_model_module(measurement.model)
    try:
        settings = module.Settings.model_validate(measurement.model_dump())
    except ValidationError as error:
        raise InputError(f"measurement of model {measurement.model}: {describe_problem(error)}") from None
    return module.build(settings, shape, noise_level)


def forward_model_module(name: str) -> ModuleType:
    """Return the module `name` of `step.physics`, or of anywhere if it is importable by that name."""
    for candidate in (f"step.physics.{name}", name):
        try:
            return importlib.import_module(candidate)
        except ModuleNotFoundError as error:
            if error.name is None or not candidate.startswith(error.name):
                raise
    raise InputError(f"measurement.model is {name!r}; there is no module step.physics.{name} and none called {name}")


def check_measurement(
    measurement: Mapping[str, torch.Tensor],
    forward_model: ForwardModel,
    shape: tuple[int, int, int, int],
    source: object,
) -> None:
    """Raise `InputError`, naming `source`, unless `measurement` is laid out as `forward_model` measures.

    Videos have the given `shape` (time, channel, y, x); both are batches.
    """
    generator = torch.Generator().manual_seed(0)
    expected = forward_model.measure(torch.rand(1, *shape, generator=generator), generator)
    found, wanted = (
        {name: tuple(tensor.shape[1:]) for name, tensor in sorted(tensors.items())}
        for tensors in (measurement, expected)
    )
    if found != wanted:
        raise InputError(f"{source} holds {_in_words(found)}, the task measures {_in_words(wanted)}; measure it again")


def to_tensors(measurement: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """Return one video's measurement (arrays with leading axis time) as tensors with a batch axis of one."""
    return {name: torch.from_numpy(array)[None] for name, array in measurement.items()}


def _in_words(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items()) or "nothing"
