"""Read measured data of the real world as a measurement of the study, which has no truth."""

import argparse
import logging
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from step.config.sections import Name, Section, paths_in
from step.config.settings import modules_of_measurement
from step.config.study import Config, check_section, describe_problem
from step.config.tasks import MeasurementOfDomain
from step.errors import InputError
from step.plugins import format_name

if TYPE_CHECKING:
    from step.physics.display import Brightness

log = logging.getLogger(__name__)


class ObservationSettings(Section):
    """What decides the measurement."""

    observation: Name
    format: str
    values: dict[str, Any]
    measurement: MeasurementOfDomain
    shape: tuple[int, int, int, int]


Settings = ObservationSettings


def select(config: Config, observation: str) -> ObservationSettings:
    """Return the settings of one observation; the module of its format says which."""
    chosen = config.observations[observation]
    plug_in = import_module(format_name(chosen.data.format))
    domain = config.tasks[chosen.task].domain
    video = config.video_format(domain)
    try:
        values = plug_in.settings_of(config, observation).model_dump(mode="json")
    except ValidationError as error:
        raise InputError(f"observations.{observation}.data: {describe_problem(error)}") from None
    return ObservationSettings(
        observation=observation,
        format=chosen.data.format,
        values=values,
        measurement=config.measurement_of(chosen.task),
        shape=(video.frames, video.channels, video.resolution, video.resolution),
    )


def modules(settings: ObservationSettings) -> list[str]:
    """Return the modules that are imported by name."""
    return [format_name(settings.format), *modules_of_measurement(settings)]


def files(settings: ObservationSettings) -> list[Path]:
    """Return the files that the observation is made of: those that its format says, and all that its values name."""
    plug_in, values = open_format(settings.format, settings.values)
    return list(dict.fromkeys([*plug_in.files(values), *paths_in(values)]))


def uses_brightness(settings: ObservationSettings) -> bool:
    """Return whether the measurement depends on how bright videos are, as its format says; if it does not, no."""
    plug_in, values = open_format(settings.format, settings.values)
    return hasattr(plug_in, "uses_brightness") and plug_in.uses_brightness(values)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's files to `parser`."""
    parser.add_argument(
        "--brightness",
        type=Path,
        metavar="FILE",
        help="where the format asks how bright videos are: index.csv of those that the prior is trained on, or a "
        "pretrained prior",
    )
    parser.add_argument("--output", type=Path, required=True, help="measurement to write (.h5), named after it")


def run(arguments: argparse.Namespace, settings: ObservationSettings) -> None:
    """Write the measurement."""
    import numpy as np

    from step.io.reconstructions import write_measurement
    from step.physics.forward_models import build_forward_model, check_measurement, to_tensors

    plug_in, values = open_format(settings.format, settings.values)
    brightness = None
    if uses_brightness(settings):
        if arguments.brightness is None:
            raise InputError(
                f"format {settings.format} asks how bright videos are; give their index, or a prior, with --brightness"
            )
        brightness = brightness_from(arguments.brightness)
    measurement, attributes = plug_in.read(values, brightness)
    source = ", ".join(map(str, plug_in.files(values)))
    forward_model = build_forward_model(settings.measurement, settings.shape)
    check_measurement(to_tensors(measurement), forward_model, settings.shape, source)
    if not all(np.isfinite(array).all() for array in measurement.values()):
        raise InputError(f"{source} has values that are not finite; flag them, or leave the observation out")
    write_measurement(arguments.output, measurement, attributes | {"observation": settings.observation})
    log.info("wrote %s", arguments.output)


def brightness_from(source: Path) -> "Brightness":
    """Return how bright the training videos in an index are, or those that the prior in a folder has learned from."""
    from step.io.prior_folders import FACTS, read_prior_facts
    from step.io.videos import VideoStore
    from step.physics.display import Brightness, brightness_of

    if source.name == FACTS:
        source = source.parent
    if not source.is_dir():
        training = VideoStore(source).select("train", "video")
        return brightness_of(training.video(number) for number in range(len(training)))
    known = read_prior_facts(source).brightness
    if known is None:
        raise InputError(f"{source} does not say how bright its videos are; take a prior that does, or train one")
    return Brightness(**known)


def open_format(data_format: str, values: dict[str, Any]) -> tuple[ModuleType, Section]:
    """Return the module of a format of measured data, and its checked settings."""
    plug_in = import_module(format_name(data_format))
    return plug_in, check_section(plug_in.Settings, values, f"--settings of format {data_format}")
