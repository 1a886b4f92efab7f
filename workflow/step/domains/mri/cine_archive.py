"""Archives of magnitude cines, .npz files, 4D NIfTI files or DICOM series, as complex image sequences.

Whoever has images but no k-space can use these; each slice gets a smooth random phase that is constant over
time.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from step.domains.mri.cine_nifti import holds_frames, is_nifti
from step.domains.mri.cmrxrecon_tree import check_root
from step.domains.mri.dicom_files import is_dicom
from step.domains.mri.dicom_subjects import Owner, as_name, find_owners
from step.domains.mri.synthetic_phase import SeededPhase, sample_phase
from step.errors import InputError
from step.io.raw_files import is_excluded, walk_files

if TYPE_CHECKING:
    from step.io.sequences import RawSequence

logger = logging.getLogger(__name__)

DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
REMEDY = "drop it with data.mri.exclude"
WHERE_DATA = (
    "set data.mri.root to a folder of .npz files with `img` (slice, frame, y, x), of 4D NIfTI files or of DICOM series"
)


def find_archive(root: Path, exclude: Sequence[str]) -> dict[str, list[Path]]:
    """Return the files of each subject under `root`: each .npz is a subject, and so is each DICOM PatientID.

    A NIfTI file belongs to its folder, or is a subject where it lies in `root` itself. Of DICOM and NIfTI files only
    header fields are read; `dicom_subjects` says how the former's subjects are named. Files of no such kind, DICOM
    files without an image and NIfTI files without frames (labels, single phases) are counted in the log. Raises
    `InputError` where there is nothing to use, where a file cannot be read, and where two subjects would have one name.
    """
    check_root(root, WHERE_DATA)
    paths = [path for path in walk_files(root) if not is_excluded(path.relative_to(root).as_posix(), exclude)]
    npz = {path: _owner_of_npz(root, path) for path in paths if _is_npz(path)}
    nifti = [path for path in paths if is_nifti(path)]
    dicom = [path for path in paths if path not in npz and path not in nifti and is_dicom(path)]
    cines = {path: _owner_of_nifti(root, path) for path in nifti if holds_frames(path)}
    owners = npz | cines | find_owners(root, dicom)
    _report_unused(paths, {"DICOM without an image": dicom, "NIfTI without frames": nifti}, owners)
    if not owners:
        raise InputError(f"no .npz, 4D NIfTI or DICOM files under {root}; {WHERE_DATA}")
    return _files_by_name([(path, owners[path]) for path in paths if path in owners])


def read_subject(
    root: Path, subject: str, files: Sequence[Path], n_frames: int, phase: SeededPhase
) -> Iterator["RawSequence"]:
    """Yield the slices of `subject` as complex sequences (time, y, x), one in memory at a time.

    Raises `InputError` where a file cannot be read, has fewer than `n_frames` frames or values that are not
    finite.
    """
    from step.io.sequences import RawSequence

    for number, (path, magnitude) in enumerate(_read_slices(files)):
        _check_slice(magnitude, path, n_frames)
        source = f"{subject}-{number:02d}"
        rotation = np.exp(1j * sample_phase(phase, source, magnitude.shape[1:])).astype(np.complex64)
        file = path.relative_to(root).as_posix()
        yield RawSequence(source, subject, file, "cine", magnitude.astype(np.float32) * rotation)


def _read_slices(files: Sequence[Path]) -> Iterator[tuple[Path, np.ndarray]]:
    from step.domains.mri.cine_dicom import read_dicom_slices
    from step.domains.mri.cine_nifti import read_nifti_slices
    from step.domains.mri.cine_npz import read_npz_slices

    for path in filter(_is_npz, files):
        yield from ((path, magnitude) for magnitude in read_npz_slices(path))
    for path in filter(is_nifti, files):
        yield from ((path, magnitude) for magnitude in read_nifti_slices(path))
    yield from read_dicom_slices([path for path in files if not _is_npz(path) and not is_nifti(path)])


def _check_slice(magnitude: np.ndarray, path: Path, n_frames: int) -> None:
    if len(magnitude) < n_frames:
        raise InputError(f"cine has {len(magnitude)} frames, the study needs {n_frames}: {path}; {REMEDY}")
    if not np.isfinite(magnitude).all():
        raise InputError(f"cine has values that are not finite: {path}; {REMEDY}")


def _is_npz(path: Path) -> bool:
    return path.suffix.lower() == ".npz"


def _owner_of_npz(root: Path, path: Path) -> Owner:
    return Owner(as_name(path.relative_to(root).with_suffix("").as_posix()), f"file {path}")


def _owner_of_nifti(root: Path, path: Path) -> Owner:
    folder = path.parent
    if folder == root:
        return Owner(as_name(path.name.partition(".")[0]), f"file {path}")
    return Owner(as_name(folder.relative_to(root).as_posix()), f"folder {folder}")


def _report_unused(paths: Sequence[Path], kinds: Mapping[str, Sequence[Path]], owners: Mapping[Path, Owner]) -> None:
    """Log how many files of each of `kinds` and others are unused; raise `InputError` for DICOM by its name alone."""
    unused = {kind: [path for path in files if path not in owners] for kind, files in kinds.items()}
    others = sorted({*paths} - {*owners} - {path for files in unused.values() for path in files})
    for path in others:
        # Names with a dot in front are left by systems that copy files, not by scanners.
        if path.suffix.lower() in DICOM_SUFFIXES and not path.name.startswith("."):
            state = "is no DICOM file" if path.stat().st_size else "is empty"
            raise InputError(f"{path} {state} despite its name; copy it again, or {REMEDY}")
    for kind, files in {"neither .npz nor NIfTI nor DICOM": others, **unused}.items():
        if files:
            logger.info("files that are %s, left out: %d, such as %s", kind, len(files), files[0])


def _files_by_name(files: Iterable[tuple[Path, Owner]]) -> dict[str, list[Path]]:
    subjects: dict[str, list[Path]] = {}
    known: dict[str, str] = {}
    for path, owner in files:
        other = known.setdefault(owner.name, owner.known_by)
        if other != owner.known_by:
            raise InputError(
                f"{other} and {owner.known_by} would both be subject {owner.name}; rename one, or {REMEDY}"
            )
        subjects.setdefault(owner.name, []).append(path)
    return subjects
