"""Metrics of motion: closed forms, and the fact that made the correlation necessary."""

import math

import numpy as np
import pytest
from scipy.special import expit
from step.metrics import catalogue
from step.metrics.d_psnr import d_psnr
from step.metrics.d_ssim import d_ssim
from step.metrics.difference_correlation import difference_correlation
from step.metrics.metric import ScoredVideo
from step.metrics.psnr import psnr
from step.metrics.temporal import normalised_differences

OURS = tuple(metric.name for metric in catalogue.OURS)


def score_video(truth, **given):
    """Return our metrics of a video that is its truth, by their names."""
    return {metric.name: metric.score(ScoredVideo(truth, truth, **given)) for metric in catalogue.OURS}


def beating_disc(n_frames: int = 8, side: int = 24, swing: float = 2.0) -> np.ndarray:
    """Return a bright disc whose radius swings, (time, y, x) in [0, 1]."""
    axis = np.arange(side) - side / 2
    distance = np.hypot(axis[:, None], axis)
    radii = side / 4 + swing * np.sin(2 * np.pi * np.arange(n_frames) / n_frames)
    return 0.1 + 0.8 * expit(radii[:, None, None] - distance)


def test_normalised_differences_span_the_unit_range():
    frames = np.array([0.0, 1.0, 0.0, 0.5])[:, None, None]
    assert normalised_differences(frames).flatten().tolist() == [1, 0, 0.75]


def test_d_psnr_of_a_drift_that_the_truth_lacks_has_a_closed_form():
    truth = np.full((5, 16, 16), 0.2)
    drifting = truth + 0.02 * np.arange(5)[:, None, None]
    # Each difference is off by 0.02, each normalised one by 0.01.
    assert d_psnr(drifting, truth) == pytest.approx(40, abs=1e-3)


def test_a_constant_offset_does_not_change_the_metrics_of_motion():
    truth = beating_disc()
    assert d_psnr(truth + 0.05, truth) == pytest.approx(80, abs=1e-2)
    assert d_ssim(truth + 0.05, truth) == pytest.approx(1, abs=1e-6)
    assert difference_correlation(truth + 0.05, truth) == pytest.approx(1, abs=1e-6)


def test_correlation_is_one_for_the_truth_and_minus_one_for_its_reverse():
    truth = beating_disc()
    assert difference_correlation(truth, truth) == pytest.approx(1)
    ramp = np.linspace(0, 1, 6)[:, None, None] * np.random.default_rng(0).random((8, 8))
    assert difference_correlation(ramp[::-1], ramp) == pytest.approx(-1)


def test_correlation_is_that_of_all_differences_together():
    truth, noise = np.random.default_rng(1).random((2, 6, 9, 7))
    frames = 0.5 * truth + 0.5 * noise
    expected = np.corrcoef(np.diff(frames, axis=0).ravel(), np.diff(truth, axis=0).ravel())[0, 1]
    assert difference_correlation(frames, truth) == pytest.approx(float(expected), abs=1e-6)


def test_correlation_with_a_still_video_is_undefined():
    truth = beating_disc()
    still = np.broadcast_to(truth.mean(axis=0), truth.shape)
    assert math.isnan(difference_correlation(still, truth))
    assert math.isnan(difference_correlation(truth, still))


def test_d_psnr_rewards_stillness_and_the_correlation_does_not():
    truth = beating_disc()
    # It follows the motion, with noise of its own in each frame: better to look at than no motion at all.
    moving = np.clip(truth + 0.1 * np.random.default_rng(2).standard_normal(truth.shape), 0, 1)
    still = np.broadcast_to(truth.mean(axis=0), truth.shape)
    assert d_psnr(still, truth) > d_psnr(moving, truth) + 1
    assert difference_correlation(moving, truth) > 0.5


def test_a_scored_video_has_all_metrics_in_order():
    truth = beating_disc()
    scores = score_video(truth, data_misfit=8.7, frame_distance=lambda frames, truth: 0.25)
    assert tuple(scores) == OURS
    assert scores["lpips"] == 0.25
    assert scores["data_misfit"] == 8.7
    assert scores["psnr"] == psnr(truth, truth)


def test_without_weights_only_what_needs_them_is_missing():
    truth = beating_disc()
    scores = score_video(truth, data_misfit=8.7, frame_distance=None)
    assert {metric for metric, value in scores.items() if value is None} == {"lpips"}
