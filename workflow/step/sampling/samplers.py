"""From the `sampler` of a method to the algorithm that it names."""

import importlib
from types import ModuleType

from step.config.sections import AnySettings, Section
from step.config.study import check_section
from step.config.tasks import Sampler
from step.contracts import PosteriorSampler
from step.plugins import sampler_name


def build_sampler(name: str, ours: Sampler, own: AnySettings | None) -> PosteriorSampler:
    """Return the algorithm `name`: the paper's with the settings `ours`, or another one with its `own`.

    The module of another one offers `Settings`, a pydantic model of its section, and ``build(settings)``; or, if it
    goes on from the paper's and is to know its settings too, ``build_on(ours, settings)``.
    """
    if own is None:
        return importlib.import_module(sampler_name(name)).build(ours)
    module, settings = open_sampler(name, own)
    return module.build_on(ours, settings) if hasattr(module, "build_on") else module.build(settings)


def open_sampler(name: str, own: AnySettings) -> tuple[ModuleType, Section]:
    """Return the module of the sampler `name`, and the values of its `Settings`, checked.

    Raises `InputError` where there is no such module, or a value is not one that it takes.
    """
    module = importlib.import_module(sampler_name(name))
    return module, check_section(module.Settings, own.model_dump(), f"settings of the sampler {name}")
