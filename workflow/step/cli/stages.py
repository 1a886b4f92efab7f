"""The stages of the command line: a module of this package each, or a figure or a table that one of them makes."""

import argparse
import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

from step.config.sections import Section
from step.errors import InputError
from step.plugins import LIBRARY, module_called

STAGES = (
    "describe",
    "simulate",
    "ingest",
    "prepare",
    "split",
    "train",
    "fetch_prior",
    "take_network",
    "assemble_prior",
    "measure",
    "optical_flow",
    "read_observation",
    "sample",
    "reference",
    "fetch_weights",
    "evaluate",
    "extract_features",
    "summarise",
    "modes",
    "quantities",
    "calibrate",
    "recalibrate",
    "generate",
    "estimate_representation",
    "tune",
    "tune_classical",
    "bench",
    "unit_costs",
    "run_summary",
    "export",
)

PRODUCTS = {"plot": "figures", "table": "tables"}
"""Stages that make one of several things, each a module of the package named here or of another one."""


@dataclass(frozen=True)
class Stage:
    """One stage: what it uses of the configuration is in its module, what it does in that or in its maker."""

    name: str  # such as `sample`, or `plot comparison`
    module: ModuleType  # with `Settings` and `select`, and `modules` where it imports some by name
    maker: ModuleType | None  # the module of this package that makes it; None of a stage that is one itself

    @property
    def code(self) -> tuple[str, ...]:
        """The modules that hold its code, with all that they import."""
        return tuple(module.__name__ for module in (self.maker, self.module) if module)

    def imported_by_name(self, settings: Section) -> list[str]:
        """Return the modules that it imports by names that `settings` have."""
        return self.module.modules(settings) if hasattr(self.module, "modules") else []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare its command line."""
        if self.maker:
            self.maker.add_arguments(parser, self.module)
        else:
            self.module.add_arguments(parser)

    def run(self, arguments: argparse.Namespace, settings: Section) -> None:
        """Write its files."""
        if self.maker:
            self.maker.run(arguments, settings, self.module)
        else:
            self.module.run(arguments, settings)


def open_stage(name: str) -> Stage:
    """Return the stage `name`, such as ``sample`` or ``plot comparison``; raises `InputError` where there is none."""
    command, _, product = name.partition(" ")
    if command not in (*STAGES, *PRODUCTS):
        raise InputError(f"there is no stage {command!r}; there are {', '.join((*STAGES, *PRODUCTS))}")
    module = import_module(f"step.cli.{command}")
    if command not in PRODUCTS:
        return Stage(name, module, None)
    if not product:
        raise InputError(f"{command} of what? There are {', '.join(product_names(command))}")
    made = import_module(module_called(product, PRODUCTS[command], f"what {command} makes"))
    missing = [part for part in ("Settings", "select", "Files", module.FUNCTION) if not hasattr(made, part)]
    if missing:
        raise InputError(f"{made.__name__} has no {missing[0]}, so that {command} cannot make it; see step.products")
    return Stage(name, made, module)


def product_names(command: str) -> list[str]:
    """Return the names of all that `command` makes of the library: modules that define its function."""
    function = re.compile(rf"^def {import_module(f'step.cli.{command}').FUNCTION}\(", re.MULTILINE)
    modules = sorted(Path(LIBRARY / PRODUCTS[command]).glob("*.py"))
    return [module.stem for module in modules if function.search(module.read_text(encoding="utf-8"))]


def stage_names() -> list[str]:
    """Return the names of all stages, products of the library among them."""
    return [*STAGES, *(f"{command} {name}" for command in PRODUCTS for name in product_names(command))]
