"""k-space off the grid: the library's transform is the sum that it stands for, its adjoint, its gradient, its noise."""

import math
import sys

import pytest
import torch
from step.classical.modules import build_classical
from step.config.keys import DEMO_CONFIG
from step.config.study import load_config
from step.contracts import BoundedModel, CurvatureModel, ForwardModel, LeastSquaresModel
from step.errors import InputError
from step.physics import point_encoding
from step.physics.density import density_weights
from step.physics.forward_models import build_forward_model
from step.physics.fourier import fft2c
from step.physics.non_cartesian_mri import NonCartesianMri, estimate_maps
from step.physics.trajectories import GOLDEN_SPOKE_RAD, golden_spirals, golden_spokes
from step.sampling.pixel_space import sample_video
from test_coil_encoding import maps_of, normal_numbers

FRAMES, SHAPE = 3, (16, 12)
NOISE = 0.2
ITERATIONS = {"total_variation": 30, "low_rank_sparse": 200, "sense": 20}
TRAJECTORIES = {
    "spokes": golden_spokes(FRAMES, 4, SHAPE, 2.0),
    "spirals": golden_spirals(FRAMES, 3, SHAPE, 1.5, 2.5),
}


def grid() -> torch.Tensor:
    """Return the points of the grid as a trajectory: every line is a readout."""
    places = (torch.arange(n, dtype=torch.float64) - n // 2 for n in SHAPE)
    return torch.stack(torch.meshgrid(*places, indexing="ij"), dim=-1).expand(FRAMES, *SHAPE, 2)


def model(n_coils: int | None = None, name: str = "spokes", noise_level: float = NOISE) -> NonCartesianMri:
    maps = None if n_coils is None else maps_of(n_coils)
    return NonCartesianMri(TRAJECTORIES[name], SHAPE, noise_level, maps)


def video_of(seed: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return normal_numbers(seed, 2, FRAMES, 2, *SHAPE, dtype=dtype)


def explicit(video: torch.Tensor, trajectory: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    """Return the samples (batch, time, coil, readout, sample) as the sum over pixels that defines them."""
    y, x = (torch.arange(n, dtype=torch.float64) - n // 2 for n in SHAPE)
    cycles = trajectory[..., :1, None] * y[:, None] / SHAPE[0] + trajectory[..., 1:, None] * x / SHAPE[1]
    kernel = torch.polar(torch.ones_like(cycles), -2 * math.pi * cycles) / math.prod(SHAPE) ** 0.5
    images = maps * torch.complex(video[:, :, 0], video[:, :, 1])[:, :, None]
    return torch.einsum("trsyx,btcyx->btcrs", kernel, images)


@pytest.fixture(params=[2**20, 2 * math.prod(SHAPE), 1], ids=["all coils", "two coils", "coil by coil"])
def blocks(request, monkeypatch):
    monkeypatch.setattr(point_encoding, "BLOCK_SAMPLES", request.param)


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAJECTORIES)
@pytest.mark.parametrize(("dtype", "precision"), [(torch.float32, 1e-4), (torch.float64, 1e-9)])
def test_samples_are_the_sum_over_pixels_that_defines_them(name, dtype, precision):
    forward, video = model(3, name), video_of(1, dtype)
    ours = forward.forward(video, forward.sampling(video))
    exact = explicit(video.double(), TRAJECTORIES[name], maps_of(3))
    assert (ours - exact).norm() < precision * exact.norm()


def test_on_the_points_of_the_grid_it_is_the_transform_of_the_grid():
    forward, video = NonCartesianMri(grid(), SHAPE, NOISE), video_of(1)
    sampled = forward.sampling(video)
    image = torch.complex(video[:, :, 0], video[:, :, 1])
    assert torch.allclose(forward.forward(video, sampled)[:, :, 0], fft2c(image))
    assert torch.allclose(sampled["density"], torch.ones(()).double(), atol=1e-6)
    clean = {"kspace": forward.forward(video, sampled), **sampled}
    assert torch.allclose(forward.backprojection(clean), video, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAJECTORIES)
@pytest.mark.parametrize("n_coils", [None, 1, 8])
def test_the_adjoint_is_the_transpose_in_single_precision(name, n_coils, blocks):
    forward, video = model(n_coils, name), video_of(2, torch.float32)
    measurement = forward.measure(video_of(1, torch.float32), seed=0)
    data = torch.view_as_complex(normal_numbers(3, *measurement["kspace"].shape, 2, dtype=torch.float32))
    left = (forward.forward(video, measurement).conj() * data).sum().real
    right = (video * forward.adjoint(data, measurement)).sum()
    assert abs(left - right) <= 1e-5 * video.norm() * data.norm()


@pytest.mark.slow
@pytest.mark.parametrize("n_coils", [None, 5])
def test_the_likelihoods_gradient_is_the_adjoint_of_the_residual_however_coils_are_divided(n_coils, blocks):
    forward, video = model(n_coils), video_of(2).requires_grad_()
    measurement = forward.measure(video_of(1), seed=0)
    loss = forward.negative_log_likelihood(video, measurement)
    (gradient,) = torch.autograd.grad(loss.sum(), video)
    residual = (forward.forward(video, measurement) - measurement["kspace"]).detach()
    assert torch.allclose(gradient, forward.adjoint(residual, measurement) / NOISE**2)
    assert torch.allclose(forward.residuals(video, measurement).square().sum(1) / 2, loss)


@pytest.mark.slow
def test_gradients_pass_through_forward_and_adjoint():
    forward = model(3)
    measurement = forward.measure(video_of(1), seed=0)
    video = video_of(2).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: forward.forward(x, measurement), video, fast_mode=True)
    data = measurement["kspace"].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda y: forward.adjoint(y, measurement), data, fast_mode=True)


@pytest.mark.slow
def test_the_curvature_is_that_of_the_residuals_however_coils_are_divided(blocks):
    forward, centre = model(5), video_of(2)
    measurement = forward.measure(video_of(1), seed=0)
    _, transposed = torch.func.vjp(lambda video: forward.residuals(video, measurement), centre)
    ahead = forward.residuals(centre + video_of(3), measurement) - forward.residuals(centre, measurement)
    assert torch.allclose(forward.curvature(centre, measurement)(video_of(3)), transposed(ahead)[0])


@pytest.mark.slow
def test_the_bound_of_the_curvature_is_above_the_largest_eigenvalue_and_near_it():
    forward = NonCartesianMri(TRAJECTORIES["spokes"][:1], SHAPE, 1.0, maps_of(2))
    measurement = forward.measure(video_of(1)[:1, :1], seed=0)
    product = forward.curvature(video_of(1)[:1, :1], measurement)
    basis = torch.eye(2 * math.prod(SHAPE), dtype=torch.float64).reshape(-1, 1, 1, 2, *SHAPE)
    matrix = torch.stack([product(one).flatten() for one in basis])
    largest = torch.linalg.eigvalsh(matrix)[-1]
    assert largest <= forward.curvature_bound(measurement) <= 1.06 * largest
    assert largest > 5  # several spokes measure the centre


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAJECTORIES)
@pytest.mark.parametrize("n_coils", [None, 8])
def test_the_truths_chi_square_is_one(name, n_coils):
    forward, truth = model(n_coils, name), video_of(1, torch.float32)
    measurement = forward.measure(truth, seed=0)
    assert forward.chi_squares(truth, measurement)["kspace"].min() > 0.9
    assert forward.chi_squares(truth, measurement)["kspace"].max() < 1.1
    assert forward.chi_squares(truth + 0.2, measurement)["kspace"].min() > 1.1


