"""Stages whose work differs from domain to domain: `step.<room>.<domain>` does it."""

from importlib import import_module
from types import ModuleType
from typing import Any

from step.config.sections import Name, Section
from step.config.study import Config, check_section


class SettingsOfDomain(Section):
    """A domain and what its module uses, which the module's own `Settings` checks."""

    domain: Name
    values: dict[str, Any]


def select_of_domain(room: str, config: Config, domain: str) -> dict[str, Any]:
    """Return the fields of `SettingsOfDomain` that the module of `domain` in `room` cuts from `config`."""
    values = import_module(module_name(room, domain)).settings_of(config).model_dump(mode="json")
    return {"domain": domain, "values": values}


def module_of_domain(room: str, settings: SettingsOfDomain) -> tuple[ModuleType, Section]:
    """Return the module of a domain in `room`, and its checked settings."""
    module = import_module(module_name(room, settings.domain))
    return module, check_section(module.Settings, settings.values, f"--settings of {settings.domain}")


def module_name(room: str, domain: str) -> str:
    """Return the dotted name of the module of `domain` in `room`."""
    return f"step.{room}.{domain}"
