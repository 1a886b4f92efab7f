"""Write simulated raw files, laid out as the real ones of the domain are."""

import argparse
import logging
from pathlib import Path

from step.cli.domains import SettingsOfDomain, module_name, module_of_domain, select_of_domain
from step.config.study import Config

logger = logging.getLogger(__name__)

STEP = "simulate"


class SimulationSettings(SettingsOfDomain):
    """What simulation uses."""


Settings = SimulationSettings


def select(config: Config, domain: str) -> SimulationSettings:
    """Return the settings of the simulation of `domain`."""
    return SimulationSettings(**select_of_domain(STEP, config, domain))


def modules(settings: SimulationSettings) -> list[str]:
    """Return the modules that are imported by name."""
    return [module_name(STEP, settings.domain)]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files of the stage."""
    parser.add_argument("--subjects", nargs="+", required=True, metavar="NAME", help="e.g. P001 P002, or flow0001")
    parser.add_argument("--output-root", type=Path, required=True, metavar="FOLDER", help="root of the raw files")


def run(arguments: argparse.Namespace, settings: SimulationSettings) -> None:
    """Write the files of the given subjects."""
    module, values = module_of_domain(STEP, settings)
    module.simulate(values, arguments.subjects, arguments.output_root)
    logger.info("wrote %d subjects under %s", len(arguments.subjects), arguments.output_root)
