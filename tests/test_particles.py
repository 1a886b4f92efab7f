"""Weighted samples say what they should: shares, errors, and equally weighted samples in their place."""

import numpy as np
import pytest
from step.errors import InputError
from step.io.reconstructions import Reconstruction, read_reconstructions, write_reconstructions
from step.particles import (
    deviation_of,
    effective_size,
    error_of_mean,
    mean_of,
    normalise,
    resample_systematically,
)

RANDOM = np.random.default_rng(3)


def test_log_weights_may_have_any_constant_and_any_size():
    assert normalise(np.log([1, 3]) - 5000) == pytest.approx([0.25, 0.75])


def test_the_effective_size_is_the_number_of_samples_that_share_the_weight():
    assert effective_size(np.zeros(8)) == pytest.approx(8)
    assert effective_size(np.array([0, 0, -np.inf, -np.inf])) == pytest.approx(2)


@pytest.mark.parametrize("start", [0.0, 0.3, 0.999999])
def test_a_sample_is_taken_as_often_as_it_weighs_rounded_up_or_down(start):
    weights = normalise(RANDOM.normal(size=50))
    taken = np.bincount(resample_systematically(np.log(weights), start), minlength=50)
    assert taken.sum() == 50
    assert (np.abs(taken - 50 * weights) < 1).all()


def test_weighted_moments_are_those_of_samples_that_are_there_more_than_once():
    values, times = RANDOM.normal(size=(4, 2, 3)), np.array([1, 2, 0, 4])
    repeated = np.repeat(values, times, axis=0)
    assert mean_of(values, times / 7) == pytest.approx(repeated.mean(axis=0))
    assert deviation_of(values, times / 7) == pytest.approx(repeated.std(axis=0))


def test_the_error_is_the_usual_one_of_independent_samples_and_that_of_ancestors_where_these_are_fewer():
    values = RANDOM.normal(size=60)
    equal = np.full(60, 1 / 60)
    assert error_of_mean(values, equal, np.arange(60)) == pytest.approx(values.std() / 60**0.5)
    thrice = np.repeat(values[:20], 3)
    assert error_of_mean(thrice, equal, np.repeat(np.arange(20), 3)) == pytest.approx(values[:20].std() / 20**0.5)


def test_the_error_says_how_far_means_of_importance_samples_scatter():
    # A standard normal from samples of deviation 2.
    samples = 2 * RANDOM.normal(size=(400, 200))
    log_weights = -(samples**2) / 2 + samples**2 / 8
    weights = np.array([normalise(one) for one in log_weights])
    means = (weights * samples).sum(axis=1)
    errors = [error_of_mean(one, weight, np.arange(200)) for one, weight in zip(samples, weights, strict=True)]
    assert np.mean(errors) == pytest.approx(means.std(), rel=0.12)


def reconstruction(n_levels: int, log_weights: list[float] | None, first: int = 0) -> Reconstruction:
    n_samples = 2
    samples = np.arange(first, first + n_samples, dtype=np.float32).reshape(n_samples, 1, 1, 1, 1)
    ancestors = None if log_weights is None else np.array([first, first])
    weights = None if log_weights is None else np.array(log_weights)
    return Reconstruction("video000", samples, {"sigma": np.ones((n_samples, n_levels))}, weights, ancestors)


def test_islands_of_several_files_are_joined_by_their_weights_with_traces_of_different_length(tmp_path):
    paths = [tmp_path / "0.h5", tmp_path / "1.h5"]
    write_reconstructions(paths[0], [reconstruction(3, list(np.log([1.0, 1.0])))], {})
    write_reconstructions(paths[1], [reconstruction(5, list(np.log([1.0, 5.0])), first=2)], {})
    joined = read_reconstructions(paths)["video000"]
    assert joined.weights == pytest.approx([1 / 8, 1 / 8, 1 / 8, 5 / 8])
    assert joined.lineages.tolist() == [0, 0, 2, 2]
    assert np.isnan(joined.trace["sigma"]).sum(axis=1).tolist() == [2, 2, 0, 0]
    equal = joined.equal_samples.ravel()
    assert (equal == 3).sum() in (2, 3)
    assert np.array_equal(equal, read_reconstructions(paths)["video000"].equal_samples.ravel())


def test_samples_without_weights_are_all_of_one_weight_and_as_they_were(tmp_path):
    write_reconstructions(tmp_path / "0.h5", [reconstruction(3, None)], {})
    found = read_reconstructions([tmp_path / "0.h5"])["video000"]
    assert found.log_weights is None
    assert found.weights.tolist() == [0.5, 0.5]
    assert found.lineages.tolist() == [0, 1]
    assert found.equal_samples is found.samples


def test_samples_with_and_without_weights_are_not_joined(tmp_path):
    paths = [tmp_path / "0.h5", tmp_path / "1.h5"]
    write_reconstructions(paths[0], [reconstruction(3, [0.0, 0.0])], {})
    write_reconstructions(paths[1], [reconstruction(3, None, first=2)], {})
    with pytest.raises(InputError, match="video000: some of its files have samples with weights, others have none"):
        read_reconstructions(paths)
