"""Plot one figure from files: `python -m step plot FIGURE`, a module of `step.figures` or any other by its name."""

import argparse
from types import ModuleType

from step.cli.options import add_file_arguments, read_files
from step.config.sections import Section

FUNCTION = "plot"
"""What a module offers that is a figure."""


def add_arguments(parser: argparse.ArgumentParser, figure: ModuleType) -> None:
    """Declare the files of `figure`."""
    add_file_arguments(parser, figure.Files)


def run(arguments: argparse.Namespace, settings: Section, figure: ModuleType) -> None:
    """Plot `figure`."""
    figure.plot(read_files(arguments, figure.Files), settings)
