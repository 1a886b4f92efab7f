"""Which files of a CMRxRecon download, 2023 to 2025, belong to which patient.

Only names are looked at, no file is opened: the workflow asks for the patients each time it is planned.
Downloads differ in case and folders (``ChallegeData``, ``cine``, a doubled ``SingleCoil/SingleCoil``), so
files are recognised by their own name and by the folders above them, wherever these lie.
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from step.domains.mri.dicom_subjects import as_name
from step.errors import InputError
from step.io.raw_files import is_excluded, walk_files

logger = logging.getLogger(__name__)

SETS = {name.lower(): name for name in ("TrainingSet", "ValidationSet", "TestSet")}
FILE_NAME = re.compile(r"cine_(sax|lax)\.mat", re.IGNORECASE)
PATIENT_FOLDER = re.compile(r"P(\d+)", re.IGNORECASE)
COIL_PREFERENCE = ("singlecoil", "", "multicoil")
"""Folder names, the preferred one first: a combined coil needs no maps; "" is a tree that does not say."""

WHERE_DATA = (
    "set data.mri.root to a CMRxRecon 2023 download (https://cmrxrecon.github.io, needs a signed form), "
    "or data.mri.source to simulation"
)


@dataclass(frozen=True)
class RawFile:
    """One fully sampled file of one patient."""

    path: Path
    file: str  # `path` relative to the root
    subject: str  # e.g. TrainingSet-P001
    view: str  # sax or lax
    coils: str  # singlecoil, multicoil or "" where no folder says


def find_raw_files(root: Path, exclude: Sequence[str], views: Sequence[str]) -> list[RawFile]:
    """Return the fully sampled files of `views` under `root`, one per patient and view, ordered by patient.

    `exclude` holds glob patterns; one matches the end of a path (``P017/cine_lax.mat``) or all of it below
    `root`. Raises `InputError` where `root` is missing or holds no such file.
    """
    check_root(root, WHERE_DATA)
    found = [raw for path in walk_files(root) if (raw := _recognise(root, path)) and raw.view in views]
    kept = [raw for raw in found if not is_excluded(raw.file, exclude)]
    if not kept:
        left_out = f", {len(found)} left out by data.mri.exclude" if found else ""
        names = " or ".join(f"cine_{view}.mat" for view in views)
        raise InputError(f"no FullSample/P*/{names} under {root}{left_out}; {WHERE_DATA}")
    return _one_per_view(kept)


def subject_name(set_name: str, number: int) -> str:
    """Return the name of patient `number` of a set, e.g. ``TrainingSet-P001``."""
    return "-".join(filter(None, (set_name, f"P{number:03d}")))


def check_root(root: Path, remedy: str) -> None:
    """Raise `InputError` where the folder of raw files is missing."""
    if not root.is_dir():
        raise InputError(f"no folder {root} (data.mri.root); {remedy}")


def _recognise(root: Path, path: Path) -> RawFile | None:
    name = FILE_NAME.fullmatch(path.name)
    patient = PATIENT_FOLDER.fullmatch(path.parent.name)
    # The root may itself lie inside the tree, so the folders above it count too.
    folders = [part.lower() for part in path.absolute().parent.parts]
    if not name or not patient or "fullsample" not in folders:
        return None
    set_name = next((SETS[part] for part in reversed(folders) if part in SETS), "")
    coils = next((part for part in reversed(folders) if part in ("singlecoil", "multicoil")), "")
    # The challenge of 2025 counts patients anew in the folder of each centre and scanner.
    within = path.absolute().parent.parts[len(folders) - folders[::-1].index("fullsample") : -1]
    subject = "-".join(filter(None, (set_name, *map(as_name, within), subject_name("", int(patient[1])))))
    return RawFile(path, path.relative_to(root).as_posix(), subject, name[1].lower(), coils)


def _one_per_view(files: Sequence[RawFile]) -> list[RawFile]:
    best: dict[tuple[str, str], RawFile] = {}
    for raw in sorted(files, key=lambda raw: (COIL_PREFERENCE.index(raw.coils), raw.file)):
        chosen = best.setdefault((raw.subject, raw.view), raw)
        if chosen is not raw:
            logger.info("%s %s: using %s, not %s", raw.subject, raw.view, chosen.file, raw.file)
    return sorted(best.values(), key=lambda raw: (raw.subject, raw.view == "lax"))
