"""The likelihoods of config.yaml against the authors' own data terms: sums of squares over tau^2, without the half."""

import pytest
import torch
from eht_observations import PROJECT, crescent
from step.config.study import load_config
from step.physics.forward_models import build_forward_model

TAU = {"mri8": 0.10, "mri6": 0.10, "blackhole": 0.021}


def gradient_of(loss, video: torch.Tensor) -> torch.Tensor:
    video = video.clone().requires_grad_()
    return torch.autograd.grad(loss(video).sum(), video)[0]


@pytest.mark.slow
@pytest.mark.parametrize("task", ["mri8", "mri6"])
def test_the_mri_likelihood_is_the_authors_loss_of_an_unnormalised_transform_over_tau_squared(task):
    config = load_config()
    side = config.video_format("mri").resolution
    likelihood = config.tasks[task].sampler.likelihood
    model = build_forward_model(config.measurement_of(task), (1, 2, side, side), likelihood.noise_level)
    generator = torch.Generator().manual_seed(0)
    truth, other = torch.randn(2, 1, 1, 2, side, side, generator=generator, dtype=torch.float64)
    measured = model.measure(truth, generator)

    def loss(video: torch.Tensor) -> torch.Tensor:
        frames = torch.complex(video[:, :, 0], video[:, :, 1])
        # The centred transform, without a factor: side times the orthonormal one that the measurement is in.
        seen = torch.fft.fftshift(torch.fft.fft2(torch.fft.ifftshift(frames, dim=(-2, -1))), dim=(-2, -1))
        residual = measured["mask"][..., None] * (seen - side * measured["kspace"])
        return residual.abs().square().sum() / TAU[task] ** 2

    ours = gradient_of(lambda video: model.negative_log_likelihood(video, measured), other)
    torch.testing.assert_close(ours, gradient_of(loss, other), rtol=2e-3, atol=0)
    assert likelihood.gradient_bound == pytest.approx(1 / TAU[task] ** 2, rel=1e-3)


@pytest.mark.slow
def test_the_black_holes_likelihood_is_the_authors_sum_of_chi_squares_over_tau_squared():
    config = load_config()
    likelihood = config.tasks["blackhole"].sampler.likelihood
    measurement = config.measurement_of("blackhole").model_copy(update={"array": PROJECT / "resources/eht2017.csv"})
    model = build_forward_model(measurement, (4, 1, 16, 16), likelihood.noise_level)
    measured = model.measure(crescent(4, 16), torch.Generator().manual_seed(0))

    def loss(video: torch.Tensor) -> torch.Tensor:
        found = model.chi_squares(video, measured)
        sums = 4 * 15 * found["closure_phase"] + 4 * 14 * found["log_closure_amplitude"] + 0.26 * 4 * found["flux"]
        return sums / TAU["blackhole"] ** 2

    other = crescent(4, 16, seed=3).double()
    ours = gradient_of(lambda video: model.negative_log_likelihood(video, measured), other)
    expected = gradient_of(loss, other)
    torch.testing.assert_close(ours, expected, rtol=1e-2, atol=1e-6 * expected.abs().max().item())
    assert likelihood.gradient_bound == pytest.approx(1 / TAU["blackhole"] ** 2, rel=1e-3)
