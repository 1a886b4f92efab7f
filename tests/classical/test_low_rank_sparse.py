"""Low rank plus sparse: proximal maps done by hand, known minimisers, a falling objective, a heart better than none."""

import numpy as np
import pytest
import torch
from step.classical.low_rank_sparse import (
    Settings,
    casorati,
    reconstruct,
    separate,
    temporal_spectrum,
    threshold_singular_values,
    threshold_temporal_spectrum,
)
from step.config.keys import DEMO_CONFIG
from step.config.study import BASE_CONFIG, Config, load_config
from step.contracts import Measurement
from step.domains.mri.phantom.anatomy import sample_patient
from step.domains.mri.phantom.canvas import make_grid
from step.domains.mri.phantom.patient import simulate_magnitudes
from step.domains.mri.phantom.receiver import sample_object_phase
from step.domains.mri.simulate import settings_of
from step.errors import InputError
from step.physics.fourier import fft2c
from step.physics.masks import equispaced_mask
from step.physics.mri import CartesianMri, fit_rows

MASK = equispaced_mask(16, 4, 4)


def random_video(*shape: int, seed: int = 0) -> torch.Tensor:
    """Return a complex video in double precision."""
    return torch.randn(*shape, dtype=torch.complex128, generator=torch.Generator().manual_seed(seed))


def as_channels(video: torch.Tensor) -> torch.Tensor:
    return torch.stack([video.real, video.imag], dim=2)


def as_complex(video: torch.Tensor) -> torch.Tensor:
    return torch.complex(video[:, :, 0], video[:, :, 1])


def measured(
    video: torch.Tensor, mask: torch.Tensor, noise_level: float = 0.0, seed: int = 0
) -> tuple[CartesianMri, Measurement]:
    """Return the forward model of unit noise level, and what it measures of `video` (batch, time, 2, y, x)."""
    noisy = CartesianMri(mask, noise_level=noise_level)
    return noisy.with_noise_level(1.0), noisy.measure(video, torch.Generator().manual_seed(seed))


def settings(low_rank: float, sparse: float, iterations: int = 40) -> Settings:
    return Settings(low_rank_weight=low_rank, sparse_weight=sparse, iterations=iterations)


def test_singular_values_are_lowered_and_small_ones_dropped():
    # Two frames of two pixels, each frame another pixel: the magnitudes are the singular values, the phases stay.
    video = torch.tensor([[[[3j, 0]], [[0, -1]]]], dtype=torch.complex128)
    expected = torch.tensor([[[[1j, 0]], [[0, 0]]]], dtype=torch.complex128)
    assert torch.allclose(threshold_singular_values(video, torch.tensor([2.0])), expected)


def test_magnitudes_in_temporal_frequency_are_lowered_and_small_ones_dropped():
    # Over four frames a mean of 3 is 6 in the unitary transform, an oscillation of 1j is 2j.
    oscillation = torch.tensor([1, -1, 1, -1], dtype=torch.complex128)
    video = (3 + 1j * oscillation)[None, :, None, None]
    lowered = threshold_temporal_spectrum(video, torch.tensor([1.0]))
    assert torch.allclose(lowered, (2.5 + 0.5j * oscillation)[None, :, None, None])
    dropped = threshold_temporal_spectrum(video, torch.tensor([2.5]))
    assert torch.allclose(dropped, torch.full_like(video, 1.75))


@pytest.mark.parametrize(
    ("proximal", "norm"),
    [
        (threshold_singular_values, lambda video: torch.linalg.matrix_norm(casorati(video), ord="nuc")),
        (threshold_temporal_spectrum, lambda video: temporal_spectrum(video).abs().sum(dim=(1, 2, 3))),
    ],
)
def test_each_map_is_the_proximal_map_of_its_norm(proximal, norm):
    video, threshold = random_video(2, 4, 3, 5), torch.tensor([0.8, 1.6])

    def objective(other: torch.Tensor) -> torch.Tensor:
        return (other - video).abs().square().sum(dim=(1, 2, 3)) / 2 + threshold * norm(other)

    found = proximal(video, threshold)
    for seed in range(1, 30):
        assert (objective(found + 0.01 * random_video(*video.shape, seed=seed)) > objective(found)).all()
    # Linearly towards zero too, where a threshold that is too small would still gain.
    assert (objective(0.99 * found) > objective(found)).all()


