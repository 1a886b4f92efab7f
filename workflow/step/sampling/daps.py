"""Decoupled annealing posterior sampling (Algorithm 1)."""

import itertools
import logging
import math
from collections.abc import Sequence
from functools import partial

import torch

from step.config.tasks import Mcmc, Ode, Sampler
from step.contracts import Likelihood, NoiseSource, PosteriorSamples, VideoPrior
from step.diffusion.denoiser import score
from step.diffusion.ode import solve_probability_flow
from step.progress import Progress
from step.sampling.levels import annealing_levels, uses_pixel_space
from step.sampling.mcmc import Gradient, sample_adapted_hamiltonian, sample_damped_hamiltonian
from step.sampling.pixel_space import sample_in_pixel_space
from step.sampling.posterior import Evaluation, LatentLikelihood
from step.sampling.state import Reached, ResumableSampler, SamplingState

log = logging.getLogger(__name__)

Trace = dict[str, list[torch.Tensor]]


class Daps(ResumableSampler):
    """Decoupled annealing posterior sampling, with the settings of ``tasks.<task>.sampler``."""

    def __init__(self, settings: Sampler):
        self.settings = settings

    def sample_on(
        self,
        prior: VideoPrior,
        likelihood: Likelihood,
        noise_sources: Sequence[NoiseSource],
        generators: Sequence[torch.Generator],
        device: torch.device,
        describe: str,
        state: SamplingState | None,
    ) -> PosteriorSamples:
        """Return one posterior latent per generator, as `sample_posterior` explains; all weigh the same.

        Raises `TypeError` for another likelihood than `LatentLikelihood`, of which DAPS uses more than its gradient.
        """
        if not isinstance(likelihood, LatentLikelihood):
            raise TypeError(f"DAPS needs a LatentLikelihood, this is a {type(likelihood).__name__}")
        latents, trace = sample_posterior(
            prior, likelihood, noise_sources, generators, self.settings, device, describe, state
        )
        return PosteriorSamples(latents, {name: torch.stack(levels, dim=1) for name, levels in trace.items()})


def build(settings: Sampler) -> Daps:
    """Return the sampler that `settings` describes."""
    return Daps(settings)


def sample_posterior(
    prior: VideoPrior,
    likelihood: LatentLikelihood,
    noise_sources: Sequence[NoiseSource],
    generators: Sequence[torch.Generator],
    sampler: Sampler,
    device: torch.device,
    describe: str = "sampling",
    state: SamplingState | None = None,
) -> tuple[torch.Tensor, Trace]:
    """Return one posterior latent per generator (batch, time, latent_channel, latent_y, latent_x), and the trace.

    Item i of the batch is sampled with ``noise_sources[i]`` and ``generators[i]`` given item i of the likelihood's
    measurement, and does not depend on the rest of the batch. The trace holds, per annealing level, `sigma` and
    `misfit` of every item. It goes on from where `state` was left, with the same numbers. Raises `FloatingPointError`
    where a latent stops being finite.
    """

    noise = partial(draw_noise, prior, noise_sources, generators, device)
    sigmas = [*annealing_levels(sampler.annealing), 0.0]
    reached = state.read(generators, device) if state else None
    if reached is None:
        first = math.sqrt(sampler.mcmc.step_size_squared)
        reached = Reached(0, sigmas[0] * noise(), [first] * len(generators), {"sigma": [], "misfit": []})
    else:
        log.info("%s: going on after level %d of %d", describe, reached.levels, len(sigmas) - 1)
    done, noisy, trace = reached.levels, reached.noisy, reached.trace
    step_sizes = reached.step_sizes  # of algorithm `adapted`, carried along
    progress = Progress(describe, len(sigmas) - 1, "level", done)
    for k, sigma in enumerate(progress.through(sigmas[done:-1]), start=done):
        clean = solve(prior, noisy, sigma, sampler.ode)
        place = f"{describe}: a latent is not finite at annealing level {k + 1} of {len(sigmas) - 1}"
        clean, video, step_sizes = sample_level(
            prior, likelihood, noisy, clean, sigma, k, step_sizes, sampler, generators, place
        )
        trace["sigma"].append(torch.full((len(generators),), sigma))
        trace["misfit"].append(likelihood.misfit(video))
        progress.note(sigma=sigma, misfit=trace["misfit"][-1].mean().item())
        noisy = clean + sigmas[k + 1] * noise()
        if state:
            state.write(Reached(k + 1, noisy, step_sizes, trace), generators)
    return noisy, trace


