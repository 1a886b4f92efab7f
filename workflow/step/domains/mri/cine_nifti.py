"""Magnitude cines in 4D NIfTI files, as ACDC and others give them: (x, y, slice, time)."""

import gzip
import logging
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from step.errors import InputError

logger = logging.getLogger(__name__)

REMEDY = "drop it with data.mri.exclude"
SUFFIXES = (".nii", ".nii.gz")
MAX_FILE_BYTES = 8 * 2**30
SIZES = {348: (40, "h"), 540: (16, "q")}
"""By what a header says of its own length, of NIfTI-1 and NIfTI-2: where the axes stand in it, and as what."""

TOWARDS = np.array([1.0, 1.0, -1.0])
"""Signs of LPS coordinates in which rows and columns run in DICOM: to the left, to the back, to the feet."""


def is_nifti(path: Path) -> bool:
    """Return whether `path` is called as a NIfTI file."""
    return path.name.lower().endswith(SUFFIXES) and not path.name.startswith(".")


def read_shape(path: Path) -> tuple[int, ...]:
    """Return the axes' lengths in the header of a NIfTI file; raises `InputError` where it has none.

    Neither the pixels nor a library are needed for it: the workflow asks when it is planned.
    """
    try:
        with (gzip.open if path.name.lower().endswith(".gz") else open)(path, "rb") as file:
            start = file.read(80)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"cannot read {path}: {' '.join(str(error).split())}; copy it again, or {REMEDY}") from None
    for order in "<>":
        if len(start) < 80:
            break
        (length,) = struct.unpack_from(f"{order}i", start)
        if length in SIZES:
            place, kind = SIZES[length]
            n_axes, *sizes = struct.unpack_from(f"{order}8{kind}", start, place)
            if 1 <= n_axes <= 7 and min(sizes[:n_axes]) > 0:
                return tuple(sizes[:n_axes])
    raise InputError(f"{path} has no header of NIfTI; copy it again, or {REMEDY}")


def holds_frames(path: Path) -> bool:
    """Return whether a NIfTI file has more than one frame: labels and single phases of an archive have not."""
    shape = read_shape(path)
    return len(shape) > 3 and shape[3] > 1


def read_nifti_slices(path: Path) -> Iterator[np.ndarray]:
    """Yield the slices (frame, y, x) of the cine `path`, rows and columns as DICOM has them.

    Where the file says how it lies in the patient, columns run to the left (of sagittal slices, to the back) and rows
    to the back (else to the feet), whichever way the file's axes do. Raises `InputError` for damaged files, more than
    four axes, colours, and values below zero, which no magnitude has.
    """
    import nibabel

    shape = read_shape(path)
    if len(shape) > 4 and max(shape[4:]) > 1:
        raise InputError(f"the image has shape {shape}, (x, y, slice, time) is needed: {path}; {REMEDY}")
    if np.prod(shape, dtype=float) * 4 > MAX_FILE_BYTES:
        raise InputError(f"the header claims shape {shape}, more than a cine has: {path}; {REMEDY}")
    try:
        image: Any = nibabel.load(path)
        if image.get_data_dtype().kind not in "iuf":
            raise InputError(f"the image has type {image.get_data_dtype()}, grey values are needed: {path}; {REMEDY}")
        # Unscaled, so that the file's own type is kept until a slice is taken.
        stored = np.asanyarray(image.dataobj.get_unscaled()).reshape(shape[:4])
    except (nibabel.filebasedimages.ImageFileError, OSError, EOFError, ValueError, zlib.error) as error:
        raise InputError(f"cannot read {path}: {' '.join(str(error).split())}; copy it again, or {REMEDY}") from None
    slope, intercept = np.float32(image.dataobj.slope), np.float32(image.dataobj.inter)
    turn = _turn_of(image, path)
    for number in range(shape[2]):
        cine = stored[:, :, number].astype(np.float32).transpose(2, 1, 0) * slope + intercept
        if cine.min() < 0:
            raise InputError(f"values down to {cine.min():g}, which no magnitude has: {path}; {REMEDY}")
        yield np.ascontiguousarray(cine[:, :: turn[1], :: turn[0]])


def _turn_of(image: Any, path: Path) -> tuple[int, int]:
    """Return the steps, 1 or -1, along x and y with which columns and rows run as in DICOM."""
    if int(image.header["sform_code"]) == 0 and int(image.header["qform_code"]) == 0:
        logger.info("%s does not say how it lies in the patient: rows and columns are as stored", path)
        return 1, 1
    in_plane = np.diag([-1.0, -1.0, 1.0]) @ image.affine[:3, :2]  # LPS
    steps = []
    for axis in in_plane.T:
        largest = int(np.abs(axis).argmax())
        steps.append(1 if axis[largest] * TOWARDS[largest] > 0 else -1)
    return steps[0], steps[1]
