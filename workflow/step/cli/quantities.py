"""Say what posterior samples mean in the words of their subject: how large a ring is, what part of blood is ejected.

Each quantity of a descriptor has its mean, its deviation and a central interval over the samples of each video; where
the true video is known, the same is measured in it, and the table says whether it lies inside.
"""

import argparse
from pathlib import Path

from step.cli.files import add_recalibration, add_reconstructions, add_truths
from step.plugins import descriptor_name
from step.posterior.quantities import QuantitiesSettings, quantities_settings

Settings = QuantitiesSettings
select = quantities_settings


def modules(settings: QuantitiesSettings) -> list[str]:
    """Return the module that the stage imports by name, the descriptor."""
    return [descriptor_name(settings.descriptor)]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files of the stage."""
    add_reconstructions(parser, "posterior samples; those of one video may be in several files")
    add_truths(parser, required=False)
    add_recalibration(parser)
    parser.add_argument("--output", type=Path, required=True, metavar="CSV", help="one row per video and quantity")
    parser.add_argument(
        "--samples", type=Path, required=True, metavar="CSV", help="the value of each sample, one a row"
    )


def run(arguments: argparse.Namespace, settings: QuantitiesSettings) -> None:
    """Write both tables; raises `InputError` where truths and samples do not fit together."""
    from step.io.tables import write_table
    from step.posterior.quantities import COLUMNS, COLUMNS_OF_SAMPLES, quantities_of_files
    from step.posterior.recalibration import read_factors

    factors = read_factors(arguments.recalibration) if arguments.recalibration else None
    rows, samples = quantities_of_files(arguments.reconstructions, arguments.truths or [], settings, factors)
    write_table(arguments.output, rows, COLUMNS)
    write_table(arguments.samples, samples, COLUMNS_OF_SAMPLES)
