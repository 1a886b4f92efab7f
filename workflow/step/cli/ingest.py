"""Read raw files of some subjects into one raw store of image sequences."""

import argparse
import logging
from pathlib import Path

from step.cli.domains import SettingsOfDomain, module_name, module_of_domain, select_of_domain
from step.config.study import Config

logger = logging.getLogger(__name__)

STEP = "ingest"


class IngestionSettings(SettingsOfDomain):
    """What ingestion uses."""


Settings = IngestionSettings


def select(config: Config, domain: str) -> IngestionSettings:
    """Return the settings of the ingestion of `domain`."""
    return IngestionSettings(**select_of_domain(STEP, config, domain))


def modules(settings: IngestionSettings) -> list[str]:
    """Return the modules that are imported by name."""
    return [module_name(STEP, settings.domain)]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files of the stage."""
    parser.add_argument("--root", type=Path, required=True, help="folder of the raw files, searched at any depth")
    parser.add_argument("--subjects", nargs="+", required=True, metavar="NAME", help="e.g. TrainingSet-P001")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="raw store to write (.h5)")


def run(arguments: argparse.Namespace, settings: IngestionSettings) -> None:
    """Write the raw store of the given subjects."""
    module, values = module_of_domain(STEP, settings)
    module.ingest(values, arguments.root, arguments.subjects, arguments.output)
    logger.info("wrote %s with %d subjects", arguments.output, len(arguments.subjects))
