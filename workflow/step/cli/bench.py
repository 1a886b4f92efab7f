"""Measure what the sampler costs, in time and memory, with untrained networks and the measurement of a random video."""

import argparse
from pathlib import Path

from step.benchmark.task_costs import BenchmarkSettings, benchmark_settings
from step.config.settings import modules_of_measurement
from step.plugins import architecture_name, noise_source_name

Settings = BenchmarkSettings
select = benchmark_settings


def modules(settings: BenchmarkSettings) -> list[str]:
    """Return the modules that the stage imports by name: of forward model, noise and denoiser."""
    by_name = [noise_source_name(settings.method.noise.source), architecture_name(settings.denoiser.architecture)]
    return [*modules_of_measurement(settings), *by_name]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files of the stage."""
    parser.add_argument(
        "--output", type=Path, required=True, metavar="CSV", help="the table to write, one quantity a row"
    )


def run(arguments: argparse.Namespace, settings: BenchmarkSettings) -> None:
    """Write the table; raises `InputError` where the memory does not suffice."""
    import torch

    from step.benchmark.task_costs import costs_of_task
    from step.figures.run_summary import machine
    from step.io.tables import write_table
    from step.models.untrained import untrained_prior

    costs = costs_of_task(settings, untrained_prior)
    on = machine()
    gpu = torch.cuda.is_available()
    facts = {
        "device": on["GPU"] if gpu else on["processor"],
        "threads": torch.get_num_threads(),
        "torch": on["torch"],
    }
    of = {"size": settings.size, "task": settings.task, "frames": settings.frames, "side": settings.resolution}
    rows = [of | vars(cost) | {"extrapolated": str(cost.extrapolated).lower()} | facts for cost in costs]
    write_table(arguments.output, rows)