def test_without_weights_it_is_least_squares():
    video = as_channels(random_video(1, 4, 16, 8))
    forward_model, measurement = measured(video, MASK)
    found = reconstruct(forward_model, measurement, settings(0, 0))
    # Of an undersampled orthonormal transform the least-squares solution of least norm is the zero-filled video.
    assert torch.allclose(found, forward_model.backprojection(measurement), atol=1e-10)
    assert forward_model.negative_log_likelihood(found, measurement).item() < 1e-20


def test_without_weights_an_operator_that_is_not_orthonormal_is_inverted():
    class Halved(CartesianMri):
        def forward(self, video, measurement):
            return super().forward(video, measurement) / 2

        def adjoint(self, data, measurement):
            return super().adjoint(data, measurement) / 2

    video, every_line = as_channels(random_video(1, 4, 16, 8)), torch.ones(16, dtype=torch.bool)
    forward_model = Halved(every_line, noise_level=1.0)
    measurement = Halved(every_line, noise_level=0.0).measure(video, torch.Generator())
    assert torch.allclose(reconstruct(forward_model, measurement, settings(0, 0, 80)), video, atol=1e-6)


@pytest.mark.slow
def test_with_weights_of_one_nothing_is_left_and_just_below_something_is():
    forward_model, measurement = measured(as_channels(random_video(1, 4, 16, 8)), MASK)
    assert reconstruct(forward_model, measurement, settings(1, 1, 200)).abs().max() < 1e-4
    for weights in ((0.98, 1), (1, 0.98)):
        assert reconstruct(forward_model, measurement, settings(*weights, 200)).abs().max() > 1e-3


def test_a_still_video_of_which_all_is_measured_shrinks_by_the_weight():
    # The zero-filled video is the truth, of rank one; with no sparse part its singular value s becomes s (1 - weight).
    truth = as_channels(random_video(1, 1, 16, 8).expand(1, 6, 16, 8))
    forward_model, measurement = measured(truth, torch.ones(16, dtype=torch.bool))
    found = reconstruct(forward_model, measurement, settings(0.25, 1, 60))
    # Unless it is cheaper in the sparse part, which a spectrum of many entries is not.
    assert torch.allclose(found, 0.75 * truth, atol=1e-6)


def test_the_result_scales_with_the_video_and_turns_with_its_phase():
    video, chosen = random_video(1, 4, 16, 8), settings(0.05, 0.05, 10)
    forward_model, measurement = measured(as_channels(video), MASK)
    found = as_complex(reconstruct(forward_model, measurement, chosen))
    factor = 300 * np.exp(0.7j)
    _, other = measured(as_channels(factor * video), MASK)
    assert torch.allclose(as_complex(reconstruct(forward_model, other, chosen)), factor * found)


@pytest.mark.slow
def test_the_objective_falls_at_every_step_to_where_no_change_lowers_it():
    forward_model, measurement = measured(as_channels(random_video(1, 6, 16, 8)), MASK, noise_level=0.1)
    zero_filled = as_complex(forward_model.backprojection(measurement))
    low_rank_weight = 0.2 * torch.linalg.matrix_norm(casorati(zero_filled), ord=2)
    sparse_weight = 0.2 * temporal_spectrum(zero_filled).abs().max()

    def objective(low_rank: torch.Tensor, sparse: torch.Tensor) -> float:
        loss = forward_model.negative_log_likelihood(as_channels(low_rank + sparse), measurement)
        nuclear = torch.linalg.matrix_norm(casorati(low_rank), ord="nuc")
        return (loss + low_rank_weight * nuclear + sparse_weight * temporal_spectrum(sparse).abs().sum()).item()

    parts = [separate(forward_model, measurement, settings(0.2, 0.2, number)) for number in (1, 2, 3, 4, 8, 16, 600)]
    objectives = [objective(zero_filled, torch.zeros_like(zero_filled)), *(objective(*both) for both in parts)]
    assert objectives == sorted(objectives, reverse=True)
    assert objectives[-1] < 0.95 * objectives[0]
    low_rank, sparse = parts[-1]
    assert min(part.abs().max() for part in parts[-1]) > 0.1
    for seed in range(1, 20):
        change = 1e-3 * random_video(*low_rank.shape, seed=seed)
        assert objective(low_rank + change, sparse) > objectives[-1]
        assert objective(low_rank, sparse + change) > objectives[-1]
        assert objective(low_rank + change, sparse - change) > objectives[-1]


