"""The Markov chains that sample z0 given the noisy latent and the measurement: damped (Eqs. 5, 6) or adapted."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import torch

from step.progress import track
from step.sampling.posterior import Evaluation

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
    momentum = sample_noise(state, generators)
    for _ in track(range(steps), "Markov chain", "step"):
        noise = sample_noise(state, generators)
        momentum = damping * momentum + step_size * gradient(state) + math.sqrt(2 * (1 - damping)) * noise
        state = state + step_size * momentum
    return state


class Target(Protocol):
    """A density in the parts that a Metropolis test needs: ``log pi = log p(y | D(z)) - |z - c|^2 / 2v + log p(z)``.

    The first part has a value and a gradient, the second is a Gaussian, and of the last only the gradient is known.
    """

    score_every: int
    """Steps from one evaluation of `score` to the next; 1 where it is evaluated at every state."""

    def measured(self, latent: torch.Tensor) -> Evaluation:
        """Return value and gradient of the measurement's part."""
        ...

    def pull(self, latent: torch.Tensor) -> torch.Tensor:
        """Return the Gaussian's gradient ``(c - z) / v``."""
        ...

    def score(self, latent: torch.Tensor) -> torch.Tensor:
        """Return the gradient of ``log p(z)``, which costs a network."""
        ...


class AdaptedSamples(NamedTuple):
    """Where an adapted chain ended."""

    state: torch.Tensor  # the latent
    video: torch.Tensor  # decoded from it
    step_sizes: list[float]  # of every item, as adapted
    acceptances: list[float]  # of every item: the mean probability of acceptance once its step size was fixed


@dataclass(frozen=True)
class Point:
    """A state of the chain, and what was evaluated there; the leading axis of each is the batch."""

    latent: torch.Tensor
    measured: Evaluation
    pull: torch.Tensor
    score: torch.Tensor

    @property
    def force(self) -> torch.Tensor:
        """The gradient of the log density; where the likelihood's is bounded, still a function of the state alone."""
        return self.measured.gradient + self.pull + self.score


def sample_adapted_hamiltonian(
    target: Target,
    start: torch.Tensor,
    steps: int,
    step_sizes: Sequence[float],
    longest: float,
    damping: float,
    acceptance: float,
    generators: Sequence[torch.Generator],
) -> AdaptedSamples:
    """Return the chain's end after `steps` steps from `start` of Horowitz's generalised Hamiltonian Monte Carlo.

    A step is ``p <- gamma p + sqrt(1 - gamma^2) n``, one leapfrog step of size h to (z', p'), and a Metropolis test:
    (z', p') with probability ``min(1, exp(H(z, p) - H(z', p')))``, else (z, -p), where ``H = |p|^2 / 2 - log pi(z)``.
    It takes one gradient of the likelihood, and the start one more. Every item has its own step size h, generator and
    test. In the first half of the steps (`steps` // 2) h is adapted towards the probability `acceptance`, from
    `step_sizes` on and never above `longest`; in the second half it is the adapted average.

    What holds, up to rounding: once h is fixed, a step leaves ``pi(z) N(p; 0, I)`` unchanged. It is in detailed balance
    with it up to a flip of the momentum, and with gamma = 0 (the Metropolis-adjusted Langevin algorithm) z by itself
    is in detailed balance with pi. A bound on the likelihood's gradient does not change that. It takes a `score` that
    is constant, or linear in z with a symmetric matrix and evaluated at every state. For any other score evaluated at
    every state ``log p(z') - log p(z)`` is the trapezoid rule's, with an error of third order in z' - z: small where
    an item has many numbers, since an accepted step then moves each by little. A score that is held for `score_every`
    > 1 steps enters as the density ``exp(score . z)``: each test is exact for that one, but the density changes from
    one evaluation to the next, and neither test nor adaptation see the curvature of ``log p(z)``.
    Raises `FloatingPointError` where the likelihood at `start` is not finite; a state where it is not is never entered.
    """
    adaptations = [DualAveraging(step_size, acceptance, longest) for step_size in step_sizes]
    here = _evaluate(target, start, target.score(start))
    if not torch.isfinite(here.measured.negative_log_likelihood).all():
        raise FloatingPointError("the likelihood is not finite where the Markov chain starts")
    momentum = sample_noise(start, generators)
    totals = [0.0] * len(generators)
    held = target.score_every > 1
    adapted = steps // 2
    for number in track(range(steps), "Markov chain", "step"):
        if held and number and number % target.score_every == 0:
            here = replace(here, score=target.score(here.latent))
        h = [one.step_size if number < adapted else one.averaged for one in adaptations]
        momentum = damping * momentum + math.sqrt(1 - damping**2) * sample_noise(start, generators)
        there, arriving = leapfrog(target, here, momentum, _per_item(h, start), here.score if held else None)
        probabilities = acceptance_probabilities(here, momentum, there, arriving)
        accepted = _per_item([sample_uniform(one) < p for one, p in zip(generators, probabilities, strict=True)], start)
        here, momentum = _choose(accepted, there, here), torch.where(accepted, arriving, -momentum)
        for item, probability in enumerate(probabilities):
            if number < adapted:
                adaptations[item].update(probability)
            else:
                totals[item] += probability / (steps - adapted)
    return AdaptedSamples(here.latent, here.measured.video, [one.averaged for one in adaptations], totals)


