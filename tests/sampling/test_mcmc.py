"""The adapted chain: Metropolis tests that make a chain of large steps exact, and step sizes that find themselves."""

import math
from collections.abc import Callable

import pytest
import torch
from gaussians import SHAPE, GaussianPrior, LinearGaussianModel, assert_distributed_as, exact_level, exact_posterior
from step.config.tasks import PixelSpace, Sampler
from step.diffusion.denoiser import score
from step.sampling import mcmc
from step.sampling.daps import PosteriorGivenNoisy, sample_posterior
from step.sampling.evaluations import CountedPrior
from step.sampling.mcmc import AdaptedSamples, Point, leapfrog, sample_adapted_hamiltonian, sample_damped_hamiltonian
from step.sampling.noise.independent import IndependentNoise
from step.sampling.posterior import Evaluation, LatentLikelihood
from test_daps import CPU, generators, one_measurement, sample, sampler

SIGMA = 0.8
UNREACHABLE = 1e-9  # a share of accepted steps so low that the step size stays at its longest


@pytest.mark.slow
def test_samples_have_the_exact_posterior_mean_and_covariance_from_a_step_far_too_large():
    settings = sampler(algorithm="adapted", steps=40, step_size_squared=1.0, limit_step_to_sigma=False)
    samples, _ = sample(range(40), settings.model_copy(update={"videos_per_batch": 40, "frames_per_chunk": 2}))
    forward_model = LinearGaussianModel(settings.likelihood.noise_level)
    assert_distributed_as(samples, *exact_posterior(forward_model, one_measurement(forward_model)), bias=0.06)
    with pytest.raises(FloatingPointError):
        sample(range(1), sampler(algorithm="damped", step_size_squared=1.0, limit_step_to_sigma=False))


class Level:
    """One annealing level of the Gaussian problem, and its target's mean and covariance."""

    def __init__(self, n_videos: int, n_rows: int, **changes):
        settings = sampler(gaussian_width=0.7, **changes)
        prior, forward_model = GaussianPrior(), LinearGaussianModel(settings.likelihood.noise_level)
        one = one_measurement(forward_model)
        measurement = {"y": one["y"][:, :, :1].repeat(n_videos, 1, n_rows, 1)}
        one_row = torch.randn(1, 2, 1, 1, 3, generator=torch.Generator().manual_seed(7))
        noisy = one_row.repeat(n_videos, 1, 1, n_rows, 1)
        self.start = prior.denoise(noisy, SIGMA)
        self.prior = CountedPrior(prior)
        likelihood = LatentLikelihood(self.prior, forward_model, measurement, n_videos, 2, None)
        self.target = PosteriorGivenNoisy(self.prior, likelihood, noisy, self.start, SIGMA, settings.mcmc)
        self.moments = exact_level(forward_model, one, noisy, self.start, SIGMA, settings.mcmc)

    def sample(
        self, steps: int, h: float, damping: float, acceptance: float, longest: float = math.inf
    ) -> AdaptedSamples:
        n = len(self.start)
        arguments = steps, [h] * n, longest, damping, acceptance, generators(range(n))
        return sample_adapted_hamiltonian(self.target, self.start, *arguments)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("prior_score", "damping"), [("exact", 0.0), ("exact", 0.7), ("frozen", 0.7), ("gaussian", 0.0)]
)
def test_a_chain_of_steps_so_large_that_the_damped_one_is_biased_samples_the_level_s_target(prior_score, damping):
    level = Level(150, 10, prior_score=prior_score)
    h = 0.36
    sampled = level.sample(40, h, damping, UNREACHABLE, longest=h)
    assert sampled.step_sizes == pytest.approx([h] * 150)
    assert_distributed_as(sampled.state, *level.moments, bias=0.0)
    uncorrected = sample_damped_hamiltonian(level.target, level.start, 40, h, damping, generators(range(150)))
    with pytest.raises(AssertionError):
        assert_distributed_as(uncorrected, *level.moments, bias=0.0)


@pytest.mark.slow
def test_a_score_that_is_held_for_a_few_small_steps_biases_the_samples_little():
    level = Level(150, 10, prior_score="exact", prior_score_every=4)
    sampled = level.sample(60, 0.1, 0.7, UNREACHABLE, longest=0.1)
    assert_distributed_as(sampled.state, *level.moments, bias=0.05)


@pytest.mark.parametrize(("every", "scores"), [(1, 8), (3, 3), (7, 1)])
def test_a_step_takes_one_gradient_of_the_likelihood_and_the_start_one_more(every, scores):
    level = Level(1, 1, prior_score="exact", prior_score_every=every)
    before = level.prior.denoiser_evaluations
    sampled = level.sample(7, 0.1, 0.5, 0.65)
    assert level.prior.decoder_evaluations == 8
    assert level.prior.denoiser_evaluations - before == scores
    assert torch.equal(sampled.video, sampled.state)  # the decoder is the identity


