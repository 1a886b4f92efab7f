"""Find the modes among the posterior samples of one measurement, simulated or real, and what tells them apart."""

import argparse
from pathlib import Path

from step.cli.files import add_reconstructions, add_truth
from step.config.settings import modules_of_measurement
from step.plugins import descriptor_name
from step.posterior.sample_modes import ModesSettings, modes_settings

Settings = ModesSettings
select = modes_settings


def modules(settings: ModesSettings) -> list[str]:
    """Return the modules that the stage imports by name: of the forward model, and of the descriptor."""
    return [*modules_of_measurement(settings), descriptor_name(settings.descriptor)]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files of the stage."""
    parser.add_argument("--measurement", type=Path, required=True, metavar="FILE", help="the measurement (.h5)")
    add_truth(parser, required=False)
    add_reconstructions(parser, "its posterior samples")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="the modes to write (.h5)")
    parser.add_argument("--table", type=Path, required=True, metavar="CSV", help="the modes, one row each")


def run(arguments: argparse.Namespace, settings: ModesSettings) -> None:
    """Write the modes and their table; raises `InputError` for samples that are not of the measurement, or too few."""
    from step.io.modes import write_modes
    from step.io.reconstructions import read_attributes, read_measurement, samples_of_video
    from step.io.tables import write_table
    from step.io.truths import read_truth
    from step.posterior.sample_modes import modes_of_samples

    name = arguments.measurement.stem
    sampled = samples_of_video(arguments.reconstructions, name)
    measurement = read_measurement(arguments.measurement)
    truth = None if arguments.truth is None else read_truth(arguments.truth, name)
    origin = read_attributes(arguments.reconstructions[0])
    attributes: dict[str, str] = {key: str(origin[key]) for key in ("task", "method") if key in origin}
    modes, rows = modes_of_samples(name, sampled, measurement, truth, settings, attributes, arguments.measurement)
    write_modes(arguments.output, modes)
    write_table(arguments.table, rows)
