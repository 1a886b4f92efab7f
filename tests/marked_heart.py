"""A phantom in the patient's coordinates whose left, foot and anterior side are marked, and where its marks are found.

Whatever way images take through files, a mark's place in the patient has to stay what it is.
"""

import numpy as np
from step.io.geometry import Geometry

AXES = {"left": np.array([1.0, 0, 0]), "foot": np.array([0, 0, -1.0]), "anterior": np.array([0, -1.0, 0])}
"""Directions of the marks, LPS."""
BRIGHTNESS = {"left": 3.0, "foot": 5.0, "anterior": 8.0}
DISTANCE_MM = 45.0
WIDTH_MM = 7.0

OBLIQUE = Geometry(
    pixel_mm=(5.0, 5.0),
    thickness_mm=8.0,
    centre_mm=(12.0, -30.0, 55.0),
    along_x=(0.8, 0.6, 0.0),
    along_y=(-0.36, 0.48, -0.8),
)
"""A plane that turns away from all three axes."""


def marks_of(geometry: Geometry) -> dict[str, np.ndarray]:
    """Return where the marks (3,) lie, LPS in mm: each axis in the slice's plane, from the slice's centre.

    An axis across the slice has no mark.
    """
    places = {}
    for name, axis in AXES.items():
        in_plane = axis - (axis @ geometry.normal) * geometry.normal
        if np.linalg.norm(in_plane) > 0.1:
            places[name] = np.array(geometry.centre_mm) + DISTANCE_MM * in_plane / np.linalg.norm(in_plane)
    return places


def draw(geometry: Geometry, shape: tuple[int, int], pulse: float = 0.0) -> np.ndarray:
    """Return the image (y, x) of the phantom; `pulse` makes its middle larger."""
    steps_y = (np.arange(shape[0]) - shape[0] // 2) * geometry.pixel_mm[0]
    steps_x = (np.arange(shape[1]) - shape[1] // 2) * geometry.pixel_mm[1]
    points = (
        np.array(geometry.centre_mm)
        + steps_y[:, None, None] * np.array(geometry.along_y)
        + steps_x[:, None] * np.array(geometry.along_x)
    )
    image = np.exp(-(np.square(points - geometry.centre_mm).sum(-1) / (25 + 5 * pulse) ** 2))
    for name, place in marks_of(geometry).items():
        image += BRIGHTNESS[name] * np.exp(-np.square(points - place).sum(-1) / WIDTH_MM**2)
    return image


def find_marks(image: np.ndarray, place_of: "np.ndarray") -> dict[str, np.ndarray]:
    """Return where the marks lie, mm, in an image (y, x) whose pixels are at `place_of` (y, x, 3)."""
    found, left = {}, np.array(image, float)
    for name in sorted(BRIGHTNESS, key=BRIGHTNESS.get, reverse=True):
        brightest = np.unravel_index(left.argmax(), left.shape)
        found[name] = place_of[brightest]
        left[np.linalg.norm(place_of - found[name], axis=-1) < 3 * WIDTH_MM] = 0
    return found


def places_of_affine(affine: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the places (y, x, 3), LPS, of the pixels of a NIfTI slice with its `affine`."""
    y, x = np.indices(shape)
    ras = np.stack([x, y, np.zeros(shape), np.ones(shape)], -1) @ affine.T
    return ras[..., :3] * [-1, -1, 1]


def places_of_dicom(position, orientation, spacing, shape: tuple[int, int]) -> np.ndarray:
    """Return the places (y, x, 3), LPS, of pixels as DICOM PS3.3, C.7.6.2.1.1 has them."""
    y, x = (index[..., None] for index in np.indices(shape))
    row, column = np.array(orientation[:3], float), np.array(orientation[3:], float)
    return np.array(position, float) + y * float(spacing[0]) * column + x * float(spacing[1]) * row


def compare(found: dict[str, np.ndarray], expected: dict[str, np.ndarray], tolerance_mm: float) -> None:
    for name, place in expected.items():
        distance = np.linalg.norm(found[name] - place)
        assert distance < tolerance_mm, f"the mark {name} is {distance:.1f} mm from where it was drawn"
