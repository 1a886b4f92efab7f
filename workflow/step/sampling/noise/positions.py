"""Positions in a frame and what a field has there.

A position is (x, y) in pixels: pixel centres are at integers, and the frame reaches from -1/2 to size - 1/2.
"""

import torch
from torch.nn.functional import grid_sample


def pixel_centres(height: int, width: int) -> torch.Tensor:
    """Return the positions (2, y, x) of the pixels of a frame, in float64; component 0 is x."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([x, y]).double()


def inside(positions: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Return which `positions` (2, ...) lie in the frame, its edge included, of the shape of their other axes."""
    sizes = torch.tensor([width, height]).reshape(2, *[1] * (positions.ndim - 1))
    return ((positions >= -0.5) & (positions <= sizes - 0.5)).all(dim=0)


def interpolate(field: torch.Tensor, positions: torch.Tensor, mode: str = "bilinear") -> torch.Tensor:
    """Return `field` (channel, y, x) at `positions` (2, ...), of shape (channel, ...), in float64.

    `mode` is ``bilinear``, ``bicubic`` (the cubic convolution of Keys 1981 with a = -3/4) or ``nearest``. Beyond the
    centres of the outermost pixels the field goes on with the values of these pixels.
    """
    sizes = torch.tensor(field.shape[:0:-1]).unsqueeze(1)
    grid = ((2 * positions.flatten(1) + 1) / sizes - 1).T[None, None]
    values = grid_sample(field[None].double(), grid, mode, padding_mode="border", align_corners=False)
    return values[0, :, 0].unflatten(1, positions.shape[1:])
