import pytest
import torch
from one_coil import PAPERS_LINES
from step.config.tasks import MeasurementOfDomain
from step.contracts import ForwardModel
from step.errors import InputError
from step.physics.forward_models import build_forward_model
from step.physics.fourier import fft2c
from step.physics.masks import equispaced_mask
from step.physics.mri import CartesianMri


def random_video(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def model(n_lines: int = 16, noise_level: float = 0.1) -> CartesianMri:
    return CartesianMri(equispaced_mask(n_lines, 4, 4), noise_level)


@pytest.mark.parametrize(("acceleration", "acs_lines", "lines"), [(8, 12, 35), (6, 24, 52)])
def test_masks_of_the_paper_have_35_and_52_lines(acceleration, acs_lines, lines):
    mask = equispaced_mask(192, acceleration, acs_lines)
    assert int(mask.sum()) == lines
    assert mask[0]
    assert mask[96]


def test_a_mask_with_more_central_lines_than_lines_is_refused():
    with pytest.raises(InputError, match="16 lines cannot have acceleration 8 and 24 central lines"):
        equispaced_mask(16, 8, 24)


def test_backprojection_is_the_adjoint_of_the_noiseless_measurement():
    forward = model(noise_level=0.0)
    video, other = random_video(1, 2, 3, 2, 16, 12), random_video(2, 2, 3, 2, 16, 12)
    measured = forward.measure(video, torch.Generator())["kspace"]
    mask = forward.mask[:, None]
    probe = mask * fft2c(torch.complex(other[:, :, 0], other[:, :, 1]))
    left = (measured.conj() * probe).sum().real
    right = (video * forward.backprojection({"kspace": probe})).sum()
    assert torch.allclose(left, right)


def test_noise_has_its_standard_deviation_on_the_mask_and_is_nowhere_else():
    forward = model(noise_level=0.3)
    video = torch.zeros(4, 8, 2, 16, 64, dtype=torch.float64)
    kspace = forward.measure(video, torch.Generator().manual_seed(0))["kspace"]
    measured = kspace[:, :, equispaced_mask(16, 4, 4)]
    assert measured.real.std() == pytest.approx(0.3, rel=0.03)
    assert measured.imag.std() == pytest.approx(0.3, rel=0.03)
    assert (kspace[:, :, ~equispaced_mask(16, 4, 4)] == 0).all()


def test_half_the_squared_residuals_is_the_negative_log_likelihood():
    forward = model(noise_level=0.2)
    video, truth = random_video(1, 2, 3, 2, 16, 12), random_video(2, 2, 3, 2, 16, 12)
    measurement = forward.measure(truth, torch.Generator().manual_seed(0))
    half_squares = forward.residuals(video, measurement).square().sum(dim=1) / 2
    assert torch.allclose(half_squares, forward.negative_log_likelihood(video, measurement))


def test_gradient_of_the_likelihood_is_the_adjoint_of_the_residual_over_the_variance():
    forward = model(noise_level=0.2)
    video, truth = random_video(1, 1, 2, 2, 16, 12).requires_grad_(), random_video(2, 1, 2, 2, 16, 12)
    measurement = forward.measure(truth, torch.Generator().manual_seed(0))
    (gradient,) = torch.autograd.grad(forward.negative_log_likelihood(video, measurement).sum(), video)
    residual = forward.mask[:, None] * fft2c(torch.complex(video[:, :, 0], video[:, :, 1])) - measurement["kspace"]
    assert torch.allclose(gradient, forward.backprojection({"kspace": residual.detach()}) / 0.2**2)


def test_likelihood_is_a_sum_over_chunks_of_frames():
    forward = model()
    video = random_video(1, 2, 5, 2, 16, 12)
    measurement = forward.measure(video, torch.Generator().manual_seed(0))
    video = video + 0.1
    whole = forward.negative_log_likelihood(video, measurement)
    parts = [
        forward.negative_log_likelihood(
            video[:, frames], {name: array[:, frames] for name, array in measurement.items()}
        )
        for frames in (slice(0, 2), slice(2, 5))
    ]
    assert torch.allclose(whole, sum(parts))


def test_misfit_is_the_mean_square_over_measured_samples_of_the_unnormalised_transform():
    forward = model()
    video = random_video(1, 1, 3, 2, 16, 12)
    measurement = forward.measure(video, torch.Generator().manual_seed(0))
    image = torch.complex(video[:, :, 0], video[:, :, 1])
    unnormalised = torch.fft.fftshift(torch.fft.fft2(torch.fft.ifftshift(image, dim=(-2, -1))), dim=(-2, -1))
    data = measurement["kspace"] * (16 * 12) ** 0.5
    lines = equispaced_mask(16, 4, 4)
    expected = (unnormalised - data)[:, :, lines].abs().square().mean()
    assert torch.allclose(forward.misfit(video, measurement)[0], expected)


def test_misfit_of_the_truth_is_twice_the_noise_variance_in_the_papers_convention():
    forward = CartesianMri(equispaced_mask(64, 8, 4), 0.01)
    video = random_video(1, 1, 12, 2, 64, 64)
    measurement = forward.measure(video, torch.Generator().manual_seed(0))
    assert forward.misfit(video, measurement).item() == pytest.approx(2 * 0.01**2 * 64 * 64, rel=0.05)


def test_the_module_is_found_by_name_and_offers_the_contract():
    settings = MeasurementOfDomain(
        model="mri", acceleration=4, acs_lines=4, noise_level=0.1, geometry={"cadence_s": 1.0}, **PAPERS_LINES
    )
    forward = build_forward_model(settings, (3, 2, 16, 12), noise_level=0.7)
    assert isinstance(forward, ForwardModel)
    assert forward.noise_level == 0.7
    with pytest.raises(InputError, match="needs 2 channels"):
        build_forward_model(settings, (3, 1, 16, 12))
