"""What the scanner adds to magnitudes: smooth phase, receiver coils, noise."""

import numpy as np
import torch

from step.domains.mri.phantom.canvas import Grid
from step.physics.fourier import fft2c
from step.physics.receivers import sample_coil_ring

N_COILS = 10
COIL_DISTANCE_MM = 170
COIL_REACH_MM = 130
COIL_SLOPE_RAD = 0.5


def sample_object_phase(grid: Grid, generator: np.random.Generator) -> np.ndarray:
    """Return a smooth phase (y, x) in rad: a constant, a slope and a curvature over 100 mm."""
    y, x = grid.y / 100, grid.x / 100
    constant = generator.uniform(-np.pi, np.pi)
    slope, curvature = generator.normal(0, 0.5, 2), generator.normal(0, 0.25, 3)
    linear = slope[0] * y + slope[1] * x
    return constant + linear + curvature[0] * y**2 + curvature[1] * y * x + curvature[2] * x**2


def surface_shading(grid: Grid, reach_mm: float) -> np.ndarray:
    """Return how well the coils on the chest see (y, 1), relative to the middle of the heart; they see 1/e at a depth
    that is `reach_mm` larger.
    """
    return np.exp(-grid.y / np.float32(reach_mm))


def sample_coil_maps(grid: Grid, generator: np.random.Generator) -> np.ndarray:
    """Return the sensitivities (coil, y, x) of coils around the chest; their root sum of squares is 1."""
    return sample_coil_ring(grid.y, grid.x, N_COILS, COIL_DISTANCE_MM, COIL_REACH_MM, COIL_SLOPE_RAD, generator)


def to_kspace(image: np.ndarray, noise: float, generator: np.random.Generator) -> np.ndarray:
    """Return noisy k-space (..., ky, kx), complex64, whose "backward" inverse FFT is `image` (..., y, x).

    `noise` is the standard deviation of real and imaginary part in the image, in its units.
    """
    noisy = image.astype(np.complex64)
    noisy.real += noise * generator.standard_normal(image.shape, np.float32)
    noisy.imag += noise * generator.standard_normal(image.shape, np.float32)
    return fft2c(torch.from_numpy(noisy)).numpy() * np.float32(np.sqrt(np.prod(image.shape[-2:])))
