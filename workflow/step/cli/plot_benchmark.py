"""Draw what the sampler costs: where a step's time goes, and how time and memory grow."""

import argparse

from step.cli.files import add_benchmarks, add_pictures
from step.config.sections import Section
from step.config.study import Config


class Settings(Section):
    """The picture uses nothing of the configuration."""


def select(config: Config) -> Settings:
    """Return the part of `config` that the picture uses: nothing."""
    return Settings()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    add_benchmarks(parser)
    add_pictures(parser)


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write the picture; its numbers are the tables'."""
    from step.figures.benchmark import draw_benchmarks, read_benchmark
    from step.figures.style import save_figure
    from step.io.tables import read_table

    benchmarks = [read_benchmark(read_table(path), str(path)) for path in arguments.benchmarks]
    save_figure(draw_benchmarks(benchmarks), arguments.output)
