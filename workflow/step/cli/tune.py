"""Search for settings of the sampler that suit validation videos, and write a configuration to overlay on others.

All trials sample the same videos with the same random numbers, so that they differ by their settings alone. What was
tried is kept: the same command goes on after a kill, and so does one with more trials.
"""

import argparse

from step.cli.files import add_outcome, add_truths
from step.cli.sample import add_problem, read_files
from step.tuning.validation import TuningSettings, tuning_settings

Settings = TuningSettings
select = tuning_settings


def modules(settings: TuningSettings) -> list[str]:
    """Return the modules that the stage imports by name."""
    return settings.sampling.modules


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files of the stage."""
    add_problem(parser)
    add_truths(parser)
    add_outcome(parser)


def run(arguments: argparse.Namespace, settings: TuningSettings) -> None:
    """Write the settings and the table; raises `InputError` unless all measurements are of validation videos."""
    from step.io.truths import pair_truths, read_truth
    from step.training.loop import StopRequest
    from step.tuning.outcome import check_validation
    from step.tuning.validation import sampling_key, searched_bounds, tune

    check_validation([*arguments.measurements, *arguments.truths])
    bounds = searched_bounds(settings)
    pairs = pair_truths(arguments.measurements, arguments.truths)
    truths = {path.stem: read_truth(true_path, path.stem) for path, true_path in pairs}
    problem = read_files(arguments, settings.sampling)
    files = [*arguments.measurements, *arguments.truths, *([arguments.optical_flow] if arguments.optical_flow else [])]
    key = sampling_key(settings, files, (arguments.autoencoder, arguments.denoiser))
    with StopRequest() as stop:
        tuned = tune(problem, truths, bounds, settings, arguments.state / f"{key}.journal", lambda: stop.requested)
    tuned.write(arguments.table, arguments.output)