def leapfrog(
    target: Target, here: Point, momentum: torch.Tensor, h: torch.Tensor, held_score: torch.Tensor | None = None
) -> tuple[Point, torch.Tensor]:
    """Return state and momentum after ``p <- p + h/2 f(z)``, ``z <- z + h p``, ``p <- p + h/2 f(z)``, with force f.

    `h` broadcasts against the latent. The score of the new state is evaluated, or `held_score`.
    """
    halfway = momentum + h / 2 * here.force
    latent = here.latent + h * halfway
    there = _evaluate(target, latent, target.score(latent) if held_score is None else held_score)
    return there, halfway + h / 2 * there.force


def acceptance_probabilities(here: Point, momentum: torch.Tensor, there: Point, arriving: torch.Tensor) -> list[float]:
    """Return ``min(1, exp(H(z, p) - H(z', p')))`` of every item; 0 where it is not a number.

    The prior's part of it is ``(z' - z) . (f(z) + f(z')) / 2``, f its gradient: exact for a quadratic log density.
    """
    # In float64 and summed item by item: neither float32's rounding of long sums nor the batch may decide a test.
    z, p, prior = (part.double() for part in (here.latent, momentum, here.pull + here.score))
    z_there, p_there, prior_there = (part.double() for part in (there.latent, arriving, there.pull + there.score))
    terms = ((z_there - z) * (prior + prior_there) + (p - p_there) * (p + p_there)) / 2
    falls = torch.stack([item.sum() for item in terms])
    falls += here.measured.negative_log_likelihood - there.measured.negative_log_likelihood
    return [math.exp(min(fall, 0.0)) if math.isfinite(fall) else 0.0 for fall in falls.tolist()]


class DualAveraging:
    """The step size of one item, adapted to a probability of acceptance (Hoffman and Gelman 2014, section 3.2).

    ``log h_{t+1} = mu - sqrt(t) / (gamma (t + t0)) sum_{i <= t} (delta - alpha_i)``, and the average
    ``log hbar_{t+1} = t^-kappa log h_{t+1} + (1 - t^-kappa) log hbar_t``. alpha_i is a probability of acceptance, delta
    what its mean should be.
    """

    # Deviation from their section 3.2: gamma is 0.1 instead of 0.05, because a probability of one leapfrog step is
    # noisier than the mean over a trajectory, and mu is log h_1 instead of log 10 h_1, because h_1 is the last level's.
    GAMMA, T0, KAPPA = 0.1, 10, 0.75

    def __init__(self, start: float, acceptance: float, longest: float):
        self._longest = math.log(longest) if math.isfinite(longest) else math.inf
        self._mu = self._log_step = self._log_average = min(math.log(start), self._longest)
        self._acceptance = acceptance
        self._shortfall = 0.0
        self._t = 0

    @property
    def step_size(self) -> float:
        """h to try next."""
        return math.exp(self._log_step)

    @property
    def averaged(self) -> float:
        """The average of h so far; the start before any update."""
        return math.exp(self._log_average)

    def update(self, probability: float) -> None:
        """Take in the probability of acceptance of a step of size `step_size`."""
        self._t += 1
        self._shortfall += self._acceptance - probability
        gain = math.sqrt(self._t) / (self.GAMMA * (self._t + self.T0))
        self._log_step = min(self._mu - gain * self._shortfall, self._longest)
        weight = self._t**-self.KAPPA
        self._log_average = weight * self._log_step + (1 - weight) * self._log_average


def sample_noise(like: torch.Tensor, generators: Sequence[torch.Generator]) -> torch.Tensor:
    """Return standard normal noise of the shape of `like`, each item from its own generator."""
    items = [torch.randn(like.shape[1:], generator=generator) for generator in generators]
    return torch.stack(items).to(like)


def sample_uniform(generator: torch.Generator) -> float:
    """Return a number that is uniform on [0, 1)."""
    return torch.rand((), dtype=torch.float64, generator=generator).item()


def _evaluate(target: Target, latent: torch.Tensor, score: torch.Tensor) -> Point:
    return Point(latent, target.measured(latent), target.pull(latent), score)


def _choose(which: torch.Tensor, one: Point, other: Point) -> Point:
    """Return `one` for the items where `which` (batch, 1, ...) holds, else `other`."""

    def choose(mine: torch.Tensor, its: torch.Tensor) -> torch.Tensor:
        return torch.where(which.reshape(-1, *[1] * (mine.ndim - 1)), mine, its)

    measured = Evaluation(*map(choose, one.measured, other.measured))
    rest = (choose(getattr(one, name), getattr(other, name)) for name in ("latent", "pull", "score"))
    latent, pull, score = rest
    return Point(latent, measured, pull, score)


def _per_item(values: Sequence[float] | Sequence[bool], like: torch.Tensor) -> torch.Tensor:
    """Return one value per item of `like`, broadcastable against it; numbers in its type."""
    shape = (-1, *[1] * (like.ndim - 1))
    tensor = torch.tensor(values, device=like.device)
    return (tensor if tensor.dtype == torch.bool else tensor.to(like.dtype)).reshape(shape)
