"""Central intervals hold a further sample as often as they say, whatever few or many samples there are."""

import numpy as np
import pytest
from step.errors import InputError
from step.posterior.intervals import ORDER_STATISTICS, STUDENT, central_interval


@pytest.mark.slow
@pytest.mark.parametrize(("samples", "by"), [(5, STUDENT), (19, ORDER_STATISTICS), (40, ORDER_STATISTICS)])
def test_a_further_sample_is_inside_as_often_as_the_interval_says(samples, by):
    generator = np.random.default_rng(0)
    held = []
    for _ in range(4000):
        *values, further = generator.standard_normal(samples + 1)
        interval = central_interval(np.array(values), 0.9)
        held.append(interval.holds(further))
        assert interval.by == by
    assert np.mean(held) == pytest.approx(0.9, abs=0.015)


@pytest.mark.slow
def test_order_statistics_assume_no_distribution():
    generator = np.random.default_rng(1)
    drawn = np.exp(2 * generator.standard_normal((4000, 40)))
    held = [central_interval(values[:-1], 0.9).holds(values[-1]) for values in drawn]
    assert np.mean(held) == pytest.approx(0.9, abs=0.015)


def test_a_sample_of_twice_the_weight_is_as_two_samples():
    values = np.random.default_rng(2).standard_normal(200)
    weights = np.ones(200)
    weights[:50] = 2
    weighted, repeated = central_interval(values, 0.8, weights), central_interval(np.append(values, values[:50]), 0.8)
    assert (weighted.mean, weighted.low, weighted.high) == pytest.approx(
        (repeated.mean, repeated.low, repeated.high), abs=0.02
    )
    assert weighted.effective_samples == pytest.approx(250**2 / (50 * 4 + 150))


def test_angles_are_taken_about_their_mean_direction():
    angles = np.array([178.0, -178, 179, -179, 180])
    interval = central_interval(angles, 0.9, is_angle=True)
    assert abs(interval.mean) == pytest.approx(180, abs=1e-6)
    assert interval.high - interval.low < 10
    assert interval.holds(-177.5, is_angle=True)
    assert not interval.holds(0.0, is_angle=True)


def test_one_sample_that_has_all_the_weight_has_no_interval():
    with pytest.raises(InputError, match=r"1\.0 effective samples"):
        central_interval(np.arange(3.0), 0.9, np.array([1, 0, 0]))


def test_samples_of_one_start_are_one_piece_of_evidence():
    values = np.random.default_rng(4).standard_normal(60)
    interval = central_interval(values, 0.8, lineages=np.repeat(np.arange(6), 10))
    assert interval.effective_samples == pytest.approx(6)
    assert interval.by == STUDENT