def test_one_coil_that_sees_all_alike_is_the_model_without_coils():
    truth, video = video_of(1), video_of(2)
    ones = torch.ones(1, *SHAPE, dtype=torch.complex128)
    with_coil, without = NonCartesianMri(TRAJECTORIES["spokes"], SHAPE, NOISE, ones), model()
    of_coil, alone = with_coil.measure(truth, seed=0), without.measure(truth, seed=0)
    assert torch.equal(of_coil["kspace"], alone["kspace"])
    for name in ("negative_log_likelihood", "misfit", "residuals"):
        assert torch.allclose(getattr(with_coil, name)(video, of_coil), getattr(without, name)(video, alone)), name


def test_one_more_chunk_of_frames_adds_its_likelihood():
    forward, video = model(3), video_of(2)
    measurement = forward.measure(video_of(1), seed=0)
    parts = [
        forward.negative_log_likelihood(video[:, one], {name: array[:, one] for name, array in measurement.items()})
        for one in (slice(0, 2), slice(2, 3))
    ]
    assert torch.allclose(forward.negative_log_likelihood(video, measurement), sum(parts))


@pytest.mark.slow
def test_a_sample_in_pixel_space_has_the_posteriors_mean():
    """Of many samples, against the solution of the normal equations."""
    forward = NonCartesianMri(TRAJECTORIES["spokes"][:1], SHAPE, 0.05, maps_of(4))
    truth = video_of(1)[:1, :1]
    measurement = forward.measure(truth, seed=0)
    basis = torch.eye(2 * math.prod(SHAPE), dtype=torch.float64).reshape(-1, 1, 1, 2, *SHAPE)
    product = forward.curvature(truth, measurement)
    matrix = torch.stack([product(one).flatten() for one in basis]) + torch.eye(len(basis)) / 0.5**2
    mean = torch.linalg.solve(matrix, forward.adjoint(measurement["kspace"], measurement).flatten() / 0.05**2)
    generator = torch.Generator().manual_seed(0)
    found = torch.cat(
        [sample_video(forward, 0 * truth, measurement, 0.5, 40, [generator]).flatten()[None] for _ in range(20)]
    )
    deviation = torch.linalg.inv(matrix).diagonal().sqrt()
    score = (found.mean(0) - mean) / (deviation / 20**0.5)
    assert score.square().mean() == pytest.approx(1, abs=0.25)
    assert (found.std(0) / deviation).mean() == pytest.approx(1, abs=0.05)


