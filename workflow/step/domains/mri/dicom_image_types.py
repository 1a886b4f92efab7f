"""Which images of a DICOM series are magnitudes: series of velocity encoding hold phase images too."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from step.domains.mri.dicom_files import REMEDY, read_number, read_text, read_texts
from step.errors import InputError

if TYPE_CHECKING:
    from pydicom import Dataset

logger = logging.getLogger(__name__)

GE_CREATOR, GE_COMPONENT = 0x00430010, 0x0043102F
GE_COMPONENTS = ("magnitude", "phase", "real", "imaginary")
TYPE_TAGS = ("ImageType", "ComplexImageComponent", GE_CREATOR, GE_COMPONENT)
# Words in the third and fourth value of ImageType: P (Siemens), PHASE MAP, VELOCITY MAP, R_IR (Philips), ...
COMPONENT_WORDS = {
    "P": "phase",
    "PHASE": "phase",
    "VELOCITY": "velocity",
    "R": "real",
    "REAL": "real",
    "I": "imaginary",
    "IMAGINARY": "imaginary",
}


class TypedImage(Protocol):
    """An image of which it is known what it shows."""

    @property
    def path(self) -> Path:
        """Its file."""
        ...

    @property
    def series(self) -> tuple[int, str]:
        """SeriesNumber and SeriesInstanceUID."""
        ...

    @property
    def image_type(self) -> tuple[str, ...]:
        """The values of ImageType."""
        ...

    @property
    def component(self) -> str:
        """What it shows: see `read_component`."""
        ...


Image = TypeVar("Image", bound=TypedImage)


def read_component(header: "Dataset", path: Path, kind: str = "ImageType") -> str:
    """Return what an image shows of its complex values: ``magnitude``, ``phase``, ``velocity``, ``real``, ...

    ComplexImageComponent says it, or GE's private element, or the third and fourth value of the element `kind`; an
    image that says nothing is a magnitude.
    """
    if (component := read_text(header, "ComplexImageComponent", path)) and component != "MIXED":
        return component.lower()
    if read_text(header, GE_CREATOR, path) == "GEMS_PARM_01":
        number = read_number(header, GE_COMPONENT, path)
        if number is not None and number in range(1, len(GE_COMPONENTS)):
            return GE_COMPONENTS[int(number)]
    values = read_texts(header, kind, path)[2:4]
    words = [word for value in values for word in value.upper().replace("_", " ").split()]
    return next((COMPONENT_WORDS[word] for word in words if word in COMPONENT_WORDS), "magnitude")


def keep_magnitudes(images: Iterable[Image]) -> list[Image]:
    """Return the magnitude images; what is left out is counted in the log.

    Where a series holds ORIGINAL magnitudes, DERIVED ones besides them (filtered copies, differences) are left
    out too. Raises `InputError` where nothing is left.
    """
    by_type: dict[tuple, list[Image]] = defaultdict(list)
    for image in images:
        by_type[image.series, image.component, image.image_type].append(image)
    with_originals = {
        series for series, component, kind in by_type if component == "magnitude" and kind[:1] == ("ORIGINAL",)
    }
    kept = []
    for (series, component, kind), group in by_type.items():
        derived = kind[:1] == ("DERIVED",) and series in with_originals
        if component == "magnitude" and not derived:
            kept += group
        else:
            _log_left_out(group, "derived" if component == "magnitude" else component)
    if by_type and not kept:
        types = ", ".join(sorted({_describe(kind) for _, _, kind in by_type}))
        first = next(iter(by_type.values()))[0].path
        raise InputError(f"no magnitude image among {sum(map(len, by_type.values()))} of {types}: {first}; {REMEDY}")
    return kept


def _log_left_out(images: Sequence[TypedImage], component: str) -> None:
    logger.info(
        "left out %d %s images of %s, series %d, from %s on: only magnitudes are cines",
        *(len(images), component, _describe(images[0].image_type), images[0].series[0], images[0].path),
    )


def _describe(image_type: Sequence[str]) -> str:
    return "ImageType " + ("\\".join(image_type) or "unknown")
