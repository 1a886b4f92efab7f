"""Write simulated patients' raw k-space files in the layout of CMRxRecon 2023."""

import argparse
import logging
from pathlib import Path

from step.config.study import Config
from step.ingest.simulate.settings import PatientSimulation

logger = logging.getLogger(__name__)


class Settings(PatientSimulation):
    """What the simulation of a patient uses."""


def select(config: Config, domain: str) -> Settings:
    """Return the settings of the simulated patients of `domain`; how many there are changes none of them."""
    data = config.video_format(domain)
    return Settings(seed=config.seed, frames=data.frames, **data.simulation.model_dump(exclude={"patients"}))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files of the stage."""
    parser.add_argument("--patients", nargs="+", required=True, metavar="NAME", help="e.g. P001 P002")
    parser.add_argument("--output-root", type=Path, required=True, metavar="FOLDER", help="root of the raw files")


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write the files of the given patients."""
    from tqdm import tqdm

    from step.ingest.simulate.patient import simulate_patient

    for name in tqdm(arguments.patients, desc="simulate", unit="patient", disable=None):
        simulate_patient(settings, name, arguments.output_root)
    logger.info("wrote %d patients under %s", len(arguments.patients), arguments.output_root)