def draw_noise(
    prior: VideoPrior,
    noise_sources: Sequence[NoiseSource],
    generators: Sequence[torch.Generator],
    device: torch.device,
) -> torch.Tensor:
    """Return noise (batch, time, latent_channel, latent_y, latent_x), each item of its own source and generator."""
    pairs = zip(noise_sources, generators, strict=True)
    return torch.stack([source.noise(prior.latent_shape, generator) for source, generator in pairs]).to(device)


def sample_level(
    prior: VideoPrior,
    likelihood: LatentLikelihood,
    noisy: torch.Tensor,
    solution: torch.Tensor,
    sigma: float,
    k: int,
    step_sizes: list[float],
    sampler: Sampler,
    generators: Sequence[torch.Generator],
    place: str,
) -> tuple[torch.Tensor, torch.Tensor, list[float]]:
    """Return latents given the measurement at the level `k` of noise `sigma`, their videos, and the next step sizes.

    `noisy` are the latents at that level, `solution` the PF-ODE's solutions from them, where chains start, and
    `step_sizes` those that the algorithm `adapted` goes on from. Raises `FloatingPointError`, which begins with
    `place`, where a latent is not finite.
    """
    step_size = step_size_at(k, sigma, sampler)
    if uses_pixel_space(sigma, sampler.pixel_space):
        clean, video = sample_in_pixel_space(likelihood, solution, sigma, sampler.pixel_space, generators)
    else:
        target = PosteriorGivenNoisy(prior, likelihood, noisy, solution, sigma, sampler.mcmc)
        clean, video, step_sizes = sample_chain(target, solution, sigma, k, step_sizes, sampler, generators)
    if not torch.isfinite(clean).all():
        raise FloatingPointError(
            f"{place} (sigma {sigma:.4g}, h {step_size:.4g}); lower sampler.mcmc.step_size_squared or "
            "sampler.likelihood.gradient_bound"
        )
    return clean, video, step_sizes


def sample_chain(
    target: "PosteriorGivenNoisy",
    start: torch.Tensor,
    sigma: float,
    k: int,
    step_sizes: list[float],
    sampler: Sampler,
    generators: Sequence[torch.Generator],
) -> tuple[torch.Tensor, torch.Tensor, list[float]]:
    """Return the latents after the chain of the level `k` from `start`, their videos, and the next step sizes."""
    mcmc = sampler.mcmc
    if mcmc.algorithm != "damped":
        return _sample_adapted(target, start, sigma, step_sizes, mcmc, generators)
    step_size = step_size_at(k, sigma, sampler)
    state = sample_damped_hamiltonian(target, start, mcmc.steps, step_size, mcmc.damping, generators)
    return state, target.video, step_sizes


