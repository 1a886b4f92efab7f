"""PSNR and SSIM against hand formulas and independent implementations."""

import math

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from step.errors import InputError
from step.metrics.psnr import psnr
from step.metrics.ssim import ssim


def random_frames(seed: int, n_frames: int = 3, side: int = 24) -> np.ndarray:
    return np.random.default_rng(seed).random((n_frames, side, side + 4), np.float32)


def test_psnr_of_a_constant_error_is_its_logarithm():
    truth = np.full((4, 16, 16), 0.5)
    assert psnr(truth + 0.1, truth) == pytest.approx(20, abs=1e-4)
    assert psnr(truth - 0.01, truth) == pytest.approx(40, abs=1e-3)


def test_psnr_is_averaged_over_frames_not_computed_from_their_common_error():
    truth = np.full((2, 16, 16), 0.5)
    frames = truth + np.array([0.1, 0.01])[:, None, None]
    assert psnr(frames, truth) == pytest.approx(30, abs=1e-3)
    common_error = -10 * math.log10((0.1**2 + 0.01**2) / 2)
    assert abs(psnr(frames, truth) - common_error) > 5


def test_psnr_agrees_with_scikit_image():
    frames, truth = random_frames(0), random_frames(1)
    pairs = zip(truth.astype(np.float64), frames.astype(np.float64), strict=True)
    expected = np.mean([peak_signal_noise_ratio(true, one, data_range=1) for true, one in pairs])
    assert psnr(frames, truth) == pytest.approx(expected, abs=1e-5)


def test_psnr_is_piqs():
    import piq

    truth = random_frames(1)
    frames = np.stack([truth[0], 0.99 * truth[1], random_frames(0)[2]])
    images = [torch.from_numpy(video).double()[:, None] for video in (frames, truth)]
    assert psnr(frames, truth) == pytest.approx(piq.psnr(*images, reduction="none").mean().item(), abs=1e-12)


def test_perfect_frames_count_as_80_db():
    frames = random_frames(0)
    assert psnr(frames, frames) == pytest.approx(80)


def test_ssim_agrees_with_scikit_image():
    frames, truth = random_frames(0), random_frames(1)
    frames = 0.3 * frames + 0.7 * truth
    expected = np.mean(
        [
            structural_similarity(
                one.astype(np.float64),
                other.astype(np.float64),
                data_range=1,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
            )
            for one, other in zip(frames, truth, strict=True)
        ]
    )
    assert ssim(frames, truth) == pytest.approx(expected, abs=1e-6)
    assert ssim(truth, truth) == pytest.approx(1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "shape", [(2, 24, 28), (1, 390, 520)], ids=["small", "large enough to be averaged over blocks"]
)
def test_ssim_is_piqs(shape):
    import piq

    frames, truth = np.random.default_rng(0).random((2, *shape))
    frames = 0.3 * frames + 0.7 * truth
    images = [torch.from_numpy(video)[:, None] for video in (frames, truth)]
    assert ssim(frames, truth) == pytest.approx(piq.ssim(*images, reduction="none").mean().item(), abs=1e-12)


def test_ssim_of_two_constant_frames_is_the_luminance_term():
    dark, bright = np.full((1, 16, 16), 0.25), np.full((1, 16, 16), 0.75)
    expected = (2 * 0.25 * 0.75 + 1e-4) / (0.25**2 + 0.75**2 + 1e-4)
    assert ssim(dark, bright) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (np.full((2, 16, 16), 1.5), "values from 1.5 to 1.5"),
        (np.full((2, 16, 16), math.nan), "without NaN"),
        (np.zeros((3, 16, 16)), r"shape \(3, 16, 16\)"),
        (np.zeros((2, 1, 16, 16)), r"shape \(2, 1, 16, 16\)"),
    ],
)
def test_frames_that_cannot_be_compared_are_refused(frames, message):
    with pytest.raises(InputError, match=message):
        psnr(frames, np.zeros((2, 16, 16)))


def test_frames_smaller_than_the_window_of_ssim_are_refused():
    frames = np.zeros((2, 8, 16))
    with pytest.raises(InputError, match="frames are 8 x 16 pixels, SSIM needs 11"):
        ssim(frames, frames)
