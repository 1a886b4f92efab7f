"""Arguments that name the files of several stages."""

import argparse
from collections.abc import Sequence
from pathlib import Path


def add_measurements(parser: argparse.ArgumentParser) -> None:
    """Declare `--measurements`, one file per video, whose name is the file's without its suffix."""
    parser.add_argument(
        "--measurements",
        required=True,
        type=Path,
        nargs="+",
        metavar="FILE",
        help="measurements, one HDF5 file per video, named after it",
    )


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