class PosteriorGivenNoisy:
    """The density ``p(z0 | z_sigma, y)``: measurement, noisy latent and prior, the last in one of three ways.

    It is ``log p(y | D(z)) - |z - c|^2 / 2v + log p(z)``, c the noisy latent and v = sigma^2, and of log p(z) there is
    the gradient alone, the prior's score.

    `exact` evaluates the prior's score along the chain, at every step or at every few: it changes slowly compared with
    the measurement's part, and costs a network. `frozen` evaluates it once, at the PF-ODE's solution.
    `gaussian` replaces it, together with the noisy latent's term, by a Gaussian around the PF-ODE's solution.
    """

    video: torch.Tensor
    """Decoded at the state of the latest call; there is none before the first one."""

    def __init__(
        self,
        prior: VideoPrior,
        likelihood: LatentLikelihood,
        noisy: torch.Tensor,
        ode_solution: torch.Tensor,
        sigma: float,
        mcmc: Mcmc,
    ):
        self._likelihood = likelihood
        self._centre, self._variance = noisy, sigma**2
        if mcmc.prior_score == "gaussian":
            self._centre, self._variance = ode_solution, (mcmc.gaussian_width * sigma) ** 2
        self.score = _prior_score(prior, ode_solution, mcmc)
        self.score_every = mcmc.prior_score_every if mcmc.prior_score == "exact" else 1
        self._reused_score = _reused(self.score, self.score_every)

    def __call__(self, latent: torch.Tensor) -> torch.Tensor:
        """Return the gradient at `latent`, with the score of the last few calls."""
        gradient, self.video = self._likelihood.gradient(latent)
        return gradient + (self.pull(latent) + self._reused_score(latent))

    def measured(self, latent: torch.Tensor) -> Evaluation:
        """Return ``-log p(y | D(z))``, the gradient of ``log p(y | D(z))`` and the video D(z) at `latent`."""
        return self._likelihood.evaluate(latent)

    def pull(self, latent: torch.Tensor) -> torch.Tensor:
        """Return ``(c - z) / v``."""
        return (self._centre - latent) / self._variance


def step_size_at(k: int, sigma: float, sampler: Sampler) -> float:
    """Return h of annealing level `k`: the square root of eta_k, at most `sigma` where the settings say so."""
    mcmc = sampler.mcmc
    eta = mcmc.step_size_squared * (1 + k / (sampler.annealing.levels + 1) * (mcmc.step_decay - 1))
    return min(math.sqrt(eta), sigma) if mcmc.limit_step_to_sigma else math.sqrt(eta)


def _sample_adapted(
    target: PosteriorGivenNoisy,
    start: torch.Tensor,
    sigma: float,
    step_sizes: Sequence[float],
    mcmc: Mcmc,
    generators: Sequence[torch.Generator],
) -> tuple[torch.Tensor, torch.Tensor, list[float]]:
    """Return latents and videos after a level's adapted chain, and the step sizes that the next level starts from."""
    longest = sigma if mcmc.limit_step_to_sigma else math.inf
    try:
        sampled = sample_adapted_hamiltonian(
            target, start, mcmc.steps, step_sizes, longest, mcmc.damping, mcmc.acceptance, generators
        )
    except FloatingPointError as error:
        raise FloatingPointError(f"{error} (sigma {sigma:.4g})") from error
    return sampled.state, sampled.video, sampled.step_sizes


def _prior_score(prior: VideoPrior, ode_solution: torch.Tensor, mcmc: Mcmc) -> Gradient:
    if mcmc.prior_score == "exact":
        return lambda latent: score(prior.denoise, latent, mcmc.prior_score_sigma)
    if mcmc.prior_score == "frozen":
        frozen = score(prior.denoise, ode_solution, mcmc.prior_score_sigma)
    else:
        frozen = torch.zeros_like(ode_solution)
    return lambda latent: frozen


def _reused(gradient: Gradient, steps: int) -> Gradient:
    """Return `gradient` evaluated at every `steps`-th call, the first among them, and its last value in between."""
    last: list[torch.Tensor] = []
    calls = itertools.count()

    def reused(latent: torch.Tensor) -> torch.Tensor:
        if next(calls) % steps == 0:
            last[:] = [gradient(latent)]
        return last[0]

    return reused


def solve(prior: VideoPrior, noisy: torch.Tensor, sigma: float, ode: Ode) -> torch.Tensor:
    """Return the solution of the probability-flow ODE from `noisy` at the level `sigma`."""
    return solve_probability_flow(prior.denoise, noisy, sigma, ode.steps, ode.sigma_min, ode.rho, ode.solver)
