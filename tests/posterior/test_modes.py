"""Modes of clouds whose modes are known, from points to samples of a posterior in closed form."""

import numpy as np
import pytest
import torch
from step.config.modes import Clustering
from step.config.tasks import Annealing, Likelihood, Mcmc, Networks, Ode, PixelSpace, Sampler
from step.errors import InputError
from step.posterior.descriptors import general
from step.posterior.descriptors.description import Description, Feature, Vectors
from step.posterior.gaps import count_modes, critical_bandwidth, distances_along, one_mode_p
from step.posterior.modes import Clusters, Weighting, find_modes, in_words, reduce, smallest_share
from step.sampling.daps import sample_posterior
from step.sampling.noise.independent import IndependentNoise
from step.sampling.posterior import LatentLikelihood

SETTINGS = Clustering(
    explained_variance=0.9,
    max_components=5,
    samples_per_component=20,
    max_modes=3,
    fewest_samples=5,
    starts=2,
    regularisation=1e-3,
    evidence=10,
    gap_level=0.05,
    gap_resamples=99,
    neighbours=8,
    stability_resamples=6,
    least_stability=0.9,
    share_resamples=400,
    interval=0.95,
    sense_agreement=0.8,
)


def modes_of(points: np.ndarray, truth: np.ndarray | None = None, **settings) -> Clusters:
    return find_modes(Vectors(points, truth), SETTINGS.model_copy(update=settings), seed=0)


# Gaps.


def test_two_equal_heaps_merge_at_half_their_distance():
    assert critical_bandwidth(np.repeat([1.0, 4.0], 20)) == pytest.approx(1.5, rel=0.01)


def test_a_density_has_as_many_modes_as_it_has_heaps_farther_apart_than_they_are_wide():
    heaps = np.repeat([0.0, 1.0, 5.0], 10)
    assert [count_modes(heaps, bandwidth) for bandwidth in (0.2, 0.8, 4)] == [3, 2, 1]


@pytest.mark.slow
def test_one_mode_is_refused_no_more_often_than_the_level_and_two_are():
    generator = np.random.default_rng(1)
    one = np.array([one_mode_p(generator.standard_normal(60), 99, seed=0) for _ in range(40)])
    assert (one <= 0.1).mean() <= 0.1 + 3 * np.sqrt(0.09 / 40)
    two = generator.standard_normal(60) + 6 * (np.arange(60) < 12)
    assert one_mode_p(two, 99, seed=0) <= 0.02


def test_equal_distances_have_no_gap():
    assert one_mode_p(np.ones(9), 99, seed=0) == 1


def test_distances_follow_the_points_round_a_bend():
    azimuth = np.linspace(0, np.pi, 101)
    half_circle = np.stack([np.cos(azimuth), np.sin(azimuth)], axis=1)
    along = distances_along(half_circle, half_circle[:1], n_neighbours=3)[0]
    np.testing.assert_allclose(along, azimuth, rtol=1e-3)


# Clouds.


def gaussian(generator: np.random.Generator) -> np.ndarray:
    return generator.normal(size=(100, 3)) * [1, 0.7, 0.5]


def uniform(generator: np.random.Generator) -> np.ndarray:
    return generator.random((100, 2))


def heavy_tailed(generator: np.random.Generator) -> np.ndarray:
    return generator.normal(size=(100, 3)) / np.sqrt(generator.chisquare(2, (100, 1)) / 2)


def banana(generator: np.random.Generator) -> np.ndarray:
    along = generator.normal(size=100)
    return np.stack([along, along**2 + 0.3 * generator.normal(size=100)], axis=1)


def circle(generator: np.random.Generator) -> np.ndarray:
    """The position angle of a ring that may be brightest anywhere."""
    azimuth = generator.uniform(0, 2 * np.pi, 100)
    return np.stack([np.cos(azimuth), np.sin(azimuth)], axis=1) + 0.15 * generator.normal(size=(100, 2))


@pytest.mark.slow
@pytest.mark.parametrize("cloud", [gaussian, uniform, heavy_tailed, banana, circle])
def test_a_cloud_without_a_gap_is_one_mode(cloud):
    found = [len(modes_of(cloud(np.random.default_rng(seed))).shares) for seed in range(4)]
    assert found == [1, 1, 1, 1]


