"""Fetch the weights of a network that others trained, check them, and keep them as safetensors.

Where they cannot be had the file that is kept says why, and what needs them is left out. A file that is not
the known one is an error.
"""

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from step.config.metrics import Network
from step.config.sections import Section
from step.config.study import Config
from step.errors import InputError

if TYPE_CHECKING:
    from step.io.learned_weights import KnownWeights

log = logging.getLogger(__name__)

REMEDY = "for another try run `snakemake --forcerun fetch_weights`"


class Settings(Section):
    """What fetching uses of the configuration."""

    network: Network
    source: str | None  # a file, or `fetch`, or null


def select(config: Config, network: str) -> Settings:
    """Return the part of `config` that fetching the weights of `network` uses."""
    source = getattr(config.weights, network)
    return Settings(network=network, source=None if source is None else str(source))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    parser.add_argument("--checksums", required=True, type=Path, metavar="CSV", help="table of the known files")
    parser.add_argument("--output", required=True, type=Path, metavar="FILE", help="the weights, safetensors")


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write the weights, or why there are none; raises `InputError` for a file that is not the known one."""
    from step.io.learned_weights import read_known_weights, sha256, write_missing
    from step.io.original_weights import DownloadFailed

    known = read_known_weights(arguments.checksums, settings.network)
    if settings.source is None:
        log.info("weights.%s is null: what needs them is left out", settings.network)
        write_missing(arguments.output, f"weights.{settings.network} is null")
        return
    try:
        _keep(arguments.output, settings, known)
    except DownloadFailed as error:
        reason = f"{known.source} could not be fetched: {error}; {REMEDY}"
        log.warning("no weights of %s: %s", settings.network, reason)
        write_missing(arguments.output, reason)
        return
    kept = sha256(arguments.output)
    if not kept.startswith(known.converted_sha256):
        arguments.output.unlink()
        raise InputError(
            f"{known.source} was kept as a file with SHA-256 {kept}, {arguments.checksums} has "
            f"{known.converted_sha256}; correct `converted_sha256` if the conversion was meant to change"
        )
    log.info("%s: %.1f MB, SHA-256 %s", arguments.output, arguments.output.stat().st_size / 1e6, kept)


def _keep(output: Path, settings: Settings, known: "KnownWeights") -> None:
    """Write the converted weights of the file that is given, or fetched to a folder that does not stay."""
    import tempfile

    from step.io.learned_weights import sha256, write_learned_weights
    from step.io.original_weights import fetch_original, original_of, read_original
    from step.metrics.conversion import convert

    with tempfile.TemporaryDirectory() as folder:
        if settings.source == "fetch":
            original = fetch_original(known, Path(folder))
        else:
            original = original_of(Path(settings.source), known, Path(folder))
        metadata = {"source": known.source, "sha256": sha256(original)}
        write_learned_weights(output, convert(settings.network, read_original(original, known)), metadata)
