"""Algorithm 1 as it is written down: one sample at a time, the whole video in one graph, the score at every step.

What the library's sampler is compared with, in the samples that it gives and in the time that it takes. It shares with
it the denoiser and the probability-flow ODE, and nothing of `step.sampling`.
"""

import math

import torch

from step.config.tasks import Sampler
from step.contracts import ForwardModel, Measurement, NoiseSource, VideoPrior
from step.diffusion.denoiser import score
from step.diffusion.grids import rho_grid
from step.diffusion.ode import solve_probability_flow


def sample_as_written_down(
    prior: VideoPrior,
    forward_model: ForwardModel,
    measurement: Measurement,
    source: NoiseSource,
    generator: torch.Generator,
    sampler: Sampler,
    device: torch.device,
) -> torch.Tensor:
    """Return one posterior latent (1, time, latent_channel, latent_y, latent_x) given a `measurement`, a batch of one.

    It takes its noise from `generator` in the order in which `step.sampling.daps` does, so that both give the same
    sample up to rounding, where the sampler has the damped chain, ``prior_score_every`` 1 and no levels in pixel space.
    Raises `ValueError` for another chain, a prior score that is not the exact one, or levels in pixel space.
    """
    annealing, ode, mcmc = sampler.annealing, sampler.ode, sampler.mcmc
    if (mcmc.algorithm, mcmc.prior_score) != ("damped", "exact"):
        raise ValueError(f"the chain is {mcmc.algorithm}, the score {mcmc.prior_score}; Algorithm 1: damped and exact")

    if sampler.pixel_space.above_sigma is not None:
        raise ValueError(f"levels above sigma {sampler.pixel_space.above_sigma} are in pixel space; Algorithm 1: none")

    def of_source() -> torch.Tensor:
        return source.noise(prior.latent_shape, generator)[None].to(device)

    def normal() -> torch.Tensor:
        return torch.randn(prior.latent_shape, generator=generator)[None].to(device)

    sigmas = rho_grid(annealing.sigma_max, annealing.sigma_min, annealing.levels, annealing.rho)[:-1]
    noisy = sigmas[0] * of_source()
    for k, (sigma, following) in enumerate(zip(sigmas, [*sigmas[1:], 0.0], strict=True)):
        state = solve_probability_flow(prior.denoise, noisy, sigma, ode.steps, ode.sigma_min, ode.rho, ode.solver)
        h = math.sqrt(mcmc.step_size_squared * (1 + k / (annealing.levels + 1) * (mcmc.step_decay - 1)))
        h = min(h, sigma) if mcmc.limit_step_to_sigma else h
        momentum = normal()
        for _ in range(mcmc.steps):
            noise = normal()
            gradient = _likelihood_gradient(prior, forward_model, measurement, state, sampler)
            gradient = gradient + (noisy - state) / sigma**2 + score(prior.denoise, state, mcmc.prior_score_sigma)
            momentum = mcmc.damping * momentum + h * gradient + math.sqrt(2 * (1 - mcmc.damping)) * noise
            state = state + h * momentum
        noisy = state + following * of_source()
    return noisy


def _likelihood_gradient(
    prior: VideoPrior, forward_model: ForwardModel, measurement: Measurement, state: torch.Tensor, sampler: Sampler
) -> torch.Tensor:
    """Return the gradient of ``log p(y | D(z))`` at `state`, through decoder and likelihood at once."""
    latent = state.detach().requires_grad_()
    nll = forward_model.negative_log_likelihood(prior.decode(latent), measurement).sum()
    gradient = torch.autograd.grad(-nll, latent)[0]
    if sampler.likelihood.gradient_bound is not None:
        gradient = gradient.clamp(-sampler.likelihood.gradient_bound, sampler.likelihood.gradient_bound)
    return gradient
