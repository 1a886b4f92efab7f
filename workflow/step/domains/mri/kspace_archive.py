"""Archives of fully sampled k-space in any format that is read, as complex image sequences."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from step.domains.mri.cmrxrecon_tree import check_root
from step.domains.mri.dicom_subjects import as_name
from step.errors import InputError
from step.io.raw_files import is_excluded, walk_files

if TYPE_CHECKING:
    import numpy as np

    from step.io.kspace.recording import KspaceSlice
    from step.io.sequences import RawSequence

logger = logging.getLogger(__name__)

SUFFIXES = (".h5", ".mat", ".cfl", ".npz")
"""Of files of k-space; BART's are named by their data, the headers lie next to them."""

REMEDY = "drop it with data.mri.exclude"
WHERE_DATA = (
    "set data.mri.root to a folder of fully sampled k-space: ISMRMRD (.h5), MATLAB (.mat), BART (.cfl, .hdr) or numpy "
    "(.npz)"
)


def find_archive(root: Path, exclude: Sequence[str]) -> dict[str, list[Path]]:
    """Return the files of each subject under `root`: those in one folder, or each in `root` itself.

    No file is opened. What has another suffix is counted in the log. Raises `InputError` where there is nothing to use,
    and where two subjects would have one name.
    """
    check_root(root, WHERE_DATA)
    paths = [path for path in walk_files(root) if not is_excluded(path.relative_to(root).as_posix(), exclude)]
    subjects: dict[str, list[Path]] = {}
    known: dict[str, Path] = {}
    for path in paths:
        if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
            continue
        whose = path.with_suffix("") if path.parent == root else path.parent
        name = as_name(whose.relative_to(root).as_posix())
        if known.setdefault(name, whose) != whose:
            raise InputError(f"{known[name]} and {whose} would both be subject {name}; rename one, or {REMEDY}")
        subjects.setdefault(name, []).append(path)
    others = [path for path in paths if path.suffix.lower() not in (*SUFFIXES, ".hdr")]
    if others:
        logger.info("files that are no k-space by their suffix, left out: %d, such as %s", len(others), others[0])
    if not subjects:
        raise InputError(f"no file of {', '.join(SUFFIXES)} under {root}; {WHERE_DATA}")
    return subjects


def read_subject(root: Path, subject: str, files: Sequence[Path], n_frames: int) -> Iterator["RawSequence"]:
    """Yield the slices of `subject` as complex sequences (time, y, x), one in memory at a time.

    Pixels are made square, coils are whitened by noise scans and combined with their phase. Raises `InputError` where a
    file cannot be read, has fewer than `n_frames` frames, or lines that were not measured, other than at one edge of
    k-space (partial Fourier), which stay zero.
    """
    from step.io.kspace.files import format_of
    from step.io.kspace.recording import Selection
    from step.io.sequences import RawSequence

    number = 0
    for path in files:
        kind = format_of(path, REMEDY)
        for slice_ in range(kind.count_slices(path, REMEDY)):
            raw = kind.read(path, Selection(slice_, remedy=REMEDY))
            _check(raw, n_frames)
            source = f"{subject}-{number:02d}"
            yield RawSequence(source, subject, path.relative_to(root).as_posix(), "cine", _reconstruct(raw))
            number += 1


def _check(raw: "KspaceSlice", n_frames: int) -> None:
    import numpy as np

    if raw.kspace.shape[1] < n_frames:
        raise InputError(f"k-space has {raw.kspace.shape[1]} frames, the study needs {n_frames}: {raw.path}; {REMEDY}")
    missing = np.asarray(~raw.mask.all(axis=0))
    if not missing.any():
        return
    lines = np.flatnonzero(~missing)
    inner = missing[lines[0] : lines[-1]] if len(lines) else missing
    if inner.any() or len(lines) <= len(missing) // 2:
        raise InputError(
            f"{missing.sum()} of {len(missing)} lines are not measured in every frame, videos to learn from need all: "
            f"{raw.path}; name it under observations, or {REMEDY}"
        )
    logger.info("%s: %d of %d lines at the edge of k-space were not measured", raw.path, missing.sum(), len(missing))


def _reconstruct(raw: "KspaceSlice") -> "np.ndarray":
    """Return the image (time, y, x), complex64, with square pixels over the whole field of view."""
    import torch

    from step.domains.mri.coils import combine_coils
    from step.domains.mri.kspace_slices import fit_matrix, whiten_slice
    from step.physics.fourier import ifft2c

    if raw.is_partial:
        logger.info("%s: readouts were measured in part, the rest stays zero", raw.path)
    white, _ = whiten_slice(fit_matrix(raw, 1.0))
    kspace = torch.from_numpy(white.kspace).movedim(0, 1)
    images = ifft2c(kspace) / (kspace.shape[-2] * kspace.shape[-1]) ** 0.5
    return (combine_coils(images) if images.shape[1] > 1 else images[:, 0]).numpy()
