"""Soft-edged shapes and smooth textures on a pixel grid, all lengths in mm."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Texture = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Grid:
    """Coordinates of the pixels; the origin is the centre of the FFT convention, index ``n // 2``."""

    y: np.ndarray  # (y, 1)
    x: np.ndarray  # (1, x)
    pixel_mm: float

    def turned(
        self, centre: tuple[np.ndarray | float, np.ndarray | float], angle: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the coordinates (along, across) about `centre` (y, x), turned by `angle` from x to y."""
        y, x = self.y - centre[0], self.x - centre[1]
        cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        return x * cos + y * sin, y * cos - x * sin


class Canvas:
    """Images (time, y, x) that shapes are painted on, one after the other."""

    def __init__(self, grid: Grid, image: np.ndarray):
        self.image = image
        # A ramp one and a half pixels wide keeps edges from ringing and from jumping between pixels.
        self._edge_mm = np.float32(1.5 * grid.pixel_mm)

    def paint(self, distance: np.ndarray, value: np.ndarray | float) -> None:
        """Lay `value` over the pixels inside an edge at `distance` mm, positive inside."""
        share = np.clip(distance / self._edge_mm + np.float32(0.5), 0, 1)
        self.image = self.image + share * (value - self.image)


def make_grid(matrix: tuple[int, int], pixel_mm: float) -> Grid:
    """Return the grid of a (y, x) matrix."""
    y, x = (np.float32(pixel_mm) * (np.arange(n, dtype=np.float32) - n // 2) for n in matrix)
    return Grid(y[:, None], x[None, :], pixel_mm)


def ellipse_distance(
    along: np.ndarray, across: np.ndarray, half_along: np.ndarray | float, half_across: np.ndarray | float
) -> np.ndarray:
    """Return the approximate distance in mm to an ellipse, positive inside; half-axes may vary with time."""
    u, v = along / half_along, across / half_across
    radius = np.sqrt(u**2 + v**2)
    slope = np.sqrt((u / half_along) ** 2 + (v / half_across) ** 2)
    # First order in the distance; the offset keeps the centre, where the slope vanishes, inside.
    return (1 - radius) * (radius + np.float32(1e-3)) / (slope + np.float32(1e-6))


def sample_texture(generator: np.random.Generator, n_waves: int, shortest_mm: float, longest_mm: float) -> Texture:
    """Return a smooth random function of two tissue coordinates in mm, with zero mean and unit variance."""
    wavelength = generator.uniform(shortest_mm, longest_mm, n_waves)
    direction = generator.uniform(0, 2 * np.pi, n_waves)
    phase = generator.uniform(0, 2 * np.pi, n_waves)
    waves = np.stack([np.cos(direction), np.sin(direction)]) * 2 * np.pi / wavelength

    def texture(y: np.ndarray, x: np.ndarray) -> np.ndarray:
        total = np.zeros((), np.float32)
        for (k_y, k_x), shift in zip(waves.T.astype(np.float32), phase.astype(np.float32), strict=True):
            total = total + np.cos(k_y * y + k_x * x + shift)
        return total * np.float32(np.sqrt(2 / n_waves))

    return texture
