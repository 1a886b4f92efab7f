"""The normalised cross-correlation: against its definition by a search over shifts, and what it must not see."""

import numpy as np
import pytest
from step.metrics.catalogue import own_metrics
from step.metrics.metric import ScoredVideo
from step.metrics.normalised_cross_correlation import normalised_cross_correlation


def video(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 1, (3, 9, 8)) ** 3


def test_it_is_the_best_correlation_of_all_shifts():
    frames, truth = video(0), video(1)
    best = [
        max(np.corrcoef(np.roll(a, (y, x), (0, 1)).ravel(), b.ravel())[0, 1] for y in range(9) for x in range(8))
        for a, b in zip(frames, truth, strict=True)
    ]
    assert normalised_cross_correlation(frames, truth) == pytest.approx(np.mean(best), abs=1e-12)
    assert max(best) < 0.9


def test_brightness_and_position_do_not_matter_and_shape_does():
    truth = video(1)
    assert normalised_cross_correlation(0.2 + 0.5 * np.roll(truth, (2, -3), (1, 2)), truth) == pytest.approx(1)
    assert normalised_cross_correlation(truth[:, ::-1], truth) < 0.9


def test_a_frame_without_contrast_has_none():
    assert np.isnan(normalised_cross_correlation(np.ones((2, 4, 4)), video(0)[:2, :4, :4]))


def test_a_study_names_it_among_its_metrics():
    (metric,) = own_metrics(["normalised_cross_correlation"])
    assert metric.score(ScoredVideo(video(0), video(0))) == pytest.approx(1)
