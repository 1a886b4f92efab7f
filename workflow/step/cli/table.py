"""Write one table from files: `python -m step table TABLE`, a module of `step.tables` or any other by its name."""

import argparse
from types import ModuleType

from step.cli.options import add_file_arguments, read_files
from step.config.sections import Section

FUNCTION = "tabulate"
"""What a module offers that is a table."""


def add_arguments(parser: argparse.ArgumentParser, table: ModuleType) -> None:
    """Declare the files of `table`."""
    add_file_arguments(parser, table.Files)


def run(arguments: argparse.Namespace, settings: Section, table: ModuleType) -> None:
    """Write `table`."""
    table.tabulate(read_files(arguments, table.Files), settings)
