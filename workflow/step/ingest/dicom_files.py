"""DICOM files: which files are, what their headers say, and the pixels of one image."""

import math
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from step.errors import InputError

if TYPE_CHECKING:
    from pydicom import FileDataset

REMEDY = "drop it with data.mri.exclude"
PREAMBLE_BYTES = 128
# The first element of a file without preamble: of its meta information (group 0002), or of a bare data set (0008).
FIRST_ELEMENT = re.compile(
    rb"\x02\x00[\x00\x01\x02\x10]\x00(UL|OB|UI)"
    rb"|\x08\x00[\x00\x01\x05\x08\x12\x14\x16\x18]\x00((UL|CS|UI|DA|TM)|.[\x00\x01]\x00\x00)"
    rb"|\x00\x08\x00[\x00\x01\x05\x08\x12\x14\x16\x18](UL|CS|UI|DA|TM)",
    re.DOTALL,
)


def is_dicom(path: Path) -> bool:
    """Return whether `path` begins as a DICOM file does, with a preamble or without one."""
    with path.open("rb") as file:
        start = file.read(PREAMBLE_BYTES + 4)
    return start[PREAMBLE_BYTES:] == b"DICM" or FIRST_ELEMENT.match(start) is not None


def holds_image(header: "FileDataset") -> bool:
    """Return whether `header` (read with `SOPClassUID` and `Rows`) is an image's, not a directory's or a report's."""
    return "Rows" in header or "Image Storage" in getattr(header.get("SOPClassUID"), "name", "")


def read_header(path: Path, tags: Sequence[str | int]) -> "FileDataset":
    """Return the elements `tags` of a DICOM file, its pixels unread; `InputError` where it cannot be read."""
    return _read(path, stop_before_pixels=True, specific_tags=list(tags))


def read_text(header: "FileDataset", tag: str | int) -> str:
    """Return the element `tag` as text, several values joined by a backslash; "" where it is absent or empty."""
    return "\\".join(read_texts(header, tag))


def read_texts(header: "FileDataset", tag: str | int) -> tuple[str, ...]:
    """Return the values of the element `tag` without the blanks around them; none where it is absent or empty."""
    stored = header.get(tag)
    value = stored.value if isinstance(tag, int) and stored is not None else stored
    values = [] if value in (None, "") else [value] if _is_single(value) else value
    return tuple(_as_stored(value).strip() for value in values)


def read_number(header: "FileDataset", tag: str | int, path: Path) -> float | None:
    """Return the number in the element `tag`, None where it is absent or empty; `InputError` where it is none."""
    numbers = read_numbers(header, tag, 1, path)
    return None if numbers is None else numbers[0]


def read_numbers(header: "FileDataset", tag: str | int, count: int, path: Path) -> tuple[float, ...] | None:
    """Return the `count` numbers in the element `tag` of `path`, None where it is absent or empty.

    Raises `InputError` with the file, the element and its value for anything else, since pydicom converts an
    element when it is asked for, not when the file is read.
    """
    from pydicom.errors import BytesLengthException

    stored = header.get_item(tag)
    if stored is None or stored.value is None or not _as_stored(stored.value).strip():
        return None
    try:
        with warnings.catch_warnings():
            # pydicom warns of a value that it then refuses, or takes as it is; it is checked below.
            warnings.simplefilter("ignore")
            value = header[tag].value
        numbers = tuple(map(float, [value] if _is_single(value) else value))
    except (ValueError, TypeError, ArithmeticError, BytesLengthException):
        numbers = ()
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        needed = "a number" if count == 1 else f"{count} numbers"
        raise InputError(f"{_name(tag)} is {_as_stored(stored.value)[:64]!r}, not {needed}: {path}; {REMEDY}")
    return numbers


def read_pixels(path: Path) -> np.ndarray:
    """Return the image (y, x) of a DICOM file, float32, with its rescale slope and intercept applied.

    Raises `InputError` where the pixels cannot be decoded, are more than one grey image, or are stored with
    bright as dark (MONOCHROME1): the file does not say which stored value means no signal.
    """
    image = _read(path)
    _check_grey(image, path)
    pixels = _decode(image, path)
    if pixels.ndim != 2:
        raise InputError(f"pixels have shape {pixels.shape}, one grey image is expected: {path}; {REMEDY}")
    slope, intercept = (read_number(image, tag, path) for tag in ("RescaleSlope", "RescaleIntercept"))
    return pixels.astype(np.float32) * (1.0 if slope is None else slope) + (intercept or 0.0)


def _read(path: Path, **how: object) -> "FileDataset":
    import struct
    import zlib

    from pydicom import dcmread
    from pydicom.errors import BytesLengthException, InvalidDicomError

    try:
        # Forced for files without preamble; others are read as ever.
        return dcmread(path, force=True, **how)
    except (
        *(InvalidDicomError, BytesLengthException, EOFError, OSError, ValueError, TypeError, AttributeError),
        *(LookupError, NotImplementedError, struct.error, zlib.error, RecursionError),
    ) as error:
        raise InputError(f"cannot read {path}: {' '.join(str(error).split())}; {REMEDY}") from None


def _check_grey(image: "FileDataset", path: Path) -> None:
    kind = read_text(image, "PhotometricInterpretation")
    if kind not in ("MONOCHROME2", ""):
        why = ", bright stored as dark" if kind == "MONOCHROME1" else ""
        raise InputError(
            f"PhotometricInterpretation is {kind}{why}, MONOCHROME2 is needed: {path}; convert it, or {REMEDY}"
        )


def _decode(image: "FileDataset", path: Path) -> np.ndarray:
    from pydicom.errors import BytesLengthException

    try:
        return image.pixel_array
    # What pydicom raises for missing pixels, missing decoders and damaged data.
    except (
        *(AttributeError, RuntimeError, NotImplementedError, BytesLengthException),
        *(EOFError, OSError, ValueError, TypeError, LookupError, ArithmeticError),
    ) as error:
        raise InputError(f"cannot decode {path}: {' '.join(str(error).split())}; {REMEDY}") from None


def _name(tag: str | int) -> str:
    return tag if isinstance(tag, str) else f"element ({tag >> 16:04x},{tag & 0xFFFF:04x})"


def _is_single(value: object) -> bool:
    return isinstance(value, str | bytes) or not isinstance(value, Sequence)


def _as_stored(value: object) -> str:
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return text.rstrip(" \0")
