"""The Fréchet distance against closed forms and the matrix square root."""

import numpy as np
import pytest
from scipy.linalg import sqrtm
from step.errors import InputError
from step.metrics.frechet import bootstrap_interval, frechet_distance


def features(seed: int, n_videos: int, n_features: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.standard_normal((n_videos, n_features)) @ generator.standard_normal((n_features, n_features))


def by_square_root(one: np.ndarray, other: np.ndarray) -> float:
    covariance, other_covariance = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    root = sqrtm(covariance.astype(complex) @ other_covariance).real
    return np.sum((one.mean(0) - other.mean(0)) ** 2) + np.trace(covariance + other_covariance - 2 * root)


def with_moments(mean: np.ndarray, covariance: np.ndarray, n_videos: int) -> np.ndarray:
    """Return features (video, feature) whose sample mean and covariance are exactly these."""
    samples = np.random.default_rng(5).standard_normal((n_videos, len(mean)))
    samples -= samples.mean(0)
    whitened = samples @ np.linalg.inv(np.linalg.cholesky(np.cov(samples, rowvar=False))).T
    return mean + whitened @ np.linalg.cholesky(covariance).T


def test_gaussians_that_differ_in_mean_and_scale_have_a_closed_form():
    one = with_moments(np.zeros(3), np.eye(3), 20)
    other = with_moments(np.array([1.0, 2.0, 0.0]), np.diag([4.0, 9.0, 1.0]), 30)
    assert frechet_distance(one, other) == pytest.approx(5 + (1 + 4 + 0))


@pytest.mark.parametrize(("n_videos", "n_others"), [(40, 40), (60, 25)])
def test_it_equals_the_matrix_square_root(n_videos, n_others):
    one, other = features(0, n_videos, 8), features(1, n_others, 8) + 1
    assert frechet_distance(one, other) == pytest.approx(by_square_root(one, other), rel=1e-8)


def test_it_is_exact_with_fewer_videos_than_features():
    one, other = features(0, 6, 30), features(1, 6, 30)
    # The root of a matrix without full rank is good to the root of the rounding.
    assert frechet_distance(one, other) == pytest.approx(by_square_root(one, other), rel=1e-4)
    rotation = np.linalg.qr(features(2, 30, 30))[0]
    assert frechet_distance(one @ rotation, other @ rotation) == pytest.approx(frechet_distance(one, other), rel=1e-10)


def test_single_precision_features_are_reckoned_in_double():
    one, other = features(0, 10, 50).astype(np.float32), features(1, 10, 50).astype(np.float32)
    assert frechet_distance(one, other) == frechet_distance(one.astype(float), other.astype(float))


def test_a_set_is_at_no_distance_from_itself_in_any_order():
    one = features(0, 12, 20)
    assert frechet_distance(one, one[::-1]) == pytest.approx(0, abs=1e-8 * np.sum(one**2))


def test_few_videos_make_it_too_large():
    few, many = (frechet_distance(*np.random.default_rng(0).standard_normal((2, n, 20))) for n in (10, 1000))
    assert few > 10 * many


@pytest.mark.slow
def test_the_interval_covers_the_distance_of_displaced_videos():
    generator = np.random.default_rng(0)
    # Unit normal, and moved by 3 with variance 1 + 0.25 in both directions.
    expected = 9 + 2 * (np.sqrt(1.25) - 1) ** 2
    covered = []
    for seed in range(40):
        one = generator.standard_normal((200, 2))
        other = one + np.array([3.0, 0.0]) + 0.5 * generator.standard_normal((200, 2))
        low, high = bootstrap_interval(one, other, resamples=200, coverage=0.9, seed=seed)
        assert low < high
        covered.append(low <= expected <= high)
    assert 0.75 <= np.mean(covered) <= 1


def test_the_interval_resamples_videos_in_pairs():
    one = features(0, 8, 3)
    # The same videos in both, moved by one vector: every resample is at the same distance.
    low, high = bootstrap_interval(one, one + np.array([1.0, 2.0, 2.0]), resamples=20, coverage=0.95, seed=0)
    assert (low, high) == (pytest.approx(9), pytest.approx(9))


def test_the_interval_follows_its_seed_and_widens_with_coverage():
    one, other = features(0, 10, 4), features(1, 10, 4)
    interval = bootstrap_interval(one, other, resamples=100, coverage=0.5, seed=1)
    assert bootstrap_interval(one, other, resamples=100, coverage=0.5, seed=1) == interval
    assert bootstrap_interval(one, other, resamples=100, coverage=0.5, seed=2) != interval
    low, high = bootstrap_interval(one, other, resamples=100, coverage=0.95, seed=1)
    assert low < interval[0] < interval[1] < high


@pytest.mark.parametrize(
    ("one", "other", "message"),
    [
        (np.zeros((1, 4)), np.zeros((3, 4)), "the distance of 1 videos has no covariance"),
        (np.zeros((3, 4)), np.zeros((3, 5)), "features of 4 and 5 numbers"),
        (np.full((3, 4), np.nan), np.zeros((3, 4)), "not finite"),
    ],
)
def test_features_that_cannot_be_compared_are_refused(one, other, message):
    with pytest.raises(InputError, match=message):
        frechet_distance(one, other)


def test_sets_of_different_numbers_of_videos_are_not_paired():
    with pytest.raises(InputError, match="3 videos are paired with 4"):
        bootstrap_interval(np.zeros((3, 2)), np.zeros((4, 2)), resamples=5, coverage=0.9, seed=0)
