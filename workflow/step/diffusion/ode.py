"""The probability-flow ODE (Eq. 4)."""

from itertools import pairwise

import torch

from step.diffusion.denoiser import Denoise
from step.diffusion.grids import rho_grid
from step.progress import track


@torch.no_grad()
def solve_probability_flow(
    denoise: Denoise, noisy: torch.Tensor, sigma: float, steps: int, sigma_min: float, rho: float
) -> torch.Tensor:
    """Return the solution at `sigma_min` of ``dz/dsigma = -sigma score(z, sigma)`` from `noisy` at `sigma`.

    Euler steps on the rho grid; costs `steps` evaluations of the denoiser. Where `sigma` is at or below
    `sigma_min` there is nothing to integrate and `noisy` comes back.
    """
    if sigma <= sigma_min:
        return noisy
    levels = rho_grid(sigma, sigma_min, steps, rho)
    for current, following in track(pairwise(levels), "probability-flow ODE", "step", steps, is_item=False):
        slope = (noisy - denoise(noisy, current)) / current
        noisy = noisy + (following - current) * slope
    return noisy
