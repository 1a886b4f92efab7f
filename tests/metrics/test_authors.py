"""PSNR and SSIM in the convention of the paper's authors, against piq on videos that are scaled by hand."""

import math

import numpy as np
import pytest
import torch
from step.metrics import catalogue
from step.metrics.authors import scale_by_extremes
from step.metrics.metric import ScoredVideo

AUTHORS = tuple(metric.name for metric in catalogue.AUTHORS)


def score_as_authors(video, truth, display):
    """Return the authors' metrics of a video by their names."""
    scored = ScoredVideo(video[:, 0], truth[:, 0], video, truth, display)
    return {metric.name: metric.score(scored) for metric in catalogue.AUTHORS}


SHAPE = (3, 2, 16, 20)


def videos() -> tuple[np.ndarray, np.ndarray]:
    """Return a reconstruction and its truth, real and imaginary part, with other extremes each."""
    generator = np.random.default_rng(0)
    truth = generator.uniform(-1.5, 2.5, SHAPE).astype(np.float32)
    return 0.7 * truth + generator.normal(0.1, 0.2, SHAPE).astype(np.float32), truth


def scaled(video: np.ndarray) -> torch.Tensor:
    low, high = float(video.min()), float(video.max())
    return torch.from_numpy((video.astype(np.float64) - low) / (high - low))


def test_both_channels_are_scaled_by_one_minimum_and_maximum_of_the_video_itself():
    video = np.zeros(SHAPE)
    video[0, 0, 0, 0], video[2, 1, 3, 4], video[1, 0, 5, 5] = -1, 3, 1
    found = scale_by_extremes(video)
    assert (found.min(), found.max(), found[1, 0, 5, 5], found[0, 1, 0, 0]) == (0, 1, 0.5, 0.25)


def test_psnr_and_ssim_are_piqs_of_both_channels_each_video_by_its_own_extremes():
    import piq

    video, truth = videos()
    scores = score_as_authors(video, truth, "magnitude")
    pair = scaled(video), scaled(truth)
    assert tuple(scores) == AUTHORS
    assert scores["psnr_authors"] == pytest.approx(piq.psnr(*pair, reduction="none").mean().item(), abs=1e-10)
    assert scores["ssim_authors"] == pytest.approx(piq.ssim(*pair, reduction="none").mean().item(), abs=1e-10)


def test_scale_and_offset_of_a_reconstruction_do_not_count_as_they_do_in_ours():
    _, truth = videos()
    scores = score_as_authors(2 * truth + 1, truth, "magnitude")
    assert scores["psnr_authors"] == pytest.approx(80, abs=1e-3)
    assert scores["ssim_authors"] == pytest.approx(1, abs=1e-6)


def test_where_the_authors_scale_is_ours_there_is_nothing_to_add():
    video = np.zeros((3, 1, 16, 16))
    assert score_as_authors(video, video, "unit_range") == dict.fromkeys(AUTHORS)


def test_a_video_of_one_value_has_no_scale():
    _, truth = videos()
    scores = score_as_authors(np.zeros(SHAPE), truth, "magnitude")
    assert all(math.isnan(value) for value in scores.values())
