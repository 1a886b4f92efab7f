"""Total variation: known minimisers, a falling objective, and a picture better than none."""

import pytest
import torch
from skimage.restoration import denoise_tv_chambolle
from step.classical.total_variation import Settings, reconstruct, total_variation_proximal
from step.physics.mri import CartesianMri


def beating_phantom(n_frames: int = 8, side: int = 32) -> torch.Tensor:
    """Return a piecewise constant moving phantom (1, time, 2, y, x) with constant phase."""
    axis = torch.arange(side) - side // 2
    distance = (axis[:, None] ** 2 + axis**2).sqrt()
    radii = side / 5 + side / 12 * torch.sin(2 * torch.pi * torch.arange(n_frames) / n_frames)
    body = 0.4 * (distance < side / 2.4)
    frames = body + 0.6 * (distance < radii[:, None, None])
    return torch.stack([0.8 * frames, 0.6 * frames], dim=1)[None]


def every_third_line(side: int) -> torch.Tensor:
    mask = torch.arange(side) % 3 == 0
    mask[side // 2 - 2 : side // 2 + 2] = True
    return mask


def total_variation(video: torch.Tensor) -> torch.Tensor:
    """Return the isotropic total variation over (time, y, x), summed over channels; forward differences."""
    steps = [video.diff(dim=axis, append=video.narrow(axis, video.shape[axis] - 1, 1)) for axis in (1, 3, 4)]
    return sum(step**2 for step in steps).sqrt().sum()


def error_db(video: torch.Tensor, truth: torch.Tensor) -> float:
    return float(-10 * torch.log10(((video - truth) ** 2).mean()))


def test_all_lines_and_no_weight_give_the_truth():
    truth = beating_phantom()
    all_lines = torch.ones(32, dtype=torch.bool)
    forward_model = CartesianMri(all_lines, noise_level=1.0)
    measurement = CartesianMri(all_lines, noise_level=0.0).measure(truth, torch.Generator())
    video = reconstruct(forward_model, measurement, Settings(weight=0, iterations=3))
    assert torch.allclose(video, truth, atol=1e-5)


def test_a_step_in_time_shrinks_by_the_weight_over_its_length():
    # With A the identity and two plateaus of n frames, the minimiser moves each by weight / n to the other.
    truth = torch.zeros(1, 8, 2, 8, 8)
    truth[:, 4:] = 1
    all_lines = torch.ones(8, dtype=torch.bool)
    forward_model = CartesianMri(all_lines, noise_level=1.0)
    measurement = CartesianMri(all_lines, noise_level=0.0).measure(truth, torch.Generator())
    video = reconstruct(forward_model, measurement, Settings(weight=0.4, iterations=5))
    assert video[:, :4].mean() == pytest.approx(0.1, abs=0.01)
    assert video[:, 4:].mean() == pytest.approx(0.9, abs=0.01)


@pytest.mark.slow
def test_the_proximal_map_is_scikit_images():
    video, weight = beating_phantom(), 0.1
    video = video + 0.05 * torch.randn(video.shape, generator=torch.Generator().manual_seed(0))
    found, dual = total_variation_proximal(video, weight, torch.zeros(3, *video.shape), iterations=400)
    expected = denoise_tv_chambolle(video[0].numpy(), weight, eps=0, max_num_iter=400, channel_axis=1)
    assert torch.allclose(found[0], torch.from_numpy(expected), atol=1e-4)
    # Begun where another ended, it is there at once.
    again, _ = total_variation_proximal(video, weight, dual, iterations=1)
    assert torch.allclose(again, found, atol=1e-4)
    anew, _ = total_variation_proximal(video, weight, torch.zeros_like(dual), iterations=1)
    assert not torch.allclose(anew, found, atol=1e-2)


@pytest.mark.slow
def test_the_objective_falls_and_the_picture_beats_zero_filling():
    truth, weight = beating_phantom(), 0.01
    forward_model = CartesianMri(every_third_line(32), noise_level=1.0)
    noisy = CartesianMri(every_third_line(32), noise_level=0.01)
    measurement = noisy.measure(truth, torch.Generator().manual_seed(0))

    def objective(video: torch.Tensor) -> float:
        return float(forward_model.negative_log_likelihood(video, measurement) + weight * total_variation(video))

    zero_filled = forward_model.backprojection(measurement)
    videos = [reconstruct(forward_model, measurement, Settings(weight=weight, iterations=n)) for n in (1, 5, 15, 40)]
    objectives = [objective(video) for video in (zero_filled, *videos)]
    assert objectives == sorted(objectives, reverse=True)
    assert error_db(videos[-1], truth) > error_db(zero_filled, truth) + 6


def test_videos_of_a_batch_do_not_mix():
    truth = beating_phantom()
    both = torch.cat([truth, truth.flip(1)])
    forward_model = CartesianMri(every_third_line(32), noise_level=1.0)
    measurement = forward_model.measure(both, torch.Generator().manual_seed(0))
    settings = Settings(weight=0.01, iterations=3)
    together = reconstruct(forward_model, measurement, settings)
    alone = reconstruct(forward_model, {name: array[1:] for name, array in measurement.items()}, settings)
    assert torch.allclose(together[1:], alone, atol=1e-6)
