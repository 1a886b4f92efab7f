"""Read raw files of some subjects into one raw store of complex image sequences."""

import argparse
import logging
from pathlib import Path

from step.config.study import Config
from step.ingest.subjects import Ingestion
from step.ingest.synthetic_phase import SeededPhase

logger = logging.getLogger(__name__)


class Settings(Ingestion):
    """What ingestion uses."""


def select(config: Config, domain: str) -> Settings:
    """Return the settings of the ingestion of `domain`."""
    data = config.video_format(domain)
    archive = data.source == "cine_archive"
    return Settings(
        # Simulated files are read as real ones are.
        layout="cine_archive" if archive else "cmrxrecon",
        exclude=data.exclude,
        views=() if archive else data.views,
        frames=data.frames,
        phase=SeededPhase(seed=config.seed, **data.synthetic_phase.model_dump()) if archive else None,
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files of the stage."""
    parser.add_argument("--root", type=Path, required=True, help="folder of the raw files, searched at any depth")
    parser.add_argument("--subjects", nargs="+", required=True, metavar="NAME", help="e.g. TrainingSet-P001")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="raw store to write (.h5)")


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write the raw store of the given subjects."""
    from tqdm import tqdm

    from step.ingest.subjects import read_subjects
    from step.io.sequences import write_sequences

    subjects = tqdm(arguments.subjects, desc="ingest", unit="subject", disable=None)
    write_sequences(arguments.output, read_subjects(settings, arguments.root, subjects))
    logger.info("wrote %s with %d subjects", arguments.output, len(arguments.subjects))
