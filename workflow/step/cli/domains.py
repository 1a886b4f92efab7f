"""Stages whose work differs from domain to domain: `step.<room>.<domain>` does it."""

from importlib import import_module
from types import ModuleType
from typing import Any

from pydantic import ValidationError

from step.config.sections import Name, Section
from step.config.study import Config, describe_problem
from step.errors import InputError


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
    try:
        return module, module.Settings.model_validate(settings.values)
    except ValidationError as error:
        raise InputError(f"--settings of {settings.domain}: {describe_problem(error)}") from None


def module_name(room: str, domain: str) -> str:
    """Return the dotted name of the module of `domain` in `room`."""
    return f"step.{room}.{domain}"