def test_lines_that_no_frame_measures_are_filled_by_the_sparse_part_alone():
    forward_model, measurement = measured(as_channels(random_video(1, 6, 16, 8)), MASK)
    low_rank, sparse = separate(forward_model, measurement, settings(0.2, 0.2))
    never_measured = [fft2c(part)[:, :, ~MASK].abs().max() for part in (low_rank, sparse)]
    assert never_measured[0] < 1e-10
    assert never_measured[1] > 0.01
    masks = torch.stack([MASK.roll(frame) for frame in range(6)])[None]
    moving = measurement | {"mask": masks, "kspace": masks[..., None] * fft2c(random_video(1, 6, 16, 8))}
    low_rank, _ = separate(forward_model, moving, settings(0.2, 0.2))
    assert fft2c(low_rank)[~masks].abs().max() > 0.01


@pytest.mark.slow
def test_videos_of_a_batch_do_not_mix():
    videos = torch.cat([random_video(1, 4, 16, 8), 50 * random_video(1, 4, 16, 8, seed=1)])
    forward_model, measurement = measured(as_channels(videos), MASK)
    together = reconstruct(forward_model, measurement, settings(0.05, 0.02))
    for number in range(2):
        one = {name: array[number : number + 1] for name, array in measurement.items()}
        assert torch.allclose(together[number], reconstruct(forward_model, one, settings(0.05, 0.02))[0])


def test_videos_of_one_channel_are_refused():
    class OneChannel:
        def backprojection(self, measurement):
            return torch.zeros(1, 3, 1, 4, 4)

    with pytest.raises(InputError, match="the videos have 1 channels; take it out of the task's references"):
        reconstruct(OneChannel(), {}, settings(0.1, 0.1))


def test_steps_that_diverge_are_said_to():
    forward_model, measurement = measured(as_channels(random_video(1, 4, 16, 8)), MASK)
    too_long = forward_model.with_noise_level(1e-3)
    with pytest.raises(FloatingPointError, match="the steps diverged"):
        reconstruct(too_long, measurement, settings(0, 0, 200))


def heart(config: Config, seed: int) -> torch.Tensor:
    """Return a simulated short-axis slice (1, time, 2, y, x) of the size of a study's videos, peak 1."""
    data, generator = config.data["mri"], np.random.default_rng(seed)
    pixel_mm = data.simulation.pixel_mm
    grid = make_grid(data.simulation.matrix_sizes[0], pixel_mm)
    [magnitude] = simulate_magnitudes(settings_of(data, seed), sample_patient(generator), "sax", 1, grid, generator)
    image = torch.from_numpy(magnitude / magnitude.max() * np.exp(1j * sample_object_phase(grid, generator)))
    square = fit_rows(fit_rows(image, data.resolution).mT, data.resolution).mT
    return torch.stack([square.real, square.imag], dim=1)[None].float()


@pytest.mark.long
@pytest.mark.parametrize("task", ["mri8", "mri6"])
@pytest.mark.parametrize(
    "file", [DEMO_CONFIG, pytest.param(BASE_CONFIG, marks=pytest.mark.slow)], ids=["demo", "paper"]
)
def test_with_the_settings_of_the_study_a_simulated_heart_is_better_than_zero_filled(file, task):
    config = load_config(file)
    chosen = config.tasks[task]
    truth = heart(config, seed=3)
    mask = equispaced_mask(truth.shape[-2], chosen.measurement.acceleration, chosen.measurement.acs_lines)
    forward_model, measurement = measured(truth, mask, chosen.measurement.noise_level)
    errors = [
        (video - truth).square().mean().item()
        for video in (
            reconstruct(forward_model, measurement, chosen.classical["low_rank_sparse"]),
            forward_model.backprojection(measurement),
        )
    ]
    assert errors[0] < 0.9 * errors[1]
