"""k-space of several coils: its adjoint, gradient and noise; one coil that sees all alike is the model without."""

import pytest
import torch
from step.contracts import CurvatureModel, ForwardModel, LeastSquaresModel, PrecomputingModel
from step.errors import InputError
from step.physics import coil_encoding
from step.physics.coil_encoding import encode
from step.physics.forward_models import check_measurement
from step.physics.masks import equispaced_mask
from step.physics.mri import CartesianMri
from step.sampling.pixel_space import sample_video

FRAMES, LINES, COLUMNS = 3, 16, 12
NOISE = 0.2


def normal_numbers(seed: int, *shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def maps_of(n_coils: int, dtype: torch.dtype = torch.complex128, lines: int = LINES) -> torch.Tensor:
    """Return smooth maps (coil, y, x) whose sum of squares is 1."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, lines), torch.linspace(-1, 1, COLUMNS), indexing="ij")
    angle = 2 * torch.pi * torch.arange(n_coils)[:, None, None] / n_coils
    maps = torch.polar(torch.exp(y * angle.sin() + x * angle.cos()), angle + 0.7 * x * angle.sin() - 0.4 * y)
    return (maps / maps.abs().square().sum(0).sqrt()).to(dtype)


def moving_mask() -> torch.Tensor:
    """Return other lines in each frame, and not as many."""
    mask = equispaced_mask(LINES, 4, 2).expand(FRAMES, LINES).clone()
    for frame in range(FRAMES):
        mask[frame, frame :: 3 + frame] = True
    return mask


def model(n_coils: int, mask: torch.Tensor | None = None, noise_level: float = NOISE) -> CartesianMri:
    return CartesianMri(moving_mask() if mask is None else mask, noise_level, coil_maps=maps_of(n_coils))


def samples_in_part(measurement: dict) -> dict:
    """Return `measurement` with a mask of samples, a quarter of which are missing along kx too."""
    kept = torch.ones(FRAMES, LINES, COLUMNS, dtype=torch.bool)
    kept[:, ::2, 1::2] = False
    mask = measurement["mask"][..., None] & kept
    return {**measurement, "mask": mask, "kspace": measurement["kspace"] * mask[:, :, None]}


def measured(forward: CartesianMri, dtype: torch.dtype = torch.float64, in_part: bool = False) -> dict:
    measurement = dict(forward.measure(normal_numbers(1, 2, FRAMES, 2, LINES, COLUMNS, dtype=dtype), seed=0))
    return samples_in_part(measurement) if in_part else measurement


@pytest.fixture(params=[2**20, 2 * 2 * LINES * COLUMNS, 1], ids=["one block", "a few coils", "coil by coil"])
def blocks(request, monkeypatch):
    monkeypatch.setattr(coil_encoding, "BLOCK_SAMPLES", request.param)


@pytest.mark.parametrize("n_coils", [1, 2, 8])
@pytest.mark.parametrize("in_part", [False, True], ids=["lines", "samples"])
def test_the_adjoint_is_the_transpose_in_single_precision(n_coils, in_part):
    forward = model(n_coils)
    measurement = measured(forward, torch.float32, in_part)
    video = normal_numbers(2, 2, FRAMES, 2, LINES, COLUMNS, dtype=torch.float32)
    data = torch.view_as_complex(normal_numbers(3, *measurement["kspace"].shape, 2, dtype=torch.float32))
    data = forward._measured(data, measurement)
    left = (forward._measured(forward.forward(video, measurement), measurement).conj() * data).sum().real
    right = (video * forward.adjoint(data, measurement)).sum()
    assert abs(left - right) <= 1e-5 * video.norm() * data.norm()


def test_one_coil_that_sees_all_alike_is_the_model_without_coils():
    with_coil = CartesianMri(moving_mask(), NOISE, coil_maps=torch.ones(1, LINES, COLUMNS, dtype=torch.complex128))
    without = CartesianMri(moving_mask(), NOISE)
    truth, video = (normal_numbers(seed, 2, FRAMES, 2, LINES, COLUMNS) for seed in (1, 2))
    of_coil, alone = with_coil.measure(truth, seed=0), without.measure(truth, seed=0)
    assert torch.equal(of_coil["kspace"][:, :, 0], alone["kspace"])
    for name in ("negative_log_likelihood", "misfit", "residuals"):
        assert torch.allclose(getattr(with_coil, name)(video, of_coil), getattr(without, name)(video, alone)), name
    assert torch.allclose(with_coil.backprojection(of_coil), without.backprojection(alone))
    chi_squares = [
        forward.chi_squares(video, given)["kspace"] for forward, given in ((with_coil, of_coil), (without, alone))
    ]
    assert torch.allclose(*chi_squares)


@pytest.mark.parametrize("in_part", [False, True], ids=["lines", "samples"])
@pytest.mark.parametrize("prepared", [False, True])
def test_likelihood_gradient_and_curvature_are_those_of_the_residuals(blocks, in_part, prepared):
    forward = model(3)
    assert isinstance(forward, PrecomputingModel)
    assert isinstance(forward, LeastSquaresModel)
    measurement = measured(forward, in_part=in_part)
    given = forward.precompute(measurement, torch.float64) if prepared else measurement
    video = normal_numbers(2, 2, FRAMES, 2, LINES, COLUMNS).requires_grad_()
    residuals, transposed = torch.func.vjp(lambda x: forward.residuals(x, measurement), video)
    likelihood = forward.negative_log_likelihood(video, given)
    assert torch.allclose(likelihood, residuals.square().sum(1) / 2)
    assert torch.allclose(torch.autograd.grad(likelihood.sum(), video)[0], transposed(residuals)[0])
    direction = normal_numbers(4, *video.shape)
    ahead = torch.func.jvp(lambda x: forward.residuals(x, measurement), (video,), (direction,))[1]
    assert isinstance(forward, CurvatureModel)
    assert torch.allclose(forward.curvature(video.detach(), given)(direction), transposed(ahead)[0])


def test_the_gradient_is_that_of_the_likelihood_of_each_item_by_its_factor():
    forward, video = model(2), normal_numbers(2, 2, FRAMES, 2, LINES, COLUMNS).requires_grad_()
    measurement = measured(forward)
    factors = torch.tensor([3.0, -0.5], dtype=torch.float64)
    (gradient,) = torch.autograd.grad((factors * forward.negative_log_likelihood(video, measurement)).sum(), video)
    direction, step = normal_numbers(5, *video.shape), 1e-5
    ahead, behind = (forward.negative_log_likelihood(video + s * step * direction, measurement) for s in (1, -1))
    expected = (factors * (ahead - behind)).sum() / (2 * step)
    assert (gradient * direction).sum().item() == pytest.approx(expected.item(), rel=1e-6)


def test_the_likelihood_is_a_sum_over_chunks_of_frames_of_what_was_precomputed():
    forward, video = model(3), normal_numbers(2, 2, FRAMES, 2, LINES, COLUMNS)
    measurement = measured(forward)
    given = forward.precompute(measurement, torch.float64)
    parts = [
        forward.negative_log_likelihood(video[:, part], {name: array[:, part] for name, array in given.items()})
        for part in (slice(0, 2), slice(2, 3))
    ]
    assert torch.allclose(sum(parts), forward.negative_log_likelihood(video, measurement))


@pytest.mark.slow
def test_pixel_space_samples_of_coils_are_exact_after_enough_conjugate_gradients():
    """Their mean and covariance are those of a Gaussian, found by solving for every pixel of a small frame."""
    lines, columns, spread, n = 6, 1, 0.7, 20000
    coil_maps = torch.view_as_complex(normal_numbers(8, 3, lines, columns, 2)) / 3
    forward = CartesianMri(equispaced_mask(lines, 3, 2), NOISE, coil_maps=coil_maps)
    measurement = forward.measure(normal_numbers(1, 1, 1, 2, lines, columns), seed=0)
    centre = normal_numbers(2, 1, 1, 2, lines, columns)
    jacobian = torch.func.jacrev(lambda x: forward.residuals(x, measurement))(centre).reshape(-1, 2 * lines)
    precision = jacobian.T @ jacobian + torch.eye(2 * lines) / spread**2
    mean = centre.flatten() - torch.linalg.solve(precision, jacobian.T @ forward.residuals(centre, measurement)[0])
    many = {name: array.expand(n, *array.shape[1:]) for name, array in measurement.items()}
    one_generator = [torch.Generator().manual_seed(3)] * n
    samples = sample_video(forward, centre.expand(n, -1, -1, -1, -1), many, spread, 2 * lines + 2, one_generator)
    root = torch.linalg.cholesky(precision)
    white = (samples.flatten(1) - mean) @ root
    assert white.mean(0).abs().max() < 5 / n**0.5
    assert (white.T @ white / n - torch.eye(2 * lines)).abs().max() < 8 / n**0.5


@pytest.mark.parametrize("n_coils", [1, 4, 8])
def test_the_truth_has_chi_square_1_with_noise_of_the_level_in_every_coil(n_coils):
    mask = equispaced_mask(64, 4, 6).expand(FRAMES, 64)
    forward = CartesianMri(mask, NOISE, coil_maps=maps_of(n_coils, lines=64))
    truth = normal_numbers(1, 1, FRAMES, 2, 64, COLUMNS, dtype=torch.float32)
    measurement = forward.measure(truth, seed=0)
    noise = (measurement["kspace"] - forward.forward(truth, measurement))[0].movedim(1, -1)[mask]
    assert noise.real.std().item() == pytest.approx(NOISE, rel=0.1)
    assert 0.9 < forward.chi_squares(truth, measurement)["kspace"].item() < 1.1
    assert not measurement["kspace"][0].movedim(1, -1)[~mask].any()


def test_maps_that_all_frames_share_are_in_memory_once():
    forward = model(4)
    measurement = measured(forward)
    stored = {name: array.clone() for name, array in measurement.items()}
    for given in (measurement, stored):
        encoding = encode(given["kspace"], given["mask"], given["coil_maps"], torch.float32)
        assert encoding.maps.stride()[1] == 0
    moving = stored["coil_maps"] * torch.linspace(1, 0.5, FRAMES)[:, None, None, None]
    assert encode(stored["kspace"], stored["mask"], moving, torch.float32).maps.stride()[1] != 0


def test_a_scan_of_fewer_lines_than_the_frame_has_rows_sees_its_middle():
    forward = CartesianMri(torch.ones(LINES + 4, dtype=torch.bool), NOISE)
    truth = normal_numbers(1, 1, FRAMES, 2, LINES + 4, COLUMNS)
    scanned = model(3).measure(truth[:, :, :, 2:-2], seed=0)
    assert 0.8 < forward.chi_squares(truth, scanned)["kspace"].item() < 1.2
    assert forward.backprojection(scanned).shape == truth.shape
    assert not forward.backprojection(scanned)[:, :, :, [0, 1, -2, -1]].any()


def test_measurements_of_coils_fit_a_task_of_one_coil_and_the_other_way_round():
    one, several = CartesianMri(moving_mask(), NOISE), model(4)
    assert isinstance(several, ForwardModel)
    shape = (FRAMES, 2, LINES, COLUMNS)
    for task in (one, several):
        check_measurement(measured(one), task, shape, "the file")
        check_measurement(measured(several), task, shape, "the file")
        check_measurement(measured(several, in_part=True), task, shape, "the file")
    without_maps = {name: array for name, array in measured(several).items() if name != "coil_maps"}
    with pytest.raises(InputError, match=r"the file holds kspace \(3 x 4 x 16 x 12\).*the task measures"):
        check_measurement(without_maps, one, shape, "the file")


def test_masks_and_maps_of_other_sizes_are_refused():
    forward = model(4)
    with pytest.raises(InputError, match="the video has 2 frames, the mask 3"):
        forward.measure(normal_numbers(1, 1, 2, 2, LINES, COLUMNS), seed=0)
    with pytest.raises(InputError, match=r"coil maps of \(4, 16, 12\) do not fit 15 lines"):
        CartesianMri(torch.ones(15, dtype=torch.bool), NOISE, coil_maps=maps_of(4))
    measurement = measured(forward)
    fewer = {**measurement, "coil_maps": measurement["coil_maps"][:, :, :1]}
    with pytest.raises(InputError, match=r"coil maps of \(2, 3, 1, 16, 12\) do not fit k-space"):
        forward.negative_log_likelihood(normal_numbers(1, 2, FRAMES, 2, LINES, COLUMNS), fewer)
