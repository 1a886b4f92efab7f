"""How much of k-space each sample of a trajectory stands for: density compensation of the zero-filled picture.

J. G. Pipe and P. Menon, "Sampling density compensation in MRI: rationale and an iterative numerical solution", Magnetic
Resonance in Medicine 41 (1999) 179-186: weights w with ``sum_j K(k_i - k_j) w_j = 1`` at every sample i, by dividing
them by that sum again and again. K is the transform of the field of view's autocorrelation, a triangle along each axis:
as wide as what the field of view blurs in k-space, and nowhere negative.
"""

import torch

from step.physics.nufft import PointTransform

ITERATIONS = 30
"""Of spokes and spirals the sum is then 1 within a percent or two."""


def density_weights(points: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    """Return the weights (sample,), float64, of `points` (sample, 2), in cells of the grid of `shape` (y, x).

    Points are (ky, kx) in cycles per field of view. On the grid itself all weights are 1; where samples are sparser
    they are no more, since nothing tells how far a sample's neighbours are.
    """
    wide = (2 * shape[0], 2 * shape[1])
    tent_y, tent_x = (1 - (torch.arange(2 * n, dtype=torch.float64) / n - 1).abs() for n in shape)
    tent = (tent_y[:, None] * tent_x / (shape[0] * shape[1])).to(torch.complex128).to(points.device)
    transform = PointTransform(2 * points.double(), wide, 1, torch.complex128)
    weights = torch.ones(len(points), dtype=torch.float64, device=points.device)
    for _ in range(ITERATIONS):
        spread = transform.to_samples(tent * transform.to_images(weights.to(torch.complex128)[None]))[0].real
        weights = weights / spread
    return weights
