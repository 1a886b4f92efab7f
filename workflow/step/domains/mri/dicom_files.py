"""DICOM files: which files are, what their headers say, and the pixels of one image."""

import math
import re
import struct
import warnings
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from step.errors import InputError

if TYPE_CHECKING:
    from pydicom import DataElement, Dataset, FileDataset
    from pydicom.dataelem import RawDataElement

Tag = str | int  # keyword, or group and element of a private element
Value = TypeVar("Value")

REMEDY = "drop it with data.mri.exclude"
PREAMBLE_BYTES = 128
SHOWN_CHARACTERS = 64
BINARY = ("FD", "FL", "US", "UL", "SS", "SL", "UV", "SV")
"""Value representations of numbers that are not text."""
# The first element of a file without preamble: of its meta information (group 0002), or of a bare data set (0008).
FIRST_ELEMENT = re.compile(
    rb"\x02\x00[\x00\x01\x02\x10]\x00(UL|OB|UI)"
    rb"|\x08\x00[\x00\x01\x05\x08\x12\x14\x16\x18]\x00(UL|CS|UI|DA|TM)"
    rb"|\x08\x00(\x00\x00\x04|[\x05\x08\x12\x14\x16\x18]\x00.)\x00\x00\x00"
    rb"|\x00\x08\x00[\x00\x01\x05\x08\x12\x14\x16\x18](UL|CS|UI|DA|TM)",
    re.DOTALL,
)


def is_dicom(path: Path) -> bool:
    """Return whether `path` begins as a DICOM file does, with a preamble or without one."""
    with path.open("rb") as file:
        start = file.read(PREAMBLE_BYTES + 4)
    return start[PREAMBLE_BYTES:] == b"DICM" or FIRST_ELEMENT.match(start) is not None


def read_header(path: Path, tags: Sequence[Tag]) -> "FileDataset":
    """Return the elements `tags` of a DICOM file, its pixels unread; `InputError` where it cannot be read."""
    return _read(path, tags)


def read_text(header: "Dataset", tag: Tag, path: Path) -> str:
    """Return the element `tag` as text, several values joined by a backslash; "" where it is absent or empty."""
    return "\\".join(read_texts(header, tag, path))


def read_texts(header: "Dataset", tag: Tag, path: Path) -> tuple[str, ...]:
    """Return the values of the element `tag` without the blanks around them; none where it is absent or empty."""
    return _convert(header, tag, path, "text", lambda values: tuple(_as_text(value).strip() for value in values)) or ()


def read_number(header: "Dataset", tag: Tag, path: Path) -> float | None:
    """Return the number in the element `tag`, None where it is absent or empty; `InputError` where it is none."""
    numbers = read_numbers(header, tag, 1, path)
    return None if numbers is None else numbers[0]


def read_numbers(header: "Dataset", tag: Tag, count: int, path: Path) -> tuple[float, ...] | None:
    """Return the `count` numbers in the element `tag` of `path`, None where it is absent or empty.

    Raises `InputError` with the file, the element and its value for anything else.
    """

    def to_numbers(values: Sequence) -> tuple[float, ...]:
        numbers = tuple(map(float, values))
        if len(numbers) != count or not all(map(math.isfinite, numbers)):
            raise ValueError
        return numbers

    return _convert(header, tag, path, "a number" if count == 1 else f"{count} numbers", to_numbers)


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


def read_frame(path: Path, number: int, slope: float, intercept: float) -> np.ndarray:
    """Return the frame `number` (y, x) of a multi-frame DICOM file, float32, rescaled; the others are not decoded.

    Raises `InputError` as `read_pixels`.
    """
    from pydicom.pixels import pixel_array

    _check_grey(read_header(path, ("PhotometricInterpretation",)), path)
    undecodable: tuple[type[Exception], ...] = (*_pydicom_errors(), RuntimeError)
    try:
        pixels = pixel_array(path, index=number)
    except undecodable as error:
        raise InputError(f"cannot decode frame {number} of {path}: {_one_line(error)}; {REMEDY}") from None
    if pixels.ndim != 2:
        raise InputError(f"pixels have shape {pixels.shape}, one grey image is expected: {path}; {REMEDY}")
    return pixels.astype(np.float32) * slope + intercept