@pytest.mark.slow
@pytest.mark.parametrize("damping", [0.0, 0.8])
@pytest.mark.parametrize("prior_score", ["exact", "gaussian"])
def test_the_step_size_finds_the_acceptance_from_ten_times_too_large_and_too_small(prior_score, damping):
    found = []
    for factor in (0.1, 10.0):
        level = Level(20, 20, prior_score=prior_score)
        sampled = level.sample(160, factor * 0.25, damping, 0.65)
        assert sum(sampled.acceptances) / 20 == pytest.approx(0.65, abs=0.12)
        assert max(sampled.acceptances) - min(sampled.acceptances) < 0.35
        found.append(sum(sampled.step_sizes) / 20)
    assert found[0] == pytest.approx(found[1], rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("factor", [0.1, 10.0])
def test_a_step_size_carried_along_short_levels_finds_the_acceptance(factor):
    level = Level(20, 20, prior_score="gaussian")
    step_sizes = [factor * 0.25] * 20
    own = generators(range(20))
    for _ in range(10):
        sampled = sample_adapted_hamiltonian(level.target, level.start, 16, step_sizes, math.inf, 0.5, 0.65, own)
        step_sizes = sampled.step_sizes
    assert sum(sampled.acceptances) / 20 == pytest.approx(0.65, abs=0.15)


def test_no_step_is_longer_than_the_longest():
    assert max(Level(4, 1).sample(40, 1.0, 0.5, 0.3, longest=0.05).step_sizes) == pytest.approx(0.05)


@pytest.mark.slow
def test_a_sample_is_the_same_in_any_batch_and_order():
    settings = sampler(algorithm="adapted", steps=7, prior_score_every=2)
    together, trace = sample([0, 1, 2, 3], settings)
    assert not torch.equal(together, sample([0, 1, 2, 3], sampler(steps=7, prior_score_every=2))[0])
    for order in ([2], [3, 1], [3, 2, 1, 0]):
        samples, other = sample(order, settings)
        for position, number in enumerate(order):
            assert torch.equal(samples[position], together[number])
            assert other["misfit"][-1][position] == trace["misfit"][-1][number]


def test_the_likelihood_comes_with_its_gradient_item_by_item():
    forward_model = LinearGaussianModel(0.4)
    measurement = {"y": torch.randn(3, 2, SHAPE[2], 2)}
    latent = torch.randn(3, *SHAPE)
    likelihood = LatentLikelihood(GaussianPrior(), forward_model, measurement, 2, 1, 6.25e-3)
    evaluation = likelihood.evaluate(latent)
    expected = forward_model.negative_log_likelihood(latent, measurement)
    assert evaluation.negative_log_likelihood.dtype == torch.float64
    assert torch.allclose(evaluation.negative_log_likelihood, expected.double(), rtol=1e-6)
    assert torch.equal(evaluation.gradient, likelihood.gradient(latent)[0])


class Quartic:
    """``log pi(z) = -z^4 / 4 - (z - 0.5)^2 / 2 + 0.4 z``: every number of an item is a problem of its own.

    `bound` is on the gradient of the quartic part, which stands for the measurement.
    """

    score_every = 1

    def __init__(self, bound: float = math.inf):
        self.bound = bound

    def measured(self, latent: torch.Tensor) -> Evaluation:
        nll = (latent.double() ** 4 / 4).flatten(1).sum(dim=1)
        return Evaluation(nll, (-(latent**3)).clamp(-self.bound, self.bound), latent)

    def pull(self, latent: torch.Tensor) -> torch.Tensor:
        return 0.5 - latent

    def score(self, latent: torch.Tensor) -> torch.Tensor:
        return torch.full_like(latent, 0.4)

    def log_density(self, z: torch.Tensor) -> torch.Tensor:
        return -(z**4) / 4 - (z - 0.5) ** 2 / 2 + 0.4 * z

    def exact_samples(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """Return (count, 1) independent samples by inversion of the distribution function."""
        z = torch.linspace(-4, 4, 80_001, dtype=torch.float64)
        cumulative = self.log_density(z).softmax(dim=0).cumsum(dim=0)
        return z[torch.searchsorted(cumulative, torch.rand(count, dtype=torch.float64, generator=generator))][:, None]

    def point(self, latent: torch.Tensor) -> Point:
        return Point(latent, self.measured(latent), self.pull(latent), self.score(latent))


@pytest.mark.parametrize("bound", [math.inf, 0.7])
def test_a_leapfrog_step_and_a_flip_undo_themselves_and_keep_the_volume(bound):
    target, h = Quartic(bound), torch.tensor(0.7, dtype=torch.float64)
    z, p = torch.randn(2, 200, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def step(z: torch.Tensor, p: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        there, arriving = leapfrog(target, target.point(z), p, h)
        return there.latent, -arriving

    assert not torch.allclose(step(z, p)[0], z, atol=1e-2)
    for back, start in zip(step(*step(z, p)), (z, p), strict=True):
        assert torch.allclose(back, start, rtol=0, atol=1e-12)
    d = 1e-6
    by_z = [(more - less) / (2 * d) for more, less in zip(step(z + d, p), step(z - d, p), strict=True)]
    by_p = [(more - less) / (2 * d) for more, less in zip(step(z, p + d), step(z, p - d), strict=True)]
    determinant = by_z[0] * by_p[1] - by_z[1] * by_p[0]
    assert torch.quantile((determinant + 1).abs(), 0.97) < 1e-6  # but for the few at a bound's edge; -1: the flip


def moved(damping: float, steps: int, bound: float = math.inf) -> tuple[torch.Tensor, torch.Tensor]:
    """Return exact samples of the quartic density, and where `steps` steps of fixed size take them."""
    target, count, h = Quartic(bound), 12_000, 1.1
    start = target.exact_samples(count, torch.Generator().manual_seed(2))
    arguments = steps, [h] * count, h, damping, UNREACHABLE, generators(range(count))
    sampled = sample_adapted_hamiltonian(target, start, *arguments)
    assert 0.4 < sum(sampled.acceptances) / count < 0.9
    return start[:, 0], sampled.state[:, 0]


def in_standard_errors(values: torch.Tensor) -> float:
    """Return how many standard errors the mean of `values` is from 0."""
    return float(values.mean().abs() / values.std() * len(values) ** 0.5)


FUNCTIONS: list[Callable[[torch.Tensor], torch.Tensor]] = [
    lambda z: z,
    lambda z: z**2,
    lambda z: z**4,
    lambda z: (z > 1).double(),
]


def change(start: torch.Tensor, end: torch.Tensor) -> float:
    """Return the largest change of a mean from `start` to `end`, paired, in standard errors."""
    return max(in_standard_errors(function(end) - function(start)) for function in FUNCTIONS)


def asymmetry(start: torch.Tensor, end: torch.Tensor) -> float:
    """Return the largest of ``E[f(z) g(z')] - E[g(z) f(z')]``, in standard errors."""
    pairs = [(f, g) for number, f in enumerate(FUNCTIONS) for g in FUNCTIONS[:number]]
    return max(in_standard_errors(f(start) * g(end) - g(start) * f(end)) for f, g in pairs)


@pytest.mark.slow
@pytest.mark.parametrize("bound", [math.inf, 0.7])
def test_a_step_from_exact_samples_leaves_their_distribution_and_is_reversible(bound):
    start, end = moved(damping=0.0, steps=1, bound=bound)
    assert (end != start).double().mean() > 0.4
    assert change(start, end) < 4
    assert asymmetry(start, end) < 4


@pytest.mark.slow
def test_steps_with_a_momentum_that_lasts_leave_the_distribution_too():
    assert change(*moved(damping=0.9, steps=4)) < 4


@pytest.mark.slow
def test_without_the_test_of_metropolis_the_distribution_changes(monkeypatch):
    monkeypatch.setattr(mcmc, "sample_uniform", lambda generator: -1.0)
    start, end = moved(damping=0.0, steps=1)
    assert change(start, end) > 8
    assert asymmetry(start, end) > 8


def test_a_state_without_a_likelihood_is_refused_and_is_no_place_to_start():
    class Half(Quartic):
        def measured(self, latent: torch.Tensor) -> Evaluation:
            nll, gradient, video = super().measured(latent)
            return Evaluation(torch.where(latent[:, 0] > 0, nll, torch.nan), gradient, video)

    start = torch.full((200, 1), 0.3)
    arguments = 20, [0.8] * 200, 0.8, 0.5, UNREACHABLE, generators(range(200))
    sampled = sample_adapted_hamiltonian(Half(), start, *arguments)
    assert (sampled.state > 0).all()
    assert sampled.state.std() > 0.2
    with pytest.raises(FloatingPointError, match="not finite where the Markov chain starts"):
        sample_adapted_hamiltonian(Half(), -start, *arguments)


class TwoModes:
    """Every number of the latent is ``0.5 N(-1, w^2) + 0.5 N(1, w^2)``; the decoder is the identity."""

    latent_shape = (1, 1, 50, 1)
    width = 0.4

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        return video

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        return latent

    def denoise(self, latent: torch.Tensor, sigma: float) -> torch.Tensor:
        variance = self.width**2 + sigma**2
        mode = torch.tanh(latent / variance)  # the mean of -1 and 1 given the noisy number
        return (self.width**2 * latent + sigma**2 * mode) / variance


class TwoModesNearZero(Quartic):
    """The two modes as the density that only the `score` knows, times ``N(z; 0.5, 1)`` measured and ``N(z; 0, 4)``."""

    def measured(self, latent: torch.Tensor) -> Evaluation:
        return Evaluation(((latent - 0.5) ** 2 / 2).double().flatten(1).sum(dim=1), 0.5 - latent, latent)

    def pull(self, latent: torch.Tensor) -> torch.Tensor:
        return -latent / 4

    def score(self, latent: torch.Tensor) -> torch.Tensor:
        return score(TwoModes().denoise, latent, 1e-3)

    def log_density(self, z: torch.Tensor) -> torch.Tensor:
        modes = torch.logaddexp(*(-((z - mode) ** 2) / (2 * TwoModes.width**2) for mode in (-1, 1)))
        return modes - (z - 0.5) ** 2 / 2 - z**2 / 8


def change_of_two_modes(numbers: int, items: int) -> float:
    """Return by how many standard errors an adapted chain changes a mean of exact samples, `numbers` in an item."""
    target = TwoModesNearZero()
    start = target.exact_samples(numbers * items, torch.Generator().manual_seed(2)).reshape(items, numbers)
    arguments = 60, [0.3] * items, math.inf, 0.6, 0.65, generators(range(items))
    end = sample_adapted_hamiltonian(target, start, *arguments).state
    return change(start.flatten(), end.flatten())


@pytest.mark.slow
def test_the_trapezoid_rule_for_a_score_that_is_not_linear_is_good_where_an_item_has_many_numbers():
    assert change_of_two_modes(numbers=500, items=8) < 4
    assert change_of_two_modes(numbers=1, items=1500) > 5  # steps as long as the distance between the modes


class Itself:
    """``y = x + n``."""

    noise = 1.0

    def negative_log_likelihood(self, video: torch.Tensor, measurement: dict) -> torch.Tensor:
        return self.residuals(video, measurement).square().sum(1) / 2

    def residuals(self, video: torch.Tensor, measurement: dict) -> torch.Tensor:
        return (video[..., 0] - measurement["y"]).flatten(1) / self.noise

    def misfit(self, video: torch.Tensor, measurement: dict) -> torch.Tensor:
        return (video[..., 0] - measurement["y"]).square().flatten(1).mean(1)


def settings_of_two_modes(algorithm: str, above_sigma: float | None) -> Sampler:
    own = sampler(algorithm=algorithm, steps=80, damping=0.6, step_size_squared=2e-2, noise_level=Itself.noise)
    return own.model_copy(update={"pixel_space": PixelSpace(above_sigma=above_sigma, spread=0.5, iterations=2)})


@pytest.mark.slow
@pytest.mark.parametrize(("algorithm", "above_sigma"), [("damped", None), ("adapted", None), ("damped", 1.5)])
def test_two_modes_are_found_with_their_weights_and_widths(algorithm, above_sigma):
    n_videos, y = 24, 0.5
    prior, measurement = TwoModes(), {"y": torch.full((n_videos, 1, 1, 50), y)}
    likelihood = LatentLikelihood(prior, Itself(), measurement, n_videos, 1, None)
    sources, own = [IndependentNoise()] * n_videos, generators(range(n_videos))
    samples, _ = sample_posterior(prior, likelihood, sources, own, settings_of_two_modes(algorithm, above_sigma), CPU)
    z, count = samples.flatten().double(), 50 * n_videos

    precision = 1 / prior.width**2 + 1 / Itself.noise**2
    means = [(mode / prior.width**2 + y / Itself.noise**2) / precision for mode in (-1, 1)]
    weight = 1 / (1 + math.exp(-2 * y / (prior.width**2 + Itself.noise**2)))  # of the mode at 1
    assert weight > 0.65  # so that the prior's weight of 0.5 is excluded
    grid = torch.linspace(-4, 4, 8001, dtype=torch.float64)
    density = sum(
        share * torch.exp(-precision * (grid - mean) ** 2 / 2)
        for share, mean in zip((1 - weight, weight), means, strict=True)
    )
    density = density / density.sum()
    upper = float(density[grid > 0].sum())
    assert float((z > 0).double().mean()) == pytest.approx(upper, abs=4 * math.sqrt(upper * (1 - upper) / count))
    for function in FUNCTIONS[:2]:
        expected = (density * function(grid)).sum()
        assert in_standard_errors(function(z) - expected) < 5