@pytest.mark.slow
@pytest.mark.parametrize("cloud", [circle, banana])
def test_the_information_criterion_alone_would_find_modes_in_it(cloud):
    easy = {"evidence": 0, "gap_level": 1 - 1e-9, "least_stability": 0}
    found = [len(modes_of(cloud(np.random.default_rng(seed)), **easy).shares) for seed in range(4)]
    assert max(found) > 1


def two_clouds(seed: int, apart: float, n_samples: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """Return points of two Gaussians, 0.7 and 0.3, and which are of the second."""
    generator = np.random.default_rng(seed)
    second = generator.permutation(n_samples) < 0.3 * n_samples
    return generator.normal(size=(n_samples, 3)) + apart * second[:, None] * [1, 0, 0], second


@pytest.mark.slow
def test_two_clear_clouds_are_two_modes_with_their_members_and_middles():
    points, second = two_clouds(seed=0, apart=8)
    clusters = modes_of(points, truth=np.array([8.0, 0, 0]))
    assert np.array_equal(clusters.labels, second.astype(int))
    assert clusters.shares.tolist() == [0.7, 0.3]
    assert clusters.truth == 1
    for mode, centre in enumerate(([0, 0, 0], [8, 0, 0])):
        assert np.linalg.norm(points[clusters.representatives[mode]] - centre) < 1.2
    assert clusters.stability[0] == 1
    assert clusters.stability[1] > 0.95
    assert clusters.stability[2] < 0.95
    assert clusters.scores.argmin() == 1
    assert "2 modes among 100 samples" in in_words(clusters, SETTINGS)


@pytest.mark.slow
def test_three_clouds_are_three_modes():
    points, second = two_clouds(seed=0, apart=8)
    points[:25, 1] += 8
    assert len(modes_of(points[~second | (points[:, 1] < 4)]).shares) == 3


@pytest.mark.slow
def test_the_largest_mode_is_the_first_wherever_it_lies():
    points, second = two_clouds(seed=3, apart=-8)
    assert np.array_equal(modes_of(points).labels, second.astype(int))


@pytest.mark.slow
def test_the_interval_of_a_share_is_that_of_the_binomial_distribution():
    clusters = modes_of(two_clouds(seed=0, apart=8)[0], share_resamples=20000)
    spread = 1.96 * np.sqrt(0.7 * 0.3 / 100)
    np.testing.assert_allclose(clusters.share_low, clusters.shares - spread, atol=0.012)
    np.testing.assert_allclose(clusters.share_high, clusters.shares + spread, atol=0.012)


@pytest.mark.slow
def test_a_few_outliers_are_no_mode():
    points = two_clouds(seed=0, apart=0)[0]
    points[:4] += 30
    assert len(modes_of(points).shares) == 1


@pytest.mark.slow
def test_modes_do_not_depend_on_chance():
    points, _ = two_clouds(seed=5, apart=5)
    first, second = modes_of(points), modes_of(points)
    assert np.array_equal(first.labels, second.labels)
    assert np.array_equal(first.stability, second.stability)


def test_few_samples_are_one_mode():
    clusters = modes_of(np.array([[0.0], [1.0], [9.0]]))
    assert clusters.shares.tolist() == [1.0]
    assert clusters.representatives.tolist() == [1]
    assert clusters.share_low.tolist() == clusters.share_high.tolist() == [1.0]


def test_equal_samples_are_one_mode():
    assert modes_of(np.zeros((20, 2))).shares.tolist() == [1.0]


# What is clustered.


def test_angles_are_close_across_half_a_turn():
    angles = Feature(np.array([179.0, -179.0, 0.0]), None, "deg", is_angle=True)
    points = angles.coordinates().samples
    assert np.linalg.norm(points[0] - points[1]) < 0.05
    assert angles.mean(np.array([True, True, False])) == pytest.approx(180, abs=1e-6)


def test_a_group_of_many_coordinates_does_not_outweigh_one_number():
    generator = np.random.default_rng(0)
    number = generator.normal(size=60)
    image = np.outer(generator.normal(size=60), np.ones(500)) * 1e3
    description = Description({"rate": Feature(number, 2.0, "")}, {"image": Vectors(image, np.zeros(500))})
    reduced = reduce(description, SETTINGS)
    assert reduced.samples.shape == (60, 2)
    assert reduced.truth.shape == (2,)
    best = np.linalg.lstsq(reduced.samples, number - number.mean(), rcond=None)
    assert best[1][0] == pytest.approx(0, abs=1e-9)


def test_there_are_no_more_components_than_the_samples_allow():
    vectors = {"noise": Vectors(np.random.default_rng(0).normal(size=(50, 30)), None)}
    assert reduce(Description({}, vectors), SETTINGS).samples.shape == (50, 2)


def test_the_truth_is_reduced_as_a_sample_is():
    generator = np.random.default_rng(0)
    values, images = generator.normal(size=40), generator.normal(size=(40, 7))
    description = Description({"a": Feature(values, values[3], "")}, {"b": Vectors(images, images[3])})
    reduced = reduce(description, SETTINGS)
    np.testing.assert_allclose(reduced.truth, reduced.samples[3])


def test_one_sample_is_refused():
    description = Description({"a": Feature(np.ones(1), None, "")}, {})
    with pytest.raises(InputError, match="there is 1 posterior sample; modes are of several"):
        reduce(description, SETTINGS)


# A posterior in closed form, from the sampler on.

CENTRES = torch.zeros(2, 2, 1, 2, 2)  # mode, time, channel, y, x
CENTRES[0, ..., 0], CENTRES[1, ..., 0] = -0.3, 0.3
SPREAD = 0.08
N_SAMPLES = 120


class TwoGaussians:
    """A prior whose latents are videos: two Gaussians, equal but for their weights and centres."""

    latent_shape = (2, 1, 2, 2)

    def __init__(self, weights: tuple[float, float]):
        self.log_weights = torch.tensor(weights).log()

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        return video

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        return latent

    def denoise(self, latent: torch.Tensor, sigma: float) -> torch.Tensor:
        variance = SPREAD**2 + sigma**2
        away = latent[:, None] - CENTRES
        share = torch.softmax(self.log_weights - away.square().flatten(2).sum(2) / (2 * variance), dim=1)
        means = CENTRES + SPREAD**2 / variance * away
        return torch.einsum("bm,bmtcyx->btcyx", share, means)


class RightColumn:
    """A measurement of the pixels in which the two Gaussians do not differ: it cannot tell them apart."""

    noise = 0.1

    def negative_log_likelihood(self, video: torch.Tensor, measurement: dict) -> torch.Tensor:
        return (video[..., 1] - measurement["y"]).square().flatten(1).sum(1) / (2 * self.noise**2)

    def misfit(self, video: torch.Tensor, measurement: dict) -> torch.Tensor:
        return (video[..., 1] - measurement["y"]).square().flatten(1).mean(1)


def sample(weights: tuple[float, float]) -> np.ndarray:
    """Return posterior samples (sample, time, channel, y, x) by the project's own sampler."""
    sampler = Sampler(
        annealing=Annealing(levels=16, sigma_max=2.0, sigma_min=0.0051, rho=5),  # the last level is 0.01
        ode=Ode(steps=8, sigma_min=1e-3, rho=7),
        pixel_space=PixelSpace(above_sigma=None, spread=0.1, iterations=1),
        mcmc=Mcmc(
            algorithm="damped",
            steps=10,
            damping=0.5,
            acceptance=0.65,
            step_size_squared=1e-3,
            step_decay=1.0,
            prior_score="exact",
            prior_score_every=1,
            prior_score_sigma=0.005,
            gaussian_width=1.0,
            limit_step_to_sigma=True,
        ),
        likelihood=Likelihood(noise_level=RightColumn.noise, gradient_bound=None),
        networks=Networks(precision="float32", channels_last=False, compile=False, frames_per_chunk=1),
        videos_per_batch=2,
        frames_per_chunk=2,
    )
    prior, measurement = TwoGaussians(weights), {"y": torch.full((N_SAMPLES, 2, 1, 2), 0.05)}
    likelihood = LatentLikelihood(prior, RightColumn(), measurement, 2, 2, None)
    generators = [torch.Generator().manual_seed(number) for number in range(N_SAMPLES)]
    sources = [IndependentNoise()] * N_SAMPLES
    samples, _ = sample_posterior(prior, likelihood, sources, generators, sampler, torch.device("cpu"))
    return samples.numpy()


@pytest.mark.slow
def test_the_modes_of_a_known_posterior_are_found_with_their_weights():
    samples = sample((0.7, 0.3))
    # The sampler finds both modes, each where it is: the left column is the prior's, and nothing is between.
    left = samples[..., 0].mean(axis=(1, 2, 3))
    error = np.sqrt(0.7 * 0.3 / N_SAMPLES)
    assert (left < 0).mean() == pytest.approx(0.7, abs=3 * error)
    assert np.abs(np.abs(left) - 0.3).max() < 5 * SPREAD / 2
    # The right column is the conjugate Gaussian's.
    precisions = 1 / SPREAD**2, 1 / RightColumn.noise**2
    expected = 0.05 * precisions[1] / sum(precisions)
    assert samples[..., 1].mean() == pytest.approx(expected, abs=0.01)

    reduced = reduce(general.describe((samples[:, :, 0] + 1) / 2, None, {}), SETTINGS)
    clusters = modes_of(reduced.samples)
    assert len(clusters.shares) == 2
    assert np.array_equal(clusters.labels, (left > 0).astype(int))
    assert clusters.shares[0] == pytest.approx(0.7, abs=3 * error)
    assert clusters.share_low[0] < 0.7 < clusters.share_high[0]
    for representative, centre in zip(clusters.representatives, CENTRES.numpy(), strict=True):
        assert np.abs(samples[representative, ..., 0].mean() - centre[..., 0].mean()) < 2 * SPREAD / 2


@pytest.mark.slow
def test_a_posterior_of_one_mode_has_one():
    samples = sample((1.0, 0.0))
    clusters = modes_of(reduce(general.describe((samples[:, :, 0] + 1) / 2, None, {}), SETTINGS).samples)
    assert clusters.shares.tolist() == [1.0]
    assert "one mode among 120 samples" in in_words(clusters, SETTINGS)


# Weights.


@pytest.fixture(scope="module")
def weighed() -> tuple[np.ndarray, Weighting]:
    """Two clouds of 40 samples, of which those of the second have a quarter of the weight, and ten ancestors."""
    points = np.random.default_rng(5).standard_normal((80, 2)) * 0.3 + np.repeat([[0, 0], [4, 0]], 40, axis=0)
    weights = np.repeat([0.75, 0.25], 40) / 40
    return points, Weighting(weights, np.concatenate([np.arange(40), 100 + np.arange(40) % 10]))


@pytest.mark.slow
def test_shares_are_sums_of_weights_with_an_error_that_counts_ancestors(weighed):
    points, weighting = weighed
    found = find_modes(Vectors(points, None), SETTINGS, 0, weighting)
    assert found.shares == pytest.approx([0.75, 0.25])
    assert (found.labels == np.repeat([0, 1], 40)).all()
    exact = np.sqrt(40 * (0.75 * 0.25 / 40) ** 2 + 10 * (0.25 * 0.75 / 10) ** 2)
    assert found.share_errors == pytest.approx([exact, exact])
    assert found.share_low == pytest.approx(found.shares - 1.96 * exact, abs=1e-4)
    assert found.share_high == pytest.approx(found.shares + 1.96 * exact, abs=1e-4)
    # The order is that of the weights.
    other = Weighting(weighting.weights[::-1], weighting.lineages)
    assert (find_modes(Vectors(points, None), SETTINGS, 0, other).labels == np.repeat([1, 0], 40)).all()


def test_evidence_is_what_independent_ancestors_give(weighed):
    _, weighting = weighed
    assert weighting.evidence_size == pytest.approx(1 / (40 * (0.75 / 40) ** 2 + 10 * (0.25 / 10) ** 2))


def test_the_smallest_share_is_the_one_that_samples_nearly_always_hold():
    share = smallest_share(100, SETTINGS)
    counts = np.random.default_rng(2).binomial(100, share, 20000)
    assert (counts >= SETTINGS.fewest_samples).mean() == pytest.approx(SETTINGS.interval, abs=0.01)
    assert smallest_share(SETTINGS.fewest_samples - 1, SETTINGS) == 1