def test_it_offers_what_samplers_and_classical_reconstructions_ask_for():
    for contract in (ForwardModel, LeastSquaresModel, CurvatureModel, BoundedModel):
        assert isinstance(model(2), contract)


def test_spokes_turn_by_the_golden_angle_and_cross_in_their_middle():
    spokes = golden_spokes(2, 3, (16, 16), 2.0).flatten(0, 1)
    assert torch.equal(spokes[:, 16], torch.zeros(6, 2).double())
    angle = torch.atan2(spokes[:, -1, 0], spokes[:, -1, 1])
    step = (angle.diff() / GOLDEN_SPOKE_RAD % (2 * math.pi / GOLDEN_SPOKE_RAD)).round(decimals=9)
    assert torch.allclose(step, torch.ones(5).double())
    assert spokes.norm(dim=-1).max() == pytest.approx(8)


def test_spirals_reach_the_edge_with_samples_evenly_along_them():
    spiral = golden_spirals(1, 1, (64, 64), 2.0, 8.0)[0, 0]
    steps = spiral.diff(dim=0).norm(dim=-1)[20:]
    assert steps.mean() == pytest.approx(1 / 2, rel=0.02)
    assert steps.std() < 0.05 * steps.mean()
    assert 31.5 < spiral.norm(dim=-1).max() < 32


