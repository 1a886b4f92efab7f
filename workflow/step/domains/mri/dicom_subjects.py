"""Whose images DICOM files are: by PatientID, or by folder where it is empty."""

import hashlib
import logging
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from step.domains.mri.dicom_files import read_header, read_text

if TYPE_CHECKING:
    from pydicom import FileDataset

logger = logging.getLogger(__name__)

TAGS = ("SOPClassUID", "PatientID", "StudyInstanceUID", "Rows")
DIGEST_CHARACTERS = 8


@dataclass(frozen=True)
class Owner:
    """Whose a file is."""

    name: str  # of the subject; a part of file names, HDF5 groups and command lines
    known_by: str  # what the file says, in words


def find_owners(root: Path, paths: Iterable[Path]) -> dict[Path, Owner]:
    """Return the owner of each of the DICOM files `paths`; files without an image (DICOMDIR, reports) have none.

    An id that is not a name as it stands gets a digest of itself ("STUDY 1" and "STUDY#1" are two people). Images
    without PatientID belong to their folder, or to the one that holds all such images of their study. Raises
    `InputError` for files that cannot be read.
    """
    owners: dict[Path, Owner] = {}
    anonymous: dict[Path, str] = {}
    for path in paths:
        header = read_header(path, TAGS)
        if not _holds_image(header, path):
            continue
        if patient := read_text(header, "PatientID", path):
            owners[path] = Owner(name_of_id(patient), f"PatientID {patient!r}")
        else:
            anonymous[path] = read_text(header, "StudyInstanceUID", path)
    return owners | _owners_by_folder(root, anonymous)


def name_of_id(patient: str) -> str:
    """Return the subject's name for a PatientID, another for each id, whatever other ids there are."""
    name = as_name(patient)
    if name == patient:
        return name
    return f"{name}-{hashlib.sha256(patient.encode()).hexdigest()[:DIGEST_CHARACTERS]}"


def as_name(text: str) -> str:
    """Return `text` with what is no letter, digit, underscore or dot replaced."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", text).strip("-.") or "unnamed"


def _holds_image(header: "FileDataset", path: Path) -> bool:
    from pydicom.uid import UID

    if "Rows" in header:
        return True
    kind = read_text(header, "SOPClassUID", path) or read_text(header.file_meta, "MediaStorageSOPClassUID", path)
    # A file that does not say what it is may be an image that was cut short, and shall not be lost in silence.
    return not kind or "Image Storage" in UID(kind).name


def _owners_by_folder(root: Path, studies: Mapping[Path, str]) -> dict[Path, Owner]:
    together: dict[str | Path, list[Path]] = defaultdict(list)
    for path, study in studies.items():
        together[study or path.parent].append(path)
    owners = {}
    for paths in together.values():
        folder = Path(os.path.commonpath([path.parent for path in paths]))
        inside = folder.relative_to(root).as_posix()
        name = as_name(root.resolve().name if inside == "." else inside)
        owners.update(dict.fromkeys(paths, Owner(name, f"folder {folder}")))
    if owners:
        names = ", ".join(sorted({owner.name for owner in owners.values()}))
        logger.info("DICOM files without PatientID: %d; their folders are the subjects: %s", len(owners), names)
    return owners
