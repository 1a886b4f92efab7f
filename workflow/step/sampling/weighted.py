"""DAPS with weights: samples of one measurement annealed together, so that modes have their share of the posterior.

DAPS by itself (Algorithm 1) starts every chain at the PF-ODE's solution, in a mode that the noise chose. Chains do not
cross from mode to mode, so modes keep the share that they have in the prior, whatever the data say. Here N particles
are a sequential Monte Carlo sampler (Del Moral, Doucet, Jasra 2006) of ``p(z) p(y | D(z))^beta``, whose power beta
rises as the noise falls:

    z_i <- sigma_0 n_i,  beta_{-1} <- 0,  log w_i <- 0
    for k = 0 .. K-1:
        x_i <- PF-ODE from (z_i, sigma_k)
        log w_i += beta_k log p(y | D(x_i)) - beta_{k-1} log p(y | D(z0_i))       z0_i of the level before
        resample where few of the particles have all of the weight
        z0_i <- chain from x_i that targets p(z0 | x_i + sigma_k n_i') p(y | D(z0))^beta_k
        z_i <- z0_i + sigma_{k+1} n_i

``beta_k = 1 / (1 + (sigma_k / c)^2)``, and 1 at the last level: tied to the noise, since what noise moves away is
selected for nothing.

Many data weigh particles so far apart that this ladder leaves one of them. Then (`kept_by_rise`) beta_k is the largest
below that which keeps a share of the effective size, and after the last noise level the power goes on rising without
noise, as in a plain sequential Monte Carlo sampler: ``log w_i += (beta_k - beta_{k-1}) log p(y | D(z_i))``, resample,
and a chain that targets ``p(z) p(y | D(z))^beta_k``. A measurement that determines n numbers of a latent takes about
``sqrt(n / 2) log(beta_K / beta_0)`` such levels; where there are fewer the power jumps at the last one, and the weights
collapse, which the log says. Or the power ends where it could be reached (`final_power`), and the samples are those of
a tempered posterior.

Why the weights are right: noise and the PF-ODE together take p(z) to p(z), so a particle that they bring from z0 to x
has the incremental weight ``p(y|x)^beta_k / p(y|z0)^beta_{k-1}`` (the backward kernel is the move's reversal under the
prior). The chain then leaves ``p(z) p(y|D(z))^beta_k`` as it is, since its noisy latent is one of x, however short it
is and though it stays in its mode. What remains is the error of the ODE's steps, of the network, and of a chain without
a Metropolis test. Taken after the chain, which has moved each particle to where its mode fits best, increments would
weigh every mode by its best instead of its mean. With x in the place of z0 the increment is
``(beta_k - beta_{k-1}) log p(y | D(x_i))``: what the noise moves a particle by is then left out.
"""

import json
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from step.config.sections import Count, Fraction, Positive, Section
from step.config.tasks import Sampler
from step.contracts import Likelihood, NoiseSource, PosteriorSamples, VideoPrior
from step.frames import by_frames
from step.particles import effective_size, resample_systematically
from step.progress import Progress
from step.sampling.daps import PosteriorGivenNoisy, draw_noise, sample_chain, sample_level, solve
from step.sampling.levels import annealing_levels
from step.sampling.mcmc import sample_uniform
from step.sampling.posterior import LatentLikelihood
from step.sampling.state import ResumableSampler, SamplingState, levels_of, named_levels
from step.seeds import derive_seed

log = logging.getLogger(__name__)

TRACED = ("sigma", "power", "misfit", "effective_size", "resampled")
"""What the trace holds of each level: the noise, beta, each sample's misfit, the size before resampling, 0 or 1."""

LEAST_POWER, POWERS = 1e-9, 400
"""The least power that is tried, as a share of the highest, and how many between them are."""

BISECTIONS = 30
"""Halvings of the interval, in log sigma, in which a level is put in."""


