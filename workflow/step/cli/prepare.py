"""Cut, resample and scale the sequences of a raw store into videos of the study's size."""

import argparse
import logging
from pathlib import Path

from step.cli.domains import SettingsOfDomain, module_name, module_of_domain, select_of_domain
from step.config.study import Config

logger = logging.getLogger(__name__)

STEP = "prepare"


class PreparationSettings(SettingsOfDomain):
    """What preparation uses."""


Settings = PreparationSettings


def select(config: Config, domain: str) -> PreparationSettings:
    """Return the settings of the preparation of `domain`."""
    return PreparationSettings(**select_of_domain(STEP, config, domain))


def modules(settings: PreparationSettings) -> list[str]:
    """Return the modules that are imported by name."""
    return [module_name(STEP, settings.domain)]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files of the stage."""
    parser.add_argument("--input", type=Path, required=True, metavar="FILE", help="raw store (.h5)")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="prepared videos to write (.h5)")


def run(arguments: argparse.Namespace, settings: PreparationSettings) -> None:
    """Write the prepared videos of one raw store."""
    module, values = module_of_domain(STEP, settings)
    module.prepare(values, arguments.input, arguments.output)
    logger.info("wrote %s", arguments.output)
