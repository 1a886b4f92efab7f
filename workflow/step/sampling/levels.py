"""The annealing levels of a sample, and how often networks are evaluated in them: known before anything is sampled."""

import math
from dataclasses import dataclass

from step.config.tasks import Annealing, PixelSpace, Sampler
from step.diffusion.grids import rho_grid

DECODED_IN_PIXEL_SPACE = 2
"""Decoded videos of one sample in one level in pixel space; as many are encoded."""


@dataclass(frozen=True)
class Evaluations:
    """How often one sample evaluates its networks, each time on a whole video."""

    decoder: int  # nearly all with a gradient
    denoiser_ode: int
    denoiser_mcmc: int
    decoder_in_pixel_space: int = 0  # those among `decoder` that have no gradient, but an encoding each


def annealing_levels(annealing: Annealing) -> list[float]:
    """Return the K noise levels sigma_0 > ... > sigma_{K-1}: the grid without its end, as the authors have it."""
    return rho_grid(annealing.sigma_max, annealing.sigma_min, annealing.levels, annealing.rho)[:-1]


def uses_pixel_space(sigma: float, pixel_space: PixelSpace) -> bool:
    """Return whether the annealing level `sigma` is sampled in pixel space."""
    return pixel_space.above_sigma is not None and sigma > pixel_space.above_sigma


def evaluations_per_sample(sampler: Sampler) -> Evaluations:
    """Return how often a sample of DAPS with the settings `sampler` evaluates its networks (Table 2)."""
    in_pixel_space = sum(uses_pixel_space(sigma, sampler.pixel_space) for sigma in annealing_levels(sampler.annealing))
    chains = sampler.annealing.levels - in_pixel_space
    gradients = sampler.mcmc.steps + (sampler.mcmc.algorithm == "adapted")  # which takes one where it starts, too
    every = sampler.mcmc.prior_score_every
    scores = gradients if every == 1 else math.ceil(sampler.mcmc.steps / every)
    denoiser_in_mcmc = {"exact": chains * scores, "frozen": chains, "gaussian": 0}
    return Evaluations(
        decoder=chains * gradients + DECODED_IN_PIXEL_SPACE * in_pixel_space,
        denoiser_ode=sampler.annealing.levels * sampler.ode.steps,
        denoiser_mcmc=denoiser_in_mcmc[sampler.mcmc.prior_score],
        decoder_in_pixel_space=DECODED_IN_PIXEL_SPACE * in_pixel_space,
    )
