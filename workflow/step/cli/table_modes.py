"""Write the table of the modes of a posterior beside the paper's (Table 5)."""

import argparse
from pathlib import Path

from step.cli.files import add_tables
from step.config.sections import Count, Fraction, NonNegative, Section
from step.config.study import Config


class Settings(Section):
    """When there are said to be several modes, for the table's notes."""

    max_modes: Count
    fewest_samples: Count
    evidence: NonNegative
    gap_level: Fraction
    least_stability: Fraction
    interval: Fraction


def select(config: Config) -> Settings:
    """Return the criterion of the study's modes."""
    return Settings(**{name: getattr(config.modes, name) for name in Settings.model_fields})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    parser.add_argument("--table", required=True, type=Path, metavar="CSV", help="the modes, one row each")
    parser.add_argument("--paper", required=True, type=Path, metavar="CSV", help="the paper's modes")
    add_tables(parser)


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write the table; raises `InputError` where a table lacks a column."""
    from step.io.tables import read_table
    from step.tables.document import write_document
    from step.tables.modes import check_modes, mode_document, read_paper_modes

    rows = read_table(arguments.table)
    check_modes(rows, str(arguments.table))
    paper = read_paper_modes(read_table(arguments.paper), str(arguments.paper))
    document = mode_document(rows, paper, say_criterion(settings), settings.interval)
    write_document(document, arguments.output)


def say_criterion(settings: Settings) -> str:
    """Return in words when there are several modes."""
    return (
        f"the Bayesian information criterion of a mixture of 2 to {settings.max_modes} Gaussians is the lowest, and "
        f"below that of one by {settings.evidence:g}; there is a gap between any two of them at the level "
        f"{settings.gap_level:g}; the stability is {settings.least_stability:g} or more; and each has "
        f"{settings.fewest_samples} samples or more"
    )
