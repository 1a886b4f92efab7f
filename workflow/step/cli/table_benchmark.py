"""Write the table of what the sampler costs, of all sizes and tasks."""

import argparse

from step.cli.files import add_benchmarks, add_tables
from step.config.sections import Section
from step.config.study import Config


class Settings(Section):
    """The table uses nothing of the configuration."""


def select(config: Config) -> Settings:
    """Return the part of `config` that the table uses: nothing."""
    return Settings()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    add_benchmarks(parser)
    add_tables(parser)


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write the table; as CSV it has the rows of all benchmarks."""
    from step.figures.benchmark import read_benchmark
    from step.io.tables import read_table
    from step.tables.benchmark import benchmark_document
    from step.tables.document import write_document

    tables = {path: read_table(path) for path in arguments.benchmarks}
    benchmarks = [read_benchmark(rows, str(path)) for path, rows in tables.items()]
    document = benchmark_document(benchmarks, [row for rows in tables.values() for row in rows])
    write_document(document, arguments.output)
