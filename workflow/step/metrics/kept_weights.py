"""The weights of a network that others trained: fetched, checked, and kept as safetensors."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from step.config.metrics import Network
from step.errors import InputError

if TYPE_CHECKING:
    from step.io.learned_weights import KnownWeights

log = logging.getLogger(__name__)

REMEDY = "for another try run `snakemake --forcerun fetch_weights`"


def keep_weights(network: Network, source: str | None, checksums: Path, output: Path) -> None:
    """Write the weights of `network` to `output`, safetensors, or why there are none.

    `source` is a file, or ``fetch``; None leaves them out. `checksums` is the table of the known files. Raises
    `InputError` for a file that is not the known one.
    """
    from step.io.learned_weights import read_known_weights, sha256, write_missing
    from step.io.original_weights import DownloadFailed

    known = read_known_weights(checksums, network)
    if source is None:
        log.info("weights.%s is null: what needs them is left out", network)
        write_missing(output, f"weights.{network} is null")
        return
    try:
        _keep(output, network, source, known)
    except DownloadFailed as error:
        reason = f"{known.source} could not be fetched: {error}; {REMEDY}"
        log.warning("no weights of %s: %s", network, reason)
        write_missing(output, reason)
        return
    kept = sha256(output)
    if not kept.startswith(known.converted_sha256):
        output.unlink()
        raise InputError(
            f"{known.source} was kept as a file with SHA-256 {kept}, {checksums} has "
            f"{known.converted_sha256}; correct `converted_sha256` if the conversion was meant to change"
        )
    log.info("%s: %.1f MB, SHA-256 %s", output, output.stat().st_size / 1e6, kept)


def _keep(output: Path, network: Network, source: str, known: "KnownWeights") -> None:
    """Write the converted weights of the file that is given, or fetched to a folder that does not stay."""
    import tempfile

    from step.io.learned_weights import sha256, write_learned_weights
    from step.io.original_weights import fetch_original, original_of, read_original
    from step.metrics.conversion import convert

    with tempfile.TemporaryDirectory() as folder:
        if source == "fetch":
            original = fetch_original(known, Path(folder))
        else:
            original = original_of(Path(source), known, Path(folder))
        metadata = {"source": known.source, "sha256": sha256(original)}
        write_learned_weights(output, convert(network, read_original(original, known)), metadata)
