"""Arguments that name the files of several stages."""

import argparse
from pathlib import Path


def add_measurements(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """Declare `--measurements`, one file per video, whose name is the file's without its suffix."""
    parser.add_argument(
        "--measurements",
        required=required,
        type=Path,
        nargs="+",
        metavar="FILE",
        help="measurements, one HDF5 file per video, named after it",
    )


def add_truths(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """Declare `--truths`, one file per video, whose name is the file's without its suffix."""
    parser.add_argument(
        "--truths",
        required=required,
        type=Path,
        nargs="+",
        metavar="FILE",
        help="true videos, one HDF5 file per video, named after it",
    )


def add_truth(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """Declare `--truth`, the true video of one measurement."""
    parser.add_argument("--truth", required=required, type=Path, metavar="FILE", help="the true video, HDF5")


def add_reconstructions(parser: argparse.ArgumentParser, what: str) -> None:
    """Declare `--reconstructions`, one file or several; `what` says in the help of what they are."""
    parser.add_argument("--reconstructions", required=True, type=Path, nargs="+", metavar="FILE", help=f"{what}, HDF5")


def add_weights(parser: argparse.ArgumentParser, network: str) -> None:
    """Declare `--weights` of the learned `network`, and `--checksums`, the table that they are compared with."""
    parser.add_argument("--weights", required=True, type=Path, metavar="FILE", help=f"the weights of {network}")
    parser.add_argument("--checksums", required=True, type=Path, metavar="CSV", help="table of the known files")


def add_outcome(parser: argparse.ArgumentParser) -> None:
    """Declare what a search writes."""
    parser.add_argument("--state", type=Path, required=True, metavar="DIR", help="folder of what was tried, for later")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="YAML", help="the best settings, to overlay on the study's"
    )
    parser.add_argument("--table", type=Path, required=True, metavar="CSV", help="what was tried, one row per trial")


def add_recalibration(parser: argparse.ArgumentParser) -> None:
    """Declare the table of factors by which spreads are multiplied."""
    parser.add_argument(
        "--recalibration",
        type=Path,
        metavar="CSV",
        help="factors, of the stage recalibrate, by which spreads and intervals are multiplied; left out, they are not",
    )
