"""Archives of magnitude cines, .npz files or DICOM series, as complex image sequences.

Whoever has images but no k-space can use these; each slice gets a smooth random phase that is constant over
time.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from step.errors import InputError
from step.ingest.cmrxrecon_tree import check_root, is_excluded, walk_files
from step.ingest.synthetic_phase import SeededPhase, draw_phase

if TYPE_CHECKING:
    from step.io.sequences import RawSequence

REMEDY = "drop it with data.mri.exclude"
WHERE_DATA = "set data.mri.root to a folder of .npz files with `img` (slice, frame, y, x) or of DICOM series"


def find_archive(root: Path, exclude: Sequence[str]) -> dict[str, list[Path]]:
    """Return the files of each subject under `root`: each .npz is a subject, and so is each DICOM PatientID.

    Of DICOM files only the first header fields are read. Raises `InputError` where there is nothing to use.
    """
    from step.ingest.cine_dicom import is_dicom, read_patient_id

    check_root(root, WHERE_DATA)
    subjects: dict[str, list[Path]] = {}
    for path in walk_files(root):
        file = path.relative_to(root)
        if is_excluded(file.as_posix(), exclude):
            continue
        if path.suffix.lower() == ".npz":
            subjects.setdefault(_as_name(file.with_suffix("").as_posix()), []).append(path)
        elif is_dicom(path):
            subjects.setdefault(_as_name(read_patient_id(path)), []).append(path)
    if not subjects:
        raise InputError(f"no .npz or DICOM files under {root}; {WHERE_DATA}")
    return subjects


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
        rotation = np.exp(1j * draw_phase(phase, source, magnitude.shape[1:])).astype(np.complex64)
        file = path.relative_to(root).as_posix()
        yield RawSequence(source, subject, file, "cine", magnitude.astype(np.float32) * rotation)


def _read_slices(files: Sequence[Path]) -> Iterator[tuple[Path, np.ndarray]]:
    from step.ingest.cine_dicom import read_dicom_slices
    from step.ingest.cine_npz import read_npz_slices

    dicom = [path for path in files if path.suffix.lower() != ".npz"]
    for path in files:
        if path not in dicom:
            yield from ((path, magnitude) for magnitude in read_npz_slices(path))
    yield from read_dicom_slices(dicom)


def _check_slice(magnitude: np.ndarray, path: Path, n_frames: int) -> None:
    if len(magnitude) < n_frames:
        raise InputError(f"cine has {len(magnitude)} frames, the study needs {n_frames}: {path}; {REMEDY}")
    if not np.isfinite(magnitude).all():
        raise InputError(f"cine has values that are not finite: {path}; {REMEDY}")


def _as_name(text: str) -> str:
    # Names become parts of files, HDF5 groups and command lines.
    return re.sub(r"[^A-Za-z0-9_.]+", "-", text).strip("-.") or "unnamed"
