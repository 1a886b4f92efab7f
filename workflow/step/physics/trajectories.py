"""Where readouts go through k-space that is not measured line by line: spokes and spirals at golden angles.

Points are (ky, kx) in cycles per field of view, the edge of k-space at half as many as there are pixels.
"""

import math

import torch

from step.config.tasks import Trajectory

GOLDEN_SPOKE_RAD = math.pi * (math.sqrt(5) - 1) / 2
"""From one spoke to the next, 111.25 degrees: any number of spokes in a row cover the half circle almost evenly.

S. Winkelmann, T. Schaeffter, T. Koehler, H. Eggers and O. Doessel, "An optimal radial profile order based on the golden
ratio for time-resolved MRI", IEEE Transactions on Medical Imaging 26 (2007) 68-76.
"""

GOLDEN_SPIRAL_RAD = math.pi * (3 - math.sqrt(5))
"""From one spiral to the next, 137.51 degrees: the same of the whole circle, of which a spiral comes once around."""


def points_of(trajectory: Trajectory, n_frames: int, shape: tuple[int, int]) -> torch.Tensor:
    """Return the points (time, readout, sample, 2), float64, of frames of `shape` (y, x)."""
    if trajectory.kind == "radial":
        return golden_spokes(n_frames, trajectory.readouts, shape, trajectory.oversampling)
    return golden_spirals(n_frames, trajectory.readouts, shape, trajectory.oversampling, trajectory.turns)


def golden_spokes(n_frames: int, n_spokes: int, shape: tuple[int, int], oversampling: float) -> torch.Tensor:
    """Return spokes (time, readout, sample, 2) through the centre, each a golden angle after the one before it.

    The angle goes on from frame to frame. A spoke has `oversampling` samples a cycle per field of view, from one edge
    to just before the other, and one of them, ``n // 2``, in the centre.
    """
    n_samples = round(oversampling * max(shape))
    radius = 2 * (torch.arange(n_samples, dtype=torch.float64) - n_samples // 2) / n_samples
    return _turned(torch.stack([torch.zeros_like(radius), radius], dim=-1), n_frames, n_spokes, shape, GOLDEN_SPOKE_RAD)


def golden_spirals(
    n_frames: int, n_spirals: int, shape: tuple[int, int], oversampling: float, turns: float
) -> torch.Tensor:
    """Return Archimedean spirals (time, readout, sample, 2) from the centre to the edge, turned as spokes are.

    A spiral goes `turns` times around, with samples that are evenly spaced along it, `oversampling` a cycle per field
    of view.
    """
    n_samples = round(oversampling * math.pi * turns * max(shape) / 2)
    radius = (torch.arange(n_samples, dtype=torch.float64) / n_samples).sqrt()
    angle = 2 * math.pi * turns * radius
    spiral = torch.stack([radius * angle.sin(), radius * angle.cos()], dim=-1)
    return _turned(spiral, n_frames, n_spirals, shape, GOLDEN_SPIRAL_RAD)


def _turned(
    readout: torch.Tensor, n_frames: int, n_readouts: int, shape: tuple[int, int], step_rad: float
) -> torch.Tensor:
    """Return copies of `readout` (sample, 2), within the unit circle, each turned by a step more than the last."""
    angle = step_rad * torch.arange(n_frames * n_readouts, dtype=torch.float64)
    sine, cosine = angle.sin()[:, None], angle.cos()[:, None]
    y, x = readout[:, 0], readout[:, 1]
    turned = torch.stack([cosine * y + sine * x, cosine * x - sine * y], dim=-1)
    return (turned * torch.tensor(shape, dtype=torch.float64) / 2).unflatten(0, (n_frames, n_readouts))