def _read(path: Path, tags: Sequence[Tag] | None = None) -> "FileDataset":
    """Return the whole file, or of its header the elements `tags`."""
    from pydicom import dcmread
    from pydicom.tag import Tag as as_tag

    try:
        # Forced for files without preamble; others are read as ever.
        if tags is None:
            return dcmread(path, force=True)
        return dcmread(path, force=True, stop_before_pixels=True, specific_tags=[as_tag(tag) for tag in tags])
    except _pydicom_errors() as error:
        raise InputError(f"cannot read {path}: {_one_line(error)}; {REMEDY}") from None


def _convert(
    header: "Dataset", tag: Tag, path: Path, needed: str, convert: Callable[[Sequence], Value]
) -> Value | None:
    """Return what `convert` makes of the values of an element, None where it is absent or empty.

    pydicom interprets an element when it is asked for, not when the file is read, so this is where it fails.
    """
    stored = header.get_item(tag)
    if stored is None or stored.value is None or _is_blank(stored):
        return None
    try:
        with warnings.catch_warnings():
            # pydicom warns of a value that it then refuses, or takes as it is; it is checked here.
            warnings.simplefilter("ignore")
            value = header[tag].value
        single = isinstance(value, str | bytes) or not isinstance(value, Sequence)
        return convert([value] if single else value)
    except _pydicom_errors():
        name = tag if isinstance(tag, str) else f"element ({tag >> 16:04x},{tag & 0xFFFF:04x})"
        raise InputError(f"{name} is {_as_shown(stored.value)}, not {needed}: {path}; {REMEDY}") from None


def _is_blank(stored: "DataElement | RawDataElement") -> bool:
    """Return whether an element has no value; a binary zero is one, although its bytes are those of blanks."""
    from pydicom.datadict import dictionary_has_tag, dictionary_VR

    kind = stored.VR or (dictionary_VR(stored.tag) if dictionary_has_tag(stored.tag) else "UN")
    if kind in BINARY and isinstance(stored.value, bytes):
        return not stored.value
    return not _as_text(stored.value).strip()


def _check_grey(image: "FileDataset", path: Path) -> None:
    kind = read_text(image, "PhotometricInterpretation", path)
    if kind not in ("MONOCHROME2", ""):
        why = ", bright stored as dark" if kind == "MONOCHROME1" else ""
        raise InputError(
            f"PhotometricInterpretation is {_as_shown(kind)}{why}, MONOCHROME2 is needed: {path}; convert it, "
            f"or {REMEDY}"
        )


def _decode(image: "FileDataset", path: Path) -> np.ndarray:
    # For missing pixels, missing decoders and damaged data.
    undecodable: tuple[type[Exception], ...] = (*_pydicom_errors(), RuntimeError)
    try:
        pixels = image.pixel_array
        left_over = b"" if image.file_meta.TransferSyntaxUID.is_compressed else image.PixelData[pixels.nbytes :]
    except undecodable as error:
        raise InputError(f"cannot decode {path}: {_one_line(error)}; {REMEDY}") from None
    # Some writers pad with zeros.
    if any(left_over):
        raise InputError(
            f"PixelData has {len(image.PixelData)} bytes, {pixels.nbytes} are needed for {image.Rows} rows of "
            f"{image.Columns} pixels: {path}; {REMEDY}"
        )
    return pixels


def _pydicom_errors() -> tuple[type[Exception], ...]:
    """Return what pydicom raises on damaged files; it has no class of its own for most of it."""
    from pydicom.errors import BytesLengthException, InvalidDicomError

    return (
        *(InvalidDicomError, BytesLengthException, EOFError, OSError, ValueError, TypeError, AttributeError),
        *(LookupError, ArithmeticError, NotImplementedError, RecursionError, struct.error, zlib.error),
    )


def _as_text(value: object) -> str:
    return (value.decode("latin-1") if isinstance(value, bytes) else str(value)).rstrip(" \0")


def _as_shown(value: object) -> str:
    return repr(_as_text(value)[:SHOWN_CHARACTERS])


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
