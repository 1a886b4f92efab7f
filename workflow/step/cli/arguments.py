"""The arguments that all stages share: where their settings come from."""

import argparse
import inspect
from pathlib import Path
from types import ModuleType
from typing import get_args

from step.config.methods import Method
from step.config.metrics import Network
from step.config.sections import Section
from step.config.settings import parse_settings
from step.config.study import Config, load_config
from step.config.tasks import Reference
from step.errors import InputError


def add_settings_arguments(parser: argparse.ArgumentParser, stage: ModuleType) -> None:
    """Let `parser` take a stage's settings as JSON, or the study's configuration from which they are cut."""
    group = parser.add_argument_group("settings", "give either --settings, as the workflow does, or --config")
    group.add_argument("--settings", metavar="JSON", help="exactly the values that the stage uses")
    group.add_argument(
        "--config", metavar="FILE", nargs="+", type=Path, help="configuration overlaid on config/config.yaml"
    )
    parser.add_argument("--log", metavar="FILE", type=Path, help="file that gets the log too")
    for name in _selectors(stage):
        group.add_argument(f"--{name}", help=f"with --config: which {name} of the study")


def read_settings(arguments: argparse.Namespace, stage: ModuleType) -> Section:
    """Return the checked settings of `stage`; raises `InputError` where they are missing or impossible."""
    if arguments.settings is not None:
        return parse_settings(arguments.settings, stage.Settings)
    if arguments.config is None:
        raise InputError("no settings: give --settings JSON, or --config FILE and what it is to be cut for")
    config = load_config(*arguments.config)
    chosen = {name: getattr(arguments, name) for name in _selectors(stage)}
    missing = [f"--{name}" for name, value in chosen.items() if value is None]
    if missing:
        raise InputError(f"--config needs {' and '.join(missing)} too, to know which part of the study is meant")
    for name, value in chosen.items():
        if value not in _choices(config)[name]:
            raise InputError(f"--{name} is {value!r}; the study has {', '.join(_choices(config)[name])}")
    return stage.select(config, **chosen)


def _choices(config: Config) -> dict[str, list[str]]:
    """Return what each selector of a stage can name."""
    return {
        "domain": list(config.priors),
        "task": list(config.tasks),
        "prior": ["autoencoder", *get_args(Method.model_fields["prior"].annotation)],
        "method": list(config.methods),
        "observation": list(config.observations),
        "reference": [*get_args(Reference), *(name for task in config.tasks.values() for name in task.classical)],
        "network": list(get_args(Network)),
        "table": list(config.tables),
        "target": ["tour", "study"],
        "size": list(config.benchmark.sizes),
    }


def _selectors(stage: ModuleType) -> list[str]:
    return [name for name in inspect.signature(stage.select).parameters if name != "config"]
