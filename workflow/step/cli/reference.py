"""Reconstruct videos without a diffusion prior, for the reference rows of the table.

`zero_filled` and `dirty` are the forward model's backprojection, the modules of `step.classical` and yours are
classical reconstructions. `static` and `vae` know the truth: they are its time average, repeated, and its passage
through the autoencoder, and show what a method without motion, and a method with these latents, can score at best.
"""

import argparse
from pathlib import Path

from step.cli.files import add_measurements, add_truths
from step.config.settings import dump_settings
from step.errors import InputError
from step.references import ReferenceSettings, reference_settings

Settings = ReferenceSettings
select = reference_settings


def modules(settings: ReferenceSettings) -> list[str]:
    """Return the modules that the stage imports by name."""
    return settings.modules


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    add_measurements(parser, required=False)
    add_truths(parser, required=False)
    parser.add_argument("--prior", type=Path, metavar="FOLDER", help="trained autoencoder; vae only")
    parser.add_argument(
        "--output", required=True, type=Path, metavar="FILE", help="reconstructions of all the videos, HDF5"
    )


def run(arguments: argparse.Namespace, settings: ReferenceSettings) -> None:
    """Write the reference reconstruction of each video; raises `InputError` where the files lack that it is of."""
    from step.io.reconstructions import write_reconstructions
    from step.references import reconstruct_files

    measures = settings.measurement is not None
    option, files = ("--measurements", arguments.measurements) if measures else ("--truths", arguments.truths)
    if not files:
        raise InputError(f"reference {settings.reference} is made of the files of {option}; give them")
    reconstructions = reconstruct_files(files, arguments.prior, settings)
    attributes = {"method": settings.reference, "settings": dump_settings(settings)}
    write_reconstructions(arguments.output, reconstructions, attributes)