class Settings(Section):
    """How particles are weighted; the noise levels, chains and likelihood are those of the task's `sampler`."""

    particles: Annotated[int, Field(ge=2, strict=True)] = Field(
        description="samples of one measurement that are annealed together, an island; a job takes whole islands"
    )
    tempering_sigma: Positive = Field(
        description="c: the likelihood has the power 1 / (1 + (sigma / c)^2) at the noise level sigma, in units of the "
        "latent; it should be below the distance of modes"
    )
    resample_below: Fraction = Field(
        description="effective size, as a share of the particles, below which they are resampled"
    )
    insert_below: Fraction = Field(
        description="where the next level would leave an effective size below this share of the present one, a level "
        "is put in before it"
    )
    inserted_levels: Annotated[int, Field(ge=0, strict=True)] = Field(description="levels that are put in, at most")
    kept_by_rise: Fraction | None = Field(
        description="the likelihood's power rises no further than leaves this share of the present effective size; "
        "what is then missing at the last noise level it gains without noise, in levels that are put in there, not "
        "between. null: the power follows the noise alone"
    )
    final_power: Annotated[float, Field(gt=0, le=1)] = Field(
        description="the likelihood's power at the end: 1 is the posterior, less a tempered one, at the temperature of "
        "one over it, whose modes and intervals are wider; tables and the log name it so"
    )
    trusted_size: Count = Field(
        description="effective size below which the log says that the weights cannot be trusted"
    )


@dataclass
class Island:
    """Particles of one measurement, between two levels."""

    levels: list[tuple[int, float]]  # the noise levels to come, and their numbers
    left: int  # levels that may still be put in

    latents: torch.Tensor  # (particle, time, latent_channel, latent_y, latent_x), with the noise of the level to come
    log_weights: np.ndarray  # (particle,)
    ancestors: np.ndarray  # (particle,) which start each goes back to
    step_sizes: list[float]  # of the algorithm `adapted`
    nll: np.ndarray  # (particle,) -log p(y | D(z)) where the latest chains ended
    power: float = 0.0  # beta so far
    size: float = math.inf  # effective, before the latest resampling
    smallest_size: float = math.inf
    trace: dict[str, list[torch.Tensor]] = field(default_factory=lambda: {name: [] for name in TRACED})

    def weigh(self, negative_log_likelihoods: torch.Tensor, power: float) -> None:
        """Give particles that moved, and have these ``-log p(y | D(x))`` (particle,), the power `power`."""
        self.log_weights = self.log_weights - power * negative_log_likelihoods.cpu().numpy() + self.power * self.nll
        self.power = power

    def record(self, sigma: float, misfits: torch.Tensor, was_resampled: bool) -> None:
        """Add a level to the trace; `misfits` are (particle,)."""
        of_all = (sigma, self.power, self.size, float(was_resampled))
        level = [torch.full((len(misfits),), value) for value in of_all]
        for name, values in zip(TRACED, (level[0], level[1], misfits.cpu(), level[2], level[3]), strict=True):
            self.trace[name].append(values)

    def take(self, indices: np.ndarray) -> None:
        """Put the particles `indices` in the places of all; each then has the mean weight."""
        self.ancestors = self.ancestors[indices]
        self.step_sizes = [self.step_sizes[index] for index in indices]
        mean = np.logaddexp.reduce(self.log_weights) - math.log(len(indices))
        self.log_weights = np.full(len(indices), mean)


