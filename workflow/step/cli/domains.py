"""Stages whose work differs from domain to domain: a module of the domain's package does it."""

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from step.config.sections import ModuleName, Section, paths_in
from step.config.study import Config, check_section
from step.errors import InputError
from step.plugins import domain_name, source_of


class SettingsOfDomain(Section):
    """A domain and what its module for a step uses, which the module's own `Settings` checks."""

    domain: ModuleName
    values: dict[str, Any]


def select_of_domain(step: str, config: Config, domain: str) -> dict[str, Any]:
    """Return the fields of `SettingsOfDomain` that the module for `step` cuts from what `config` says of `domain`."""
    data = config.video_format(domain)
    module = import_module(module_name(step, data.module, f"data.{domain}.module"))
    return {"domain": data.module, "values": module.settings_of(data, config.seed).model_dump(mode="json")}


def module_of_domain(step: str, settings: SettingsOfDomain) -> tuple[ModuleType, Section]:
    """Return the module of a domain for `step`, and its checked settings."""
    module = import_module(module_name(step, settings.domain))
    return module, check_section(module.Settings, settings.values, f"--settings of {settings.domain}")


def files_of_domain(step: str, config: Config, domain: str) -> list[Path]:
    """Return the files that the settings of `domain` for `step` name, on which its jobs depend."""
    _, settings = module_of_domain(step, SettingsOfDomain(**select_of_domain(step, config, domain)))
    return paths_in(settings)


def module_name(step: str, domain: str, key: str = "domain") -> str:
    """Return the dotted name of the module of `domain` for `step`; raises `InputError` where it has none."""
    name = f"{domain_name(domain, key)}.{step}"
    if not source_of(name):
        raise InputError(f"{key} is {domain!r}, which has no module {name}; see step.contracts.Domain")
    return name
