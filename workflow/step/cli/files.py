"""Arguments that name the files of several stages."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from step.errors import InputError


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


def pair_truths(measurements: Sequence[Path], truths: Sequence[Path]) -> list[tuple[Path, Path]]:
    """Return each measurement with the truth of the same name; raises `InputError` for one without."""
    truth_of = {path.stem: path for path in truths}
    for path in measurements:
        if path.stem not in truth_of:
            raise InputError(f"{path} has no truth among those of {', '.join(truth_of)}; give its file with --truths")
    return [(path, truth_of[path.stem]) for path in measurements]


def add_reconstructions(parser: argparse.ArgumentParser, what: str) -> None:
    """Declare `--reconstructions`, one file or several; `what` says in the help of what they are."""
    parser.add_argument("--reconstructions", required=True, type=Path, nargs="+", metavar="FILE", help=f"{what}, HDF5")


def add_weights(parser: argparse.ArgumentParser, network: str) -> None:
    """Declare `--weights` of the learned `network`, and `--checksums`, the table that they are compared with."""
    parser.add_argument("--weights", required=True, type=Path, metavar="FILE", help=f"the weights of {network}")
    parser.add_argument("--checksums", required=True, type=Path, metavar="CSV", help="table of the known files")


def add_benchmarks(parser: argparse.ArgumentParser) -> None:
    """Declare `--benchmarks`, the tables that the bench stage wrote."""
    parser.add_argument(
        "--benchmarks", required=True, type=Path, nargs="+", metavar="CSV", help="tables of benchmarks, in their order"
    )


def add_methods(parser: argparse.ArgumentParser) -> None:
    """Declare `--method NAME FILE...`, given once per method; `arguments.methods` maps names to files."""
    parser.add_argument(
        "--method",
        required=True,
        dest="methods",
        action=_FilesByName,
        nargs="+",
        metavar=("NAME", "FILE"),
        help="a method and the files of its reconstructions; once per method, in the order of the columns",
    )


def add_pictures(parser: argparse.ArgumentParser) -> None:
    """Declare `--output`, one file per format."""
    parser.add_argument(
        "--output",
        required=True,
        type=Path,
        nargs="+",
        metavar="FILE",
        help="the picture; the suffix (.png, .pdf, .svg) names the format",
    )


def add_tables(parser: argparse.ArgumentParser) -> None:
    """Declare `--output`, one file per format of a table."""
    parser.add_argument(
        "--output",
        required=True,
        type=Path,
        nargs="+",
        metavar="FILE",
        help="the table; the suffix names the format: .md, .tex and .html to read, .csv with one value a row",
    )


class _FilesByName(argparse.Action):
    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Sequence[str],
        option_string: str | None = None,
    ) -> None:
        name, *files = values
        methods = getattr(namespace, self.dest) or {}
        if not files or name in methods:
            raise argparse.ArgumentError(self, f"{name} needs at least one file, and is given once")
        setattr(namespace, self.dest, {**methods, name: [Path(file) for file in files]})
