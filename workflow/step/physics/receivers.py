"""Receiver coils around the chest, as simulations have them."""

import numpy as np

SLOPE_LENGTH_MM = 100
"""The length over which phases of coils have their slopes."""


def sample_coil_ring(
    y_mm: np.ndarray,
    x_mm: np.ndarray,
    n_coils: int,
    distance_mm: float,
    reach_mm: float,
    phase_slope_rad: float,
    generator: np.random.Generator,
) -> np.ndarray:
    """Return the complex sensitivities (coil, y, x) of coils on a circle; their root sum of squares is 1.

    The coils are evenly spaced, `distance_mm` from the middle, the first one at a random angle. Each sees a Gaussian of
    standard deviation `reach_mm` about itself, with a phase that is its angle in the middle, and grows linearly, along
    y and x each by ``N(0, phase_slope_rad^2)`` over 100 mm. `y_mm` (y, 1) and `x_mm` (1, x) count from the middle.
    """
    around = 2 * np.pi * (np.arange(n_coils) + generator.uniform()) / n_coils
    around = around[:, None, None]
    y, x = y_mm - distance_mm * np.sin(around), x_mm - distance_mm * np.cos(around)
    magnitude = np.exp(-(y**2 + x**2) / (2 * reach_mm**2))
    slopes = generator.normal(0, phase_slope_rad, (2, n_coils, 1, 1)) / SLOPE_LENGTH_MM
    phase = around + slopes[0] * y_mm + slopes[1] * x_mm
    return magnitude * np.exp(1j * phase) / np.sqrt((magnitude**2).sum(0))
