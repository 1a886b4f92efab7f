"""Images on other pixels: flux goes where it lies on the sky, whatever the size of the arrays."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Regridding:
    """A linear map of images (y, x) that keeps the flux within the target's field of view, and positivity.

    Each source pixel is spread evenly over its area, so its flux is distributed over target pixels in proportion to the
    overlap. Both grids have the same centre, the middle of the array.
    """

    along_y: np.ndarray  # (target_y, source_y)
    along_x: np.ndarray  # (target_x, source_x)

    @classmethod
    def between(cls, shape: tuple[int, int], pixel: float, side: int, side_pixel: float) -> "Regridding":
        """Return the map from images of `shape` (y, x) to `side` x `side` pixels; pixel sizes are in one unit."""
        return cls(*(overlaps(n, pixel, side, side_pixel) for n in shape))

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Return `image` (y, x), flux per pixel, as flux per target pixel, float64."""
        return self.along_y @ image.astype(np.float64) @ self.along_x.T


def overlaps(n_source: int, source_pixel: float, n_target: int, target_pixel: float) -> np.ndarray:
    """Return which part of each source pixel lies in each target pixel along one axis, (target, source)."""
    source, target = (
        (np.arange(n + 1) - n / 2) * pixel for n, pixel in ((n_source, source_pixel), (n_target, target_pixel))
    )
    begin = np.maximum(target[:-1, None], source[:-1])
    end = np.minimum(target[1:, None], source[1:])
    return np.maximum(end - begin, 0) / source_pixel
