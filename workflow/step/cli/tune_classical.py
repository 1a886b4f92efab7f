"""Search for settings of a classical reconstruction that suit validation videos, and write a configuration to overlay.

What was tried is kept: the same command goes on after a kill, and so does one with more trials.
"""

import argparse

from step.cli.files import add_measurements, add_outcome, add_truths
from step.tuning.classical import ClassicalTuningSettings, classical_tuning_settings

Settings = ClassicalTuningSettings
select = classical_tuning_settings


def modules(settings: ClassicalTuningSettings) -> list[str]:
    """Return the modules that the stage imports by name."""
    return settings.modules


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files of the stage."""
    add_measurements(parser)
    add_truths(parser)
    add_outcome(parser)


def run(arguments: argparse.Namespace, settings: ClassicalTuningSettings) -> None:
    """Write the settings and the table; raises `InputError` unless all measurements are of validation videos."""
    from step.io.truths import pair_truths
    from step.training.loop import StopRequest
    from step.tuning.classical import classical_key, tune_classical
    from step.tuning.outcome import check_validation

    files = [*arguments.measurements, *arguments.truths]
    check_validation(files)
    pairs = pair_truths(arguments.measurements, arguments.truths)
    state = arguments.state / f"{classical_key(settings, files)}.journal"
    with StopRequest() as stop:
        tuned = tune_classical(pairs, settings, state, lambda: stop.requested)
    tuned.write(arguments.table, arguments.output)
