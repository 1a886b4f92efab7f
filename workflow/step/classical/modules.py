"""From the name of a reference row to the classical reconstruction that makes it.

It is a module (`step.contracts.ClassicalReconstruction`): one of this package, or one of your own by its dotted name.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from step.config.classical import OURS
from step.config.sections import Section, paths_in
from step.config.study import Config, check_section
from step.errors import InputError
from step.plugins import classical_name

if TYPE_CHECKING:
    import torch

    from step.contracts import ClassicalReconstruction, ForwardModel, Measurement

PARTS = ("Settings", "reconstruct")
NOISE_LEVEL = 1.0
"""What the forward model assumes for a classical reconstruction: the data's errors as the data state them.

Of a measurement with one level for all data it is the unit: ``-log p(y | x)`` is ``||A(x) - y||^2 / 2``.
"""


def build_classical(name: str, values: Section) -> "Callable[[ForwardModel, Measurement], torch.Tensor]":
    """Return the function that reconstructs by the module `name` with the settings `values`.

    It takes a forward model that assumes `NOISE_LEVEL`, and a measurement, and raises `FloatingPointError` where the
    video is not finite. Raises `InputError` as `open_classical`.
    """
    module, settings = open_classical(name, values)

    def reconstruct(forward_model: "ForwardModel", measurement: "Measurement") -> "torch.Tensor":
        video = module.reconstruct(forward_model, measurement, settings)
        if not video.isfinite().all():
            raise FloatingPointError(f"the video by {name} is not finite; change tasks.<task>.classical.{name}")
        return video

    return reconstruct


def open_classical(name: str, values: Section) -> "tuple[ClassicalReconstruction, Section]":
    """Return the classical reconstruction `name`, and its `values` as its own `Settings` check them.

    Raises `InputError` where there is no such module, it lacks a part, or a value is not one that it takes.
    """
    module = import_module(classical_name(name))
    missing = [part for part in PARTS if not hasattr(module, part)]
    if missing:
        raise InputError(
            f"{module.__name__} has no {missing[0]}, so that it is no classical reconstruction; see "
            "step.contracts.ClassicalReconstruction"
        )
    return module, check_section(module.Settings, values.model_dump(), f"settings of {name}")


def files_of_reference(config: Config, task: str, reference: str) -> list[Path]:
    """Return the files that the settings of a task's reference row name, on which its reconstructions depend."""
    values = config.tasks[task].classical.get(reference)
    if values is None:
        return []
    if reference in OURS:
        return paths_in(values)  # planning asks, and need not import the module for it
    return paths_in(open_classical(reference, values)[1])