class WeightedDaps(ResumableSampler):
    """Decoupled annealing posterior sampling with weights: `settings` as DAPS has them, and its `weighting`."""

    def __init__(self, settings: Sampler, weighting: Settings):
        self.settings = settings
        self.weighting = weighting

    @property
    def particles(self) -> int:
        """How many samples an island has."""
        return self.weighting.particles

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
        """Return one latent per generator, all of one measurement, with their log-weights and ancestors.

        The log-weights are not normalised: their mean (of the weights themselves) estimates p(y), up to the
        likelihood's constant, so that samples of several islands can be put together. The trace has what `TRACED`
        names. Particle i has its own noise, whichever it was resampled from. Raises `TypeError` for another likelihood
        than `LatentLikelihood`, `FloatingPointError` where a latent stops being finite.
        """
        if not isinstance(likelihood, LatentLikelihood):
            raise TypeError(f"weighted DAPS needs a LatentLikelihood, this is a {type(likelihood).__name__}")
        noise = partial(draw_noise, prior, noise_sources, generators, device)
        # Of the island, whatever noise its particles take.
        common = torch.Generator().manual_seed(derive_seed(generators[0].initial_seed(), "resampling"))
        grid = annealing_levels(self.settings.annealing)
        island = read_island(state, [*generators, common], device) if state else None
        if island is None:
            island = self._new_island(grid, noise())
        else:
            log.info("%s: going on after %d levels", describe, len(island.trace["sigma"]))
        with Progress(describe, len(grid), "level", len(grid) - len({k for k, _ in island.levels})) as progress:
            while island.levels:
                k = island.levels[0][0]
                self._anneal(prior, likelihood, island, noise, generators, common, f"{describe}: level {k + 1}")
                progress.note(
                    sigma=island.trace["sigma"][-1][0].item(),
                    misfit=island.trace["misfit"][-1].mean().item(),
                    effective=island.size,
                )
                if not island.levels or island.levels[0][0] > k:
                    progress.advance()
                if state:
                    write_island(state, island, [*generators, common])
        while island.power < self.weighting.final_power:
            self._settle(prior, likelihood, island, generators, common, describe)
            if state:
                write_island(state, island, [*generators, common])
        self._report(island, describe)
        return PosteriorSamples(
            island.latents,
            {name: torch.stack(values, dim=1) for name, values in island.trace.items()},
            torch.from_numpy(island.log_weights),
            torch.from_numpy(island.ancestors),
        )

    def _new_island(self, grid: Sequence[float], noise: torch.Tensor) -> Island:
        n_particles = len(noise)
        return Island(
            list(enumerate(grid)),
            self.weighting.inserted_levels,
            grid[0] * noise,
            np.zeros(n_particles),
            np.arange(n_particles),
            [math.sqrt(self.settings.mcmc.step_size_squared)] * n_particles,
            np.zeros(n_particles),
        )

    def _anneal(
        self,
        prior: VideoPrior,
        likelihood: LatentLikelihood,
        island: Island,
        noise: Callable[[], torch.Tensor],
        generators: Sequence[torch.Generator],
        common: torch.Generator,
        place: str,
    ) -> None:
        """Take the `island` through its next noise level, and put one in after it if it needs one."""
        k, sigma = island.levels.pop(0)
        solution = solve(prior, island.latents, sigma, self.settings.ode)
        nll = where_weighed(likelihood, solution)
        island.weigh(nll, self._power(sigma, nll.cpu().numpy(), island, is_last=not island.levels))
        resampled = self._resample_if_few(island, common)
        if resampled is not None:
            solution = solution[resampled]
        clean, video, island.step_sizes = sample_level(
            prior,
            likelihood.tempered(island.power),
            solution + sigma * noise(),
            solution,
            sigma,
            k,
            island.step_sizes,
            self.settings,
            generators,
            f"{place}: a latent is not finite",
        )
        island.nll = _fit(likelihood, clean).cpu().numpy()
        island.record(sigma, likelihood.misfit(video), resampled is not None)
        following = island.levels[0][1] if island.levels else 0.0
        between = self.level_between(sigma, following, island) if island.left and not self.adapts else None
        if between is not None:
            island.levels.insert(0, (k, between))
            following, island.left = between, island.left - 1
        island.latents = clean + following * noise()

    @property
    def adapts(self) -> bool:
        """Whether the power rises no further than the effective size allows."""
        return self.weighting.kept_by_rise is not None

    def power_at(self, sigma: float) -> float:
        """Return beta at the noise level `sigma`: ``1 / (1 + (sigma / c)^2)``, times the final one."""
        return self.weighting.final_power / (1 + (sigma / self.weighting.tempering_sigma) ** 2)

    def _power(self, sigma: float, nll: np.ndarray, island: Island, is_last: bool) -> float:
        """Return beta at the noise level `sigma` for particles of ``-log p(y | D(x))`` `nll` (particle,)."""
        if not self.adapts:
            return self.weighting.final_power if is_last else self.power_at(sigma)
        return self.affordable_power(nll, self.power_at(sigma), island)

    def affordable_power(self, nll: np.ndarray, highest: float, island: Island) -> float:
        """Return the largest power up to the `highest` at which the effective size is as large as it is to be.

        `nll` (particle,) are the particles' ``-log p(y | D(x))`` now, which may have moved since the `island` was
        weighed. Where no power leaves enough it is the one that leaves most: less than before, if noise has undone what
        the particles were weighed for.
        """
        smallest = (self.weighting.kept_by_rise or 0.0) * effective_size(island.log_weights)
        before = island.log_weights + island.power * island.nll
        powers = np.append(highest * np.geomspace(1, LEAST_POWER, POWERS), 0.0)
        sizes = np.array([effective_size(before - power * nll) for power in powers])
        enough = np.flatnonzero(sizes >= smallest)
        return float(powers[enough[0] if len(enough) else sizes.argmax()])

    def _settle(
        self,
        prior: VideoPrior,
        likelihood: LatentLikelihood,
        island: Island,
        generators: Sequence[torch.Generator],
        common: torch.Generator,
        describe: str,
    ) -> None:
        """Take the `island` through a level without noise: the power rises, and a chain follows it."""
        final, island.left = self.weighting.final_power, island.left - 1
        power = final if island.left <= 0 else self._next_power(island)
        island.weigh(torch.from_numpy(island.nll), power)
        resampled = self._resample_if_few(island, common)
        start = island.latents if resampled is None else island.latents[resampled]
        target = PosteriorGivenNoisy(prior, likelihood.tempered(power), start, start, math.inf, self.settings.mcmc)
        last = self.settings.annealing.levels - 1
        island.latents, video, island.step_sizes = sample_chain(
            target, start, math.inf, last, island.step_sizes, self.settings, generators
        )
        if not torch.isfinite(island.latents).all():
            raise FloatingPointError(
                f"{describe}: a latent is not finite at the power {power:.3g}, without noise; lower "
                "sampler.mcmc.step_size_squared or sampler.likelihood.gradient_bound"
            )
        island.nll = _fit(likelihood, island.latents).cpu().numpy()
        island.record(0.0, likelihood.misfit(video), resampled is not None)
        log.debug("%s: power %.3g of %.3g, effective size %.1f", describe, power, final, island.size)

    def _next_power(self, island: Island) -> float:
        """Return the power of the next level without noise, by halving the interval; it always rises a little."""
        smallest = (self.weighting.kept_by_rise or 0.0) * effective_size(island.log_weights)
        final = self.weighting.final_power

        def keeps_enough(power: float) -> bool:
            return effective_size(island.log_weights - (power - island.power) * island.nll) >= smallest

        if keeps_enough(final):
            return final
        low, high = math.log(max(island.power, LEAST_POWER * final)), math.log(final)
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            low, high = (middle, high) if keeps_enough(math.exp(middle)) else (low, middle)
        return math.exp(high)

    def level_between(self, sigma: float, following: float, island: Island) -> float | None:
        """Return a level between `sigma` and the `following` one, if that would leave too small an effective size.

        How much it would leave is foretold by the likelihood where the chains ended, so it costs no network. The level
        is the lowest that leaves enough. After the last level there is none.
        """
        if following == 0:
            return None
        smallest = self.weighting.insert_below * effective_size(island.log_weights)

        def leaves_enough(level: float) -> bool:
            rise = self.power_at(level) - island.power
            return effective_size(island.log_weights - rise * island.nll) >= smallest

        if leaves_enough(following):
            return None
        low, high = math.log(following), math.log(sigma)
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            low, high = (low, middle) if leaves_enough(math.exp(middle)) else (middle, high)
        return math.exp(high)

    def _resample_if_few(self, island: Island, generator: torch.Generator) -> np.ndarray | None:
        """Resample the `island` if its effective size is small; return which particles were put in all places."""
        island.size = effective_size(island.log_weights)
        island.smallest_size = min(island.smallest_size, island.size)
        if not island.size < self.weighting.resample_below * self.weighting.particles:
            return None
        indices = resample_systematically(island.log_weights, sample_uniform(generator))
        island.take(indices)
        return indices

    def _report(self, island: Island, describe: str) -> None:
        n_resampled = int(sum(level[0].item() for level in island.trace["resampled"]))
        n_ancestors = len(np.unique(island.ancestors))
        log.info(
            "%s: effective size %.1f of %d, at least %.1f; %d resamplings, %d ancestors; log evidence %.2f",
            describe,
            island.size,
            len(island.ancestors),
            island.smallest_size,
            n_resampled,
            n_ancestors,
            np.logaddexp.reduce(island.log_weights) - math.log(len(island.log_weights)),
        )
        if island.power < 1:
            log.warning(
                "%s: samples of a tempered posterior: the likelihood has the power %.3g (temperature %.3g)",
                describe,
                island.power,
                1 / island.power,
            )
        if min(island.smallest_size, n_ancestors) < self.weighting.trusted_size:
            log.warning(
                "%s: the weights cannot be trusted: an effective size of %.1f and %d ancestors, both should be %d or "
                "more; take more particles, or more annealing levels",
                describe,
                island.smallest_size,
                n_ancestors,
                self.weighting.trusted_size,
            )


