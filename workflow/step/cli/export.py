"""Write the reconstructions of an observation in the formats of its own field."""

import argparse
import logging
from pathlib import Path
from typing import Any

from step.cli.files import add_reconstructions
from step.cli.read_observation import open_format
from step.cli.read_observation import select as select_observation
from step.config.sections import Section
from step.config.study import Config
from step.plugins import format_name

log = logging.getLogger(__name__)


class ExportSettings(Section):
    """What the export uses: the settings of the observation's format."""

    format: str
    values: dict[str, Any]


Settings = ExportSettings


def select(config: Config, observation: str) -> ExportSettings:
    """Return the settings of one observation's export."""
    chosen = select_observation(config, observation)
    return ExportSettings(format=chosen.format, values=chosen.values)


def modules(settings: ExportSettings) -> list[str]:
    """Return the modules that are imported by name."""
    return [format_name(settings.format)]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files of the stage."""
    parser.add_argument("--measurement", type=Path, required=True, metavar="FILE", help="the observation (.h5)")
    parser.add_argument("--summary", type=Path, required=True, metavar="FILE", help="mean and deviation (.h5)")
    add_reconstructions(parser, "its posterior samples")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="folder to write")


def run(arguments: argparse.Namespace, settings: ExportSettings) -> None:
    """Write the folder, whole or not at all."""
    from step.io.atomic import whole_folder
    from step.io.reconstructions import read_attributes, read_measurement, read_reconstructions, read_summary

    plug_in, values = open_format(settings.format, settings.values)
    samples = read_reconstructions(arguments.reconstructions)[arguments.measurement.stem].equal_samples
    videos = read_summary(arguments.summary) | {f"sample{n:03d}": sample for n, sample in enumerate(samples)}
    measurement = read_measurement(arguments.measurement)
    with whole_folder(arguments.output) as folder:
        plug_in.export(values, videos, measurement, read_attributes(arguments.measurement), folder)
    log.info("wrote %d videos to %s", len(videos), arguments.output)
