"""Write the table of a task: one row per method, averaged over videos."""

import argparse
import logging
from pathlib import Path

from step.config.sections import Section
from step.config.study import Config
from step.errors import InputError

log = logging.getLogger(__name__)


class Settings(Section):
    """The table uses nothing of the configuration: methods and their order are in the arguments."""


def select(config: Config, task: str) -> Settings:
    """Return the part of `config` that the table of `task` uses: nothing."""
    return Settings()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    parser.add_argument(
        "--inputs",
        required=True,
        type=Path,
        nargs="+",
        metavar="CSV",
        help="metrics per video, one file per method",
    )
    parser.add_argument(
        "--methods", required=True, nargs="+", metavar="NAME", help="the methods, in the order of --inputs"
    )
    parser.add_argument(
        "--paired-with", metavar="NAME", help="also give each method's PSNR minus this one's, video by video"
    )
    parser.add_argument("--output", required=True, type=Path, metavar="CSV", help="the table")


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write the table and log it; raises `InputError` where names and files do not match."""
    from step.evaluation.summary import format_table, read_scores, summarise
    from step.io.tables import read_table, write_table

    names, files = arguments.methods, arguments.inputs
    if len(names) != len(files) or len(set(names)) != len(names):
        raise InputError(f"{len(files)} tables for the methods {names}; give --methods one name per table, each once")
    scores = {name: read_scores(read_table(file), str(file)) for name, file in zip(names, files, strict=True)}
    rows = summarise(scores, arguments.paired_with)
    write_table(arguments.output, rows)
    log.info("mean ± standard deviation over videos\n%s", format_table(rows))