def test_the_density_of_many_spokes_grows_with_the_radius_and_undoes_the_sampling():
    """Where spokes are closer than a cell a sample stands for ``pi |k| dk / spokes`` cells."""
    n, n_spokes = 32, 64
    spokes = golden_spokes(1, n_spokes, (n, n), 2.0)[0]
    weights = density_weights(spokes.flatten(0, 1), (n, n)).unflatten(0, spokes.shape[:2])
    radius = spokes.norm(dim=-1)
    middle = (radius[0] > 2) & (radius[0] < 10)
    assert torch.allclose(weights.mean(0)[middle], math.pi * radius[0, middle] * 0.5 / n_spokes, rtol=0.02)
    place = (torch.arange(n).double() - n // 2) / 5
    blob = torch.exp(-(place[:, None] ** 2 + place**2) / 2)[None, None].expand(1, 1, n, n)
    video = torch.stack([blob, 0 * blob], dim=2)
    forward = NonCartesianMri(spokes[None], (n, n), 0.0)
    found = forward.backprojection(forward.measure(video, seed=0))
    assert (found - video).norm() < 0.003 * video.norm()


@pytest.mark.slow
def test_maps_are_estimated_from_spokes_and_their_error_shows_in_the_truths_chi_square():
    shape, n_frames = (32, 32), 8
    place = torch.linspace(-1, 1, 32).double()
    blob = torch.exp(-4 * (place[:, None] ** 2 + place**2) ** 2)
    truth = torch.stack([blob, 0.3 * blob])[None, None].expand(1, n_frames, 2, *shape)
    y, x = torch.meshgrid(place, place, indexing="ij")
    angle = 2 * torch.pi * torch.arange(6)[:, None, None] / 6
    maps = torch.polar(torch.exp(0.7 * (y * angle.sin() + x * angle.cos())), angle + 0.3 * x)
    maps = maps / maps.abs().square().sum(0).sqrt()
    spokes = golden_spokes(n_frames, 8, shape, 2.0)
    known = NonCartesianMri(spokes, shape, 0.01, maps)
    measurement = known.measure(truth, seed=0)
    found = estimate_maps(measurement["kspace"][0], measurement["trajectory"][0], shape)
    agreement = (found.conj() * maps).sum(0).abs()[blob > 0.5]
    assert agreement.min() > 0.99
    estimating = NonCartesianMri(spokes, shape, 0.01, maps, maps_are_estimated=True)
    excess = estimating.chi_squares(truth, estimating.measure(truth, seed=0))["kspace"].item()
    assert 1.0 < excess < 20
    assert 0.9 < known.chi_squares(truth, measurement)["kspace"].item() < 1.1


@pytest.mark.slow
@pytest.mark.parametrize("name", ITERATIONS)
def test_the_studys_classical_rows_converge_on_the_studys_spokes_and_beat_zero_filling(name):
    config = load_config(DEMO_CONFIG)
    task, shape = config.tasks["mri_radial"], (2, 2, 32, 32)
    physics = build_forward_model(config.measurement_of("mri_radial"), shape)
    place = torch.linspace(-1, 1, 32)
    radius = (place[:, None] ** 2 + place**2).sqrt()
    disc = ((0.6 - radius) * 8).clamp(0, 1) * (1 + 0.5 * torch.cos(9 * place))
    truth = torch.stack([disc, 0.3 * disc])[None, None].expand(1, *shape)
    measurement = physics.measure(truth, seed=0)
    assert measurement["kspace"].shape == (1, 2, 8, 8, 64)
    settings = task.classical[name].model_copy(update={"iterations": ITERATIONS[name]})
    found = build_classical(name, settings)(physics.with_noise_level(1.0), measurement)
    zero_filled = physics.backprojection(measurement)
    assert (found - truth).norm() < 0.8 * (zero_filled - truth).norm()


def test_what_does_not_fit_is_one_line():
    with pytest.raises(InputError, match="coil maps of"):
        NonCartesianMri(TRAJECTORIES["spokes"], SHAPE, NOISE, torch.ones(2, 3, 3))
    with pytest.raises(InputError, match="within 8 cycles per field of view along ky"):
        NonCartesianMri(2 * TRAJECTORIES["spokes"], SHAPE, NOISE)
    with pytest.raises(InputError, match="the video has 2 frames, the trajectory 3"):
        model().measure(video_of(1)[:, :2], seed=0)


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "finufft", None)
    with pytest.raises(InputError, match=r"needs finufft, which is not installed; pip install .*\[mri\]"):
        model().measure(video_of(1), seed=0)
