"""Read measured data of the real world as a measurement of the study, which has no truth."""

import argparse
import logging
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import ValidationError

from step.cli.settings import modules_of_measurement
from step.config.sections import Name, Section, paths_in
from step.config.study import Config, check_section, describe_problem
from step.config.tasks import MeasurementOfDomain
from step.errors import InputError
from step.provenance import door_name

log = logging.getLogger(__name__)


class Settings(Section):
    """What decides the measurement."""

    observation: Name
    format: str
    values: dict[str, Any]
    measurement: MeasurementOfDomain
    shape: tuple[int, int, int, int]


def select(config: Config, observation: str) -> Settings:
    """Return the settings of one observation; the module of its format says which."""
    chosen = config.observations[observation]
    door = import_module(door_name(chosen.data.format))
    domain = config.tasks[chosen.task].domain
    video = config.video_format(domain)
    try:
        values = door.settings_of(config, observation).model_dump(mode="json")
    except ValidationError as error:
        raise InputError(f"observations.{observation}.data: {describe_problem(error)}") from None
    return Settings(
        observation=observation,
        format=chosen.data.format,
        values=values,
        measurement=config.measurement_of(chosen.task),
        shape=(video.frames, video.channels, video.resolution, video.resolution),
    )


def modules(settings: Settings) -> list[str]:
    """Return the modules that are imported by name."""
    return [door_name(settings.format), *modules_of_measurement(settings)]


def files(settings: Settings) -> list[Path]:
    """Return the files that the observation is made of: those that its format says, and all that its values name."""
    door, values = open_door(settings.format, settings.values)
    return list(dict.fromkeys([*door.files(values), *paths_in(values)]))


def uses_training(settings: Settings) -> bool:
    """Return whether the training videos have a part in the measurement, as its format says; if it does not, no."""
    door, values = open_door(settings.format, settings.values)
    return hasattr(door, "uses_training") and door.uses_training(values)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's files to `parser`."""
    parser.add_argument("--index", type=Path, help="index.csv of the domain's videos, where the format uses them")
    parser.add_argument("--output", type=Path, required=True, help="measurement to write (.h5), named after it")


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write the measurement."""
    import numpy as np

    from step.io.reconstructions import write_measurement
    from step.io.videos import VideoStore
    from step.physics.forward_models import build_forward_model, check_measurement, to_tensors

    door, values = open_door(settings.format, settings.values)
    training = None
    if uses_training(settings):
        if arguments.index is None:
            raise InputError(f"format {settings.format} uses the training videos; give their index with --index")
        training = VideoStore(arguments.index).select("train", "video")
    measurement, attributes = door.read(values, training)
    source = ", ".join(map(str, door.files(values)))
    forward_model = build_forward_model(settings.measurement, settings.shape)
    check_measurement(to_tensors(measurement), forward_model, settings.shape, source)
    if not all(np.isfinite(array).all() for array in measurement.values()):
        raise InputError(f"{source} has values that are not finite; flag them, or leave the observation out")
    write_measurement(arguments.output, measurement, attributes | {"observation": settings.observation})
    log.info("wrote %s", arguments.output)


def open_door(data_format: str, values: dict[str, Any]) -> tuple[ModuleType, Section]:
    """Return the module of a format of measured data, and its checked settings."""
    door = import_module(door_name(data_format))
    return door, check_section(door.Settings, values, f"--settings of format {data_format}")
