"""Magnitude cines in DICOM series, one frame a file."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from step.errors import InputError

if TYPE_CHECKING:
    from pydicom import FileDataset

ORDER_TAGS = [
    "SeriesInstanceUID",
    "SeriesNumber",
    "SliceLocation",
    "TriggerTime",
    "InstanceNumber",
    "NumberOfFrames",
]
REMEDY = "drop it with data.mri.exclude"


def is_dicom(path: Path) -> bool:
    """Return whether `path` has the mark of a DICOM file."""
    with path.open("rb") as file:
        file.seek(128)
        return file.read(4) == b"DICM"


def read_patient_id(path: Path) -> str:
    """Return the PatientID of a DICOM file, "" where it has none."""
    return str(_read_header(path, ["PatientID"]).get("PatientID", ""))


def read_dicom_slices(paths: Sequence[Path]) -> Iterator[tuple[Path, np.ndarray]]:
    """Yield each slice of one subject: the path of its first frame and its frames (frame, y, x).

    A slice is what has one SeriesInstanceUID and one SliceLocation; its frames are ordered by TriggerTime,
    then by InstanceNumber. Raises `InputError` for files that cannot be decoded and for frames of different
    sizes.
    """
    slices = defaultdict(list)
    for path in paths:
        header = _read_header(path, ORDER_TAGS)
        if int(header.get("NumberOfFrames", 1) or 1) > 1:
            raise InputError(f"{header.NumberOfFrames} frames in one DICOM file, one is expected: {path}; {REMEDY}")
        slices[_slice_key(header)].append((*_frame_key(header), path))
    for _, frames in sorted(slices.items()):
        ordered = [path for *_, path in sorted(frames)]
        images = [_read_pixels(path) for path in ordered]
        if len({image.shape for image in images}) > 1:
            raise InputError(f"frames of different sizes in the series of {ordered[0]}; {REMEDY}")
        yield ordered[0], np.stack(images)


def _slice_key(header: "FileDataset") -> tuple[int, str, float]:
    location = float(header.get("SliceLocation", 0) or 0)
    return int(header.get("SeriesNumber", 0) or 0), str(header.get("SeriesInstanceUID", "")), location


def _frame_key(header: "FileDataset") -> tuple[float, int]:
    return float(header.get("TriggerTime", 0) or 0), int(header.get("InstanceNumber", 0) or 0)


def _read_header(path: Path, tags: list[str]) -> "FileDataset":
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    try:
        return dcmread(path, stop_before_pixels=True, specific_tags=tags)
    except (InvalidDicomError, EOFError, OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {' '.join(str(error).split())}; {REMEDY}") from None


def _read_pixels(path: Path) -> np.ndarray:
    """Return the frame (y, x) of a DICOM file, float32, with its rescale slope and intercept applied."""
    from pydicom import dcmread

    try:
        header = dcmread(path)
        pixels = header.pixel_array
    # What pydicom raises for missing pixels, missing decoders and damaged data.
    except (AttributeError, RuntimeError, NotImplementedError, EOFError, OSError, ValueError) as error:
        raise InputError(f"cannot decode {path}: {' '.join(str(error).split())}; {REMEDY}") from None
    if pixels.ndim != 2:
        raise InputError(f"pixels have shape {pixels.shape}, one grey image is expected: {path}; {REMEDY}")
    slope, intercept = float(header.get("RescaleSlope", 1)), float(header.get("RescaleIntercept", 0))
    return pixels.astype(np.float32) * slope + intercept
