"""Weights of networks that others trained: which files are known, and the safetensors file that is kept of each.

The kept file is the same on every machine, byte for byte, so that its SHA-256 can be checked before each use.
Where weights cannot be obtained, a file without tensors says why.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from step.errors import InputError
from step.io.atomic import whole_file
from step.io.tables import read_table

REMEDY = "delete it and run `snakemake weights`"


@dataclass(frozen=True)
class KnownWeights:
    """One row of the table of known files; SHA-256 in hexadecimal digits, the first ones or all, '' if unknown."""

    network: str
    package: str
    version: str
    archive: str  # file name of the package's archive
    archive_sha256: str
    member: str  # the file with the weights, below the archive's only folder
    member_sha256: str
    converted_sha256: str  # of the file that is kept
    licence: str

    @property
    def source(self) -> str:
        """Where the weights are from, in words."""
        return f"{f'{self.package} {self.version}'.strip()}, {self.member}"


@dataclass(frozen=True)
class LearnedWeights:
    """The weights of one network, or why there are none."""

    tensors: Mapping[str, torch.Tensor]  # float32; empty where missing
    description: str  # network, source, first digits of the original's SHA-256; '' where missing
    missing: str  # the reason; '' where there are weights


def read_known_weights(checksums: Path, network: str) -> KnownWeights:
    """Return the row of `network` in the table `checksums`; raises `InputError` where it has none."""
    rows = read_table(checksums)
    columns = list(KnownWeights.__dataclass_fields__)
    if rows and set(columns) - rows[0].keys():
        missing = sorted(set(columns) - rows[0].keys())
        raise InputError(f"{checksums} has no column {missing[0]}; it has {list(rows[0])}: add it")
    known = {row["network"]: KnownWeights(**{column: row[column] for column in columns}) for row in rows}
    if network not in known:
        raise InputError(
            f"{checksums} has no row {network}; it has {list(known)}: add it, or set weights.{network}: null"
        )
    return known[network]


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_learned_weights(path: Path, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Write `tensors`, as float32, and `metadata` as safetensors: equal arguments give equal bytes.

    The file is laid out here, by names in their order: the format's own library shuffles the metadata.
    """
    arrays = {name: np.ascontiguousarray(tensors[name], dtype="<f4") for name in sorted(tensors)}
    header: dict[str, object] = {"__metadata__": dict(sorted(metadata.items()))}
    end = 0
    for name, array in arrays.items():
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [end, end + array.nbytes]}
        end += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the data starts at a multiple of 8 bytes
    with whole_file(path) as part, part.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for array in arrays.values():
            file.write(array.tobytes())


def write_missing(path: Path, reason: str) -> None:
    """Write the file that says, in one line, why there are no weights."""
    write_learned_weights(path, {}, {"missing": reason})


def read_learned_weights(path: Path, network: str, checksums: Path) -> LearnedWeights:
    """Return the weights of `network` in `path`, checked against the table `checksums`, or why there are none.

    Raises `InputError` where the file is gone, or its SHA-256 is not the one in the table.
    """
    expected = read_known_weights(checksums, network).converted_sha256
    if not path.is_file():
        hashed = f" with SHA-256 {expected}" if expected else ""
        raise InputError(f"no file {path}, the weights of {network}{hashed}; run `snakemake weights`")
    actual = sha256(path)
    tensors, metadata = _read_safetensors(path, actual, expected)
    if not tensors and metadata.get("missing"):
        return LearnedWeights({}, "", metadata["missing"])
    if not actual.startswith(expected):
        raise _wrong_file(path, actual, expected)
    description = f"{network}: {metadata.get('source')}, SHA-256 {metadata.get('sha256', '')[:8]}"
    return LearnedWeights(tensors, description, "")


def _read_safetensors(path: Path, actual: str, expected: str) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError):
        raise _wrong_file(path, actual, expected) from None


def _wrong_file(path: Path, actual: str, expected: str) -> InputError:
    wanted = f"it must be {expected}" if expected else "and cannot be read"
    return InputError(f"{path} is damaged: its SHA-256 is {actual}, {wanted}; {REMEDY}")
