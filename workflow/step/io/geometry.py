"""Where an image lies in the patient: the one description between files of k-space, DICOM and NIfTI."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

RAS_OF_LPS = np.diag([-1.0, -1.0, 1.0])
"""DICOM and ISMRMRD count towards left, posterior and superior, NIfTI towards right, anterior and superior."""

ROUNDING = 1e-3
"""Direction cosines in files are rounded; beyond this they are none."""


@dataclass(frozen=True)
class Geometry:
    """Where the pixels of a slice lie; what a file does not say is None.

    Directions and places are in the patient's coordinates of DICOM: mm towards left, posterior and superior. The pixel
    of row ``n_y // 2`` and column ``n_x // 2``, that of k-space's reference, has its centre at `centre_mm`.
    """

    pixel_mm: tuple[float, float] | None = None  # distance of rows (along y), of columns (along x)
    thickness_mm: float | None = None
    centre_mm: tuple[float, float, float] | None = None
    along_x: tuple[float, float, float] | None = None  # unit vector towards the next column
    along_y: tuple[float, float, float] | None = None  # unit vector towards the next row

    @property
    def is_placed(self) -> bool:
        """Whether it is known where every pixel lies."""
        return None not in (self.pixel_mm, self.centre_mm, self.along_x, self.along_y)

    @property
    def normal(self) -> np.ndarray:
        """The unit vector (3,) across the slice, right-handed with x and y."""
        return np.cross(self.along_x or (1, 0, 0), self.along_y or (0, 1, 0))

    def first_pixel_mm(self, shape: tuple[int, int]) -> np.ndarray:
        """Return the centre (3,) of row 0 and column 0 of a frame of `shape` (y, x), LPS, mm; the origin if unknown."""
        pixel = self.pixel_mm or (1.0, 1.0)
        along = self.along_y or (0.0, 1.0, 0.0), self.along_x or (1.0, 0.0, 0.0)
        steps = [n // 2 * side * np.array(axis) for n, side, axis in zip(shape, pixel, along, strict=True)]
        return np.array(self.centre_mm or (0.0, 0.0, 0.0)) - sum(steps)

    def affine(self, shape: tuple[int, int]) -> np.ndarray:
        """Return NIfTI's affine (4, 4), from voxel (x, y, slice) to mm towards right, anterior and superior.

        Frames have `shape` (y, x). The slices' distance is the thickness, or the side of a pixel where it is unknown.
        """
        rows, columns = self.pixel_mm or (1.0, 1.0)
        along_x, along_y = np.array(self.along_x or (1.0, 0, 0)), np.array(self.along_y or (0, 1.0, 0))
        matrix = np.eye(4)
        steps = np.stack([columns * along_x, rows * along_y, (self.thickness_mm or columns) * self.normal], axis=1)
        matrix[:3, :3] = RAS_OF_LPS @ steps
        matrix[:3, 3] = RAS_OF_LPS @ self.first_pixel_mm(shape)
        return matrix

    def fault(self) -> str | None:
        """Return in words what is no geometry in it, None where all is well."""
        sizes = [*(self.pixel_mm or ()), *([] if self.thickness_mm is None else [self.thickness_mm])]
        if not all(np.isfinite(size) and size > 0 for size in sizes):
            return f"its pixels or its thickness are not above 0 mm ({sizes})"
        if self.centre_mm is not None and not np.isfinite(self.centre_mm).all():
            return f"its position {self.centre_mm} is not finite"
        if self.along_x is not None and self.along_y is not None:
            axes = np.array([self.along_x, self.along_y])
            if not np.allclose(axes @ axes.T, np.eye(2), atol=ROUNDING):
                return f"its directions {self.along_x} and {self.along_y} are not of unit length and at right angles"
        return None

    def to_attributes(self) -> dict[str, Any]:
        """Return what is known, by name, as attributes of a file."""
        known = {name: value for name, value in vars(self).items() if value is not None}
        return {f"geometry_{name}": np.asarray(value, np.float64) for name, value in known.items()}

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, Any]) -> Self:
        """Return the geometry that `to_attributes` has put among `attributes`."""
        known: dict[str, Any] = {}
        for name in cls.__dataclass_fields__:
            value = attributes.get(f"geometry_{name}")
            if value is not None:
                known[name] = float(value) if np.ndim(value) == 0 else tuple(map(float, value))
        return cls(**known)

    def with_pixel(self, side_mm: float | None) -> Self:
        """Return the geometry with square pixels of `side_mm` where it says nothing of pixels itself."""
        return self if self.pixel_mm or side_mm is None else replace(self, pixel_mm=(side_mm, side_mm))
