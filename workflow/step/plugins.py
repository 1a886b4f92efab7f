"""What the configuration names is a module, found here by its short name within a package or by its dotted name.

A forward model, a noise source, a sampler, a classical reconstruction, a metric, a descriptor, a format of measured
data, a figure, a table, the architecture of a denoiser and a domain all plug in this way: ``measurement.model: mri`` is
`step.physics.mri`, and ``measurement.model: my_lab.camera`` is a module of your own.
"""

import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from step.errors import InputError

LIBRARY = Path(__file__).parent

_FUNCTION = re.compile(r"([A-Za-z_][\w.]*):[A-Za-z_]\w*")


def source_of(module: str) -> Path | None:
    """Return the file of a module by its dotted name, which is not imported for it; None where there is none."""
    first, *rest = module.split(".")
    if first != "step":
        return _source_elsewhere(module)
    path = LIBRARY.joinpath(*rest)
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def module_called(name: str, package: str, key: str) -> str:
    """Return the module that `key` of the configuration names: one of the library's `package`, else any importable one.

    It is imported by name, so that no import statement leads to it. Raises `InputError` where there is none.
    """
    if not all(part.isidentifier() for part in name.split(".")):
        raise InputError(f"{key} is {name!r}, which is no name of a module; take one of step.{package} or your own")
    for candidate in (f"step.{package}.{name}", name):
        if source_of(candidate):
            return candidate
    raise InputError(f"{key} is {name!r}; there is no module step.{package}.{name} and none called {name}")


def domain_name(domain: str, key: str) -> str:
    """Return the package of a domain, which `key` of the configuration names."""
    return module_called(domain, "domains", key)


def forward_model_name(model: str) -> str:
    """Return the module that a measurement's `model` names."""
    return module_called(model, "physics", "measurement.model")


def noise_source_name(source: str) -> str:
    """Return the module that the `source` of a method's noise names."""
    return module_called(source, "sampling.noise", "noise.source")


def sampler_name(sampler: str) -> str:
    """Return the module that the `sampler` of a method names."""
    return module_called(sampler, "sampling", "sampler")


def classical_name(reference: str) -> str:
    """Return the module of a reference row that is a classical reconstruction."""
    return module_called(reference, "classical", "references")


def metric_name(metric: str) -> str:
    """Return the module of a metric of your own."""
    return module_called(metric, "metrics", "evaluation.metrics")


def architecture_name(architecture: str) -> str:
    """Return the module that the `architecture` of a domain's priors names."""
    return module_called(architecture, "models", "architecture")


def descriptor_name(descriptor: str) -> str:
    """Return the module that a domain's entry in `modes.descriptors` names."""
    return module_called(descriptor, "posterior.descriptors", "modes.descriptors")


def format_name(data_format: str) -> str:
    """Return the module that the `format` of measured data names."""
    return module_called(data_format, "observations", "data.format")


def modules_of_functions(values: object) -> list[str]:
    """Return the modules of the functions that `values` name, ``package.module:function``, however deep they lie.

    What only looks like it, so that there is no such module, is left out.
    """
    if isinstance(values, str):
        match = _FUNCTION.fullmatch(values)
        return [match[1]] if match and source_of(match[1]) else []
    inner = values.values() if isinstance(values, Mapping) else values if isinstance(values, (list, tuple)) else []
    return [module for one in inner for module in modules_of_functions(one)]


def _source_elsewhere(module: str) -> Path | None:
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:
        return None
    return Path(spec.origin) if spec and spec.has_location and spec.origin else None