def build_on(ours: Sampler, settings: Settings) -> WeightedDaps:
    """Return the sampler that `settings` describes, with the levels and chains of the paper's, `ours`."""
    return WeightedDaps(ours, settings)


KEPT = ("latents", "log_weights", "ancestors", "nll", "step_sizes")
"""What is kept of an island in tensors (particle, ...), by its fields."""

NUMBERS = ("levels", "left", "power", "size", "smallest_size")
"""What is kept of it in numbers."""


def write_island(state: SamplingState, island: Island, generators: Sequence[torch.Generator]) -> None:
    """Keep where the `island` is."""
    tensors = {name: torch.as_tensor(getattr(island, name)) for name in KEPT if name != "step_sizes"}
    tensors["step_sizes"] = torch.tensor(island.step_sizes, dtype=torch.float64)
    numbers = json.dumps({name: getattr(island, name) for name in NUMBERS})
    state.write_tensors(tensors | named_levels(island.trace), {"island": numbers}, generators)


def read_island(state: SamplingState, generators: Sequence[torch.Generator], device: torch.device) -> Island | None:
    """Return where the island was, and set `generators` to what they were there; None at its beginning."""
    kept = state.read_tensors(generators)
    if kept is None:
        return None
    tensors, metadata = kept
    numbers = json.loads(metadata["island"])
    levels = [(int(k), float(sigma)) for k, sigma in numbers.pop("levels")]
    return Island(
        levels=levels,
        latents=tensors["latents"].to(device),
        log_weights=tensors["log_weights"].numpy(),
        ancestors=tensors["ancestors"].numpy(),
        step_sizes=tensors["step_sizes"].tolist(),
        nll=tensors["nll"].numpy(),
        trace=levels_of(tensors, torch.device("cpu")),
        **numbers,
    )


def where_weighed(likelihood: LatentLikelihood, solution: torch.Tensor) -> torch.Tensor:
    """Return ``-log p(y | D(z))`` (particle,) at the PF-ODE's solutions, before a chain fits them to the data."""
    return _fit(likelihood, solution)


def _fit(likelihood: LatentLikelihood, latents: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        video = by_frames(likelihood.prior.decode, latents, likelihood.frames_per_chunk)
    return likelihood.negative_log_likelihood(video)
