"""The probability-flow ODE (Eq. 4)."""

import math
from itertools import pairwise
from typing import Literal

import torch

from step.diffusion.denoiser import Denoise
from step.diffusion.grids import rho_grid
from step.progress import track

Solver = Literal["euler", "multistep"]


@torch.no_grad()
def solve_probability_flow(
    denoise: Denoise,
    noisy: torch.Tensor,
    sigma: float,
    steps: int,
    sigma_min: float,
    rho: float,
    solver: Solver = "euler",
) -> torch.Tensor:
    """Return the solution at `sigma_min` of ``dz/dsigma = -sigma score(z, sigma)`` from `noisy` at `sigma`.

    Steps on the rho grid, each an evaluation of the denoiser. `euler` is exact where the denoised z is the same along a
    step; `multistep`, of second order, where it is linear in ``log sigma``, by the estimate before (C. Lu et al.,
    DPM-Solver++, 2022, the 2M of their solvers). Where `sigma` is at or below `sigma_min` there is nothing to
    integrate and `noisy` comes back.
    """
    if sigma <= sigma_min:
        return noisy
    levels = rho_grid(sigma, sigma_min, steps, rho)
    before: tuple[float, torch.Tensor] | None = None  # a level and what was denoised there
    for current, following in track(pairwise(levels), "probability-flow ODE", "step", steps, is_item=False):
        clean = estimate = denoise(noisy, current)
        if solver == "multistep" and before is not None:
            # What the line through both estimates says of the middle of the step.
            reach = math.log(current / following) / (2 * math.log(before[0] / current))
            clean = estimate + reach * (estimate - before[1])
        slope = (noisy - clean) / current
        noisy = noisy + (following - current) * slope
        before = current, estimate
    return noisy
