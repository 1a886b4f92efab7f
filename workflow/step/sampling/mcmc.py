"""The Markov chain that draws z0 given the noisy latent and the measurement (Eqs. 5, 6)."""

import math
from collections.abc import Callable, Sequence

import torch

Gradient = Callable[[torch.Tensor], torch.Tensor]
"""The gradient of the target's log density at z, same shape as z."""


def sample_damped_hamiltonian(
    gradient: Gradient,
    start: torch.Tensor,
    steps: int,
    step_size: float,
    damping: float,
    generators: Sequence[torch.Generator],
) -> torch.Tensor:
    """Return the chain's state after `steps` steps from `start`, whose target has the log-density `gradient`.

    ``p <- gamma p + h grad + sqrt(2 (1 - gamma)) n``, ``z <- z + h p`` with step size h and damping gamma; with
    gamma = 0 it is Langevin Monte Carlo of step h^2. There is no Metropolis correction: the target is exact up to
    terms of order h^2. `generators` holds one generator per item of the batch.
    """
    state = start
    momentum = draw_noise(state, generators)
    for _ in range(steps):
        noise = draw_noise(state, generators)
        momentum = damping * momentum + step_size * gradient(state) + math.sqrt(2 * (1 - damping)) * noise
        state = state + step_size * momentum
    return state


def draw_noise(like: torch.Tensor, generators: Sequence[torch.Generator]) -> torch.Tensor:
    """Return standard normal noise of the shape of `like`, each item from its own generator."""
    items = [torch.randn(like.shape[1:], generator=generator) for generator in generators]
    return torch.stack(items).to(like)
