"""Files of visibilities of any format that is read, and several of them as one."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from step.config.observations import Polarisation
from step.errors import InputError
from step.observations.recorded import Recorded, keep_measurements
from step.observations.sources import plain
from step.observations.uvfits import read_uvfits
from step.observations.visibility_tables import read_visibility_table

log = logging.getLogger(__name__)

UVFITS, TABLES = (".uvfits", ".uvp"), (".csv", ".txt")
"""Suffixes of the formats, in whatever case."""


def read_files(files: Sequence[Path], polarisation: Polarisation) -> Recorded:
    """Return the measurements of `files` as one record, whose day is the first file's and frequency their mean.

    They are bands, or parts of a night, of one source: the hours of a later day go on after 24. Sites are in the order
    of the first file that has them. Raises `InputError` where one cannot be read or is of another source.
    """
    records = [keep_measurements(_read_file(file, polarisation), file) for file in files]
    first = records[0]
    for file, record in zip(files, records, strict=True):
        if plain(record.source) != plain(first.source):
            raise InputError(
                f"{file} is of {record.source or 'no named source'}, {files[0]} of {first.source or 'none'}; join "
                "files of one source"
            )
    if len(records) == 1:
        return first
    values: dict[str, Any] = {
        name: np.concatenate([getattr(record, name) for record in records]) if isinstance(value, np.ndarray) else value
        for name, value in vars(first).items()
    }
    values["time_h"] = np.concatenate([record.time_h + 24.0 * (record.mjd - first.mjd) for record in records])
    values["frequency_hz"] = float(np.mean([record.frequency_hz for record in records]))
    values["sites"] = tuple(dict.fromkeys(site for record in records for site in record.sites))
    log.info("%s: %d visibilities joined", ", ".join(map(str, files)), len(values["time_h"]))
    return Recorded(**values)


def _read_file(file: Path, polarisation: Polarisation) -> Recorded:
    if not file.is_file():
        raise InputError(f"no file {file}; give the observation's data.file an existing one")
    suffix = file.suffix.lower()
    if suffix in UVFITS:
        return read_uvfits(file, polarisation)
    if suffix not in TABLES:
        raise InputError(f"{file} is none of {', '.join(UVFITS + TABLES)}; convert it, eht-imaging writes uvfits")
    if polarisation != "I":
        raise InputError(f"{file} is a table of Stokes I; set data.polarisation to I, or give the uvfits file")
    return read_visibility_table(file)
