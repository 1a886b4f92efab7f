"""k-space with more lines than the frame has rows: the truth fits its own data, and videos come out better for it."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from step.config.study import load_config
from step.contracts import LeastSquaresModel, PrecomputingModel
from step.domains.mri.phantom.anatomy import sample_patient
from step.domains.mri.phantom.canvas import make_grid
from step.domains.mri.phantom.patient import simulate_magnitudes
from step.domains.mri.phantom.receiver import sample_object_phase
from step.domains.mri.simulate import settings_of
from step.physics.fourier import fft2c, ifft2c
from step.physics.masks import equispaced_mask
from step.physics.mri import CartesianMri, fit_rows, transform_readout
from step.physics.outside import estimate_outside, line_basis
from step.sampling.pixel_space import conjugate_gradients

NOISE = 0.01
FRAMES = 12

DEMO = {"rows": 48, "n_columns": 128, "pixel_mm": 3.0}
PAPER = {"rows": 192, "n_columns": 448, "pixel_mm": 1.5}
DEMO_MASKS, PAPER_MASKS = ((8, 4), (6, 6)), ((8, 12), (6, 24))


def patient(n_lines: int, name: str, rows: int, n_columns: int, pixel_mm: float) -> torch.Tensor:
    """Return the whole field of view (time, y, x) of a simulated short-axis slice, as wide as the frame, peak 1."""
    generator = np.random.default_rng([n_lines, *name.encode()])
    grid = make_grid((n_lines, n_columns), pixel_mm)
    config = load_config()
    settings = settings_of(config.data["mri"], config.seed)
    [magnitude] = simulate_magnitudes(settings, sample_patient(generator), "sax", 1, grid, generator)
    image = magnitude / magnitude.max() * np.exp(1j * sample_object_phase(grid, generator))
    noise = generator.standard_normal((2, *image.shape)) * settings.noise
    image = torch.from_numpy(image + noise[0] + 1j * noise[1])
    return fit_rows(image.mT, rows).mT.contiguous()


def disc_and_chest(wall: float) -> torch.Tensor:
    """Return a moving disc in 62 x 48 pixels, and a wall of brightness `wall` outside its middle 48 rows."""
    y, x = np.mgrid[:62, :48]
    radius = 8 + 2 * np.sin(2 * np.pi * np.arange(FRAMES) / FRAMES)[:, None, None]
    disc = np.exp(-(((y - 36) / radius) ** 4) - (((x - 21) / radius) ** 4)) * np.exp(0.5j)
    chest = (np.abs(y - 31) > 25) & (np.abs(y - 31) < 30) & (np.abs(x - 24) < 20)
    return torch.from_numpy(disc + wall * chest)


def measured(image: torch.Tensor, masks: torch.Tensor, rows: int, scale: float | None = None) -> dict:
    """Return the k-space of `image` (time, y, x) on `masks` (time, ky), and what is known of the outside; a batch."""
    noise = torch.view_as_complex(torch.randn(*image.shape, 2, generator=torch.Generator().manual_seed(0)).double())
    kspace = masks[..., None] * (fft2c(image) + NOISE * noise)
    if scale is None:
        outside = estimate_outside(transform_readout(kspace), masks, rows, NOISE).scale
    else:
        outside = torch.full((image.shape[-1],), scale, dtype=torch.float64)
    fitted = torch.full((1, len(masks)), scale is None)
    outside = outside.expand(1, len(masks), -1)
    return {"kspace": kspace[None], "mask": masks[None], "outside_scale": outside, "outside_fitted": fitted}


def as_video(image: torch.Tensor, rows: int) -> torch.Tensor:
    return torch.view_as_real(fit_rows(image, rows)).movedim(-1, 1)[None].contiguous()


def static(n_lines: int, acceleration: int, acs_lines: int) -> torch.Tensor:
    return equispaced_mask(n_lines, acceleration, acs_lines).expand(FRAMES, n_lines)


def model(rows: int, noise_level: float = NOISE) -> CartesianMri:
    return CartesianMri(torch.ones(rows, dtype=torch.bool), noise_level)


def chi_square(image: torch.Tensor, measurement: dict, rows: int) -> float:
    return model(rows).chi_squares(as_video(image, rows), measurement)["kspace"].item()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["P001", "P002", "P003"])
@pytest.mark.parametrize("mask", DEMO_MASKS)
@pytest.mark.parametrize("n_lines", [42, 51, 62])
def test_the_whole_fields_true_video_has_chi_square_1_at_the_demos_sizes(n_lines, mask, name):
    image = patient(n_lines, name, **DEMO)
    assert 0.9 < chi_square(image, measured(image, static(n_lines, *mask), 48), 48) < 1.1


@pytest.mark.long
@pytest.mark.parametrize("mask", PAPER_MASKS)
@pytest.mark.parametrize("n_lines", [204, 246, 168, 132])
def test_the_whole_fields_true_video_has_chi_square_1_at_the_papers_sizes(n_lines, mask):
    image = patient(n_lines, "P001", **PAPER)[:, :, ::2]
    assert 0.9 < chi_square(image, measured(image, static(n_lines, *mask), 192), 192) < 1.1


@pytest.mark.slow
@pytest.mark.parametrize("wall", [0.7, 0.0])
def test_the_truth_fits_its_data_with_a_chest_wall_outside_and_with_nothing(wall):
    image = disc_and_chest(wall)
    measurement = measured(image, static(62, 8, 4), 48)
    assert 0.9 < chi_square(image, measurement, 48) < 1.1
    energy = model(48).outside_energy(as_video(image, 48), measurement).item()
    seen = fft2c(torch.cat([image[:, :7], torch.zeros(FRAMES, 48, 48), image[:, 55:]], dim=1))
    mask = measurement["mask"][0, 0]
    expected = (seen[:, mask].abs().square().sum() / fft2c(image)[:, mask].abs().square().sum()).item()
    assert energy == pytest.approx(expected, abs=0.01)


def test_an_outside_that_is_sampled_from_the_model_has_chi_square_1_at_its_stated_scale():
    mask, scale = equispaced_mask(62, 8, 4), 0.3
    basis = line_basis(mask, 48)
    generator = torch.Generator().manual_seed(1)
    components = torch.randn(FRAMES, len(basis.gain), 500, dtype=torch.complex128, generator=generator)
    components = components * (2 * (NOISE**2 + scale**2 * basis.gain[:, None])).sqrt()
    columns = basis.lines.mH @ components
    kspace = fft2c(transform_columns(columns))
    measurement = {
        "kspace": kspace[None],
        "mask": mask.expand(1, FRAMES, 62),
        "outside_scale": torch.full((1, FRAMES, 500), scale, dtype=torch.float64),
        "outside_fitted": torch.zeros(1, FRAMES, dtype=torch.bool),
    }
    nothing = torch.zeros(1, FRAMES, 2, 48, 500, dtype=torch.float64)
    assert model(48).chi_squares(nothing, measurement)["kspace"].item() == pytest.approx(1, abs=0.02)
    wrong = {**measurement, "outside_scale": measurement["outside_scale"] / 2}
    assert model(48).chi_squares(nothing, wrong)["kspace"].item() > 3


def transform_columns(columns: torch.Tensor) -> torch.Tensor:
    """Return the image (..., y, x) whose lines along ky are `columns` (..., ky, x)."""
    shifted = torch.fft.ifftshift(columns, dim=-2)
    return torch.fft.fftshift(torch.fft.ifft(shifted, dim=-2, norm="ortho"), dim=-2)


def test_the_covariance_is_that_of_the_noise_and_of_images_outside_the_frame():
    mask, rows, n_lines = equispaced_mask(21, 4, 4), 15, 21
    basis = line_basis(mask, rows)
    place = torch.arange(n_lines) - n_lines // 2
    inside = (place >= -7) & (place < 8)
    power = 1 / (1 + place.double() ** 2)
    transform = fft2c_of_columns(torch.eye(n_lines, dtype=torch.complex128))
    stationary = transform.mH @ torch.diag(power / power.mean()).to(transform.dtype) @ transform
    outside = torch.diag((~inside).to(transform.dtype))
    seen = transform[mask] @ outside
    unitary = basis.lines[:, mask]
    found = unitary.mH @ torch.diag(basis.gain).to(unitary.dtype) @ unitary
    assert torch.allclose(found, seen @ stationary @ seen.mH)
    assert torch.allclose(unitary.mH @ unitary, torch.eye(int(mask.sum()), dtype=unitary.dtype))
    assert torch.allclose(basis.rows, unitary @ transform[mask][:, inside])


def fft2c_of_columns(columns: torch.Tensor) -> torch.Tensor:
    shifted = torch.fft.ifftshift(columns, dim=-2)
    return torch.fft.fftshift(torch.fft.fft(shifted, dim=-2, norm="ortho"), dim=-2)


@pytest.fixture
def changing() -> tuple[torch.Tensor, dict]:
    """Return a video that is not the truth, and a measurement whose lines, and their number, change with time."""
    masks = static(62, 8, 4).clone()
    for frame in range(FRAMES):
        masks[frame, frame :: 7 + frame % 2] = True
    image = disc_and_chest(0.7)
    return as_video(0.8 * image, 48), measured(image, masks, 48)


@pytest.mark.slow
def test_the_truth_fits_data_whose_lines_change_with_time(changing):
    _, measurement = changing
    assert 0.9 < chi_square(disc_and_chest(0.7), measurement, 48) < 1.1


@pytest.mark.slow
@pytest.mark.parametrize("prepared", [False, True])
def test_the_likelihood_is_a_sum_over_chunks_of_frames(changing, prepared):
    video, measurement = changing
    forward = model(48)
    assert isinstance(forward, PrecomputingModel)
    given = forward.precompute(measurement, video.dtype) if prepared else measurement
    parts = [
        forward.negative_log_likelihood(video[:, part], {name: array[:, part] for name, array in given.items()})
        for part in (slice(0, 5), slice(5, 6), slice(6, None))
    ]
    whole = forward.negative_log_likelihood(video, measurement)
    assert torch.allclose(sum(parts), whole)


@pytest.mark.slow
def test_the_gradient_is_that_of_the_likelihood_though_the_level_is_held(changing):
    video, measurement = changing
    forward = model(48, noise_level=0.1)
    direction = torch.randn(video.shape, dtype=video.dtype, generator=torch.Generator().manual_seed(3))
    position = video.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(forward.negative_log_likelihood(position, measurement).sum(), position)
    step = 1e-4
    ahead, behind = (forward.negative_log_likelihood(video + s * step * direction, measurement) for s in (1, -1))
    assert ((ahead - behind) / (2 * step)).item() == pytest.approx((gradient * direction).sum().item(), rel=1e-4)


@pytest.mark.slow
def test_half_the_squared_residuals_is_the_negative_log_likelihood_at_a_stated_scale(changing):
    video, measurement = changing
    forward = model(48)
    assert isinstance(forward, LeastSquaresModel)
    stated = {**measurement, "outside_fitted": torch.zeros_like(measurement["outside_fitted"])}
    half_squares = forward.residuals(video, stated).square().sum(dim=1) / 2
    assert torch.allclose(half_squares, forward.negative_log_likelihood(video, stated))


@pytest.mark.slow
def test_the_residuals_derivative_gives_the_likelihoods_gradient_at_a_fitted_level(changing):
    video, measurement = changing
    forward = model(48)
    residuals, transposed = torch.func.vjp(lambda x: forward.residuals(x, measurement), video)
    position = video.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(forward.negative_log_likelihood(position, measurement).sum(), position)
    assert torch.allclose(transposed(residuals)[0], gradient)
    direction = torch.randn(video.shape, dtype=video.dtype, generator=torch.Generator().manual_seed(3))
    forwards = torch.func.jvp(lambda x: forward.residuals(x, measurement), (video,), (direction,))[1]
    assert (forwards * residuals).sum().item() == pytest.approx((gradient * direction).sum().item())


@pytest.mark.slow
def test_single_precision_gives_the_same_chi_square(changing):
    video, measurement = changing
    single = {name: array.to(torch.complex64) if array.is_complex() else array for name, array in measurement.items()}
    single["outside_scale"] = single["outside_scale"].float()
    forward = model(48)
    found = forward.chi_squares(video.float(), forward.precompute(single, torch.float32))["kspace"]
    assert found.item() == pytest.approx(forward.chi_squares(video, measurement)["kspace"].item(), rel=1e-4)


def test_with_as_many_lines_as_rows_nothing_is_prepared_and_nothing_is_outside():
    forward = CartesianMri(equispaced_mask(16, 4, 4), NOISE)
    video = torch.randn(1, 2, 2, 16, 12, generator=torch.Generator().manual_seed(0))
    measurement = forward.measure(video, torch.Generator().manual_seed(0))
    assert forward.precompute(measurement, video.dtype) is measurement
    assert not measurement["outside_scale"].any()
    assert forward.outside_energy(video, measurement).item() == 0


@pytest.mark.long
@pytest.mark.parametrize("image", [disc_and_chest(0.7), patient(62, "P001", **DEMO)], ids=["disc", "patient"])
def test_the_frame_is_reconstructed_with_less_than_half_the_error_of_a_likelihood_that_knows_no_outside(image):
    measurement = measured(image, static(62, 6, 6), 48)
    nothing = {**measurement, "outside_scale": torch.zeros_like(measurement["outside_scale"])}
    truth = as_video(image, 48)
    errors = [(posterior_mean(given, truth.shape) - truth).square().mean().sqrt() for given in (measurement, nothing)]
    assert errors[0] < 0.5 * errors[1]


def posterior_mean(measurement: dict, shape: torch.Size) -> torch.Tensor:
    """Return the mean (batch, time, 2, y, x) under a smooth Gaussian prior, by conjugate gradients.

    The prior's power falls as 1 / (1 + k^2)^1.5, with a standard deviation of 0.3; levels are those of the mean before.
    """
    forward = model(48)
    ky, kx = (torch.arange(n) - n // 2 for n in shape[-2:])
    power = 1 / (1 + ky[:, None] ** 2 + kx**2).double() ** 1.5
    root = (0.3**2 * power / power.mean()).sqrt()

    def colour(white: torch.Tensor) -> torch.Tensor:
        kspace = root * fft2c(torch.complex(white[:, :, 0], white[:, :, 1]))
        return torch.view_as_real(ifft2c(kspace)).movedim(-1, 2)

    def residuals(white: torch.Tensor) -> torch.Tensor:
        return forward.residuals(colour(white), prepared)

    prepared = forward.precompute(measurement, torch.float64)
    white = torch.zeros(shape, dtype=torch.float64)
    for _ in range(4):
        found, transposed = torch.func.vjp(residuals, white)

        def curvature(direction: torch.Tensor, at: torch.Tensor = white, back: Callable = transposed) -> torch.Tensor:
            return back(torch.func.jvp(residuals, (at,), (direction,))[1])[0] + direction

        white = white + conjugate_gradients(curvature, -transposed(found)[0] - white, 40)
    return colour(white)


def test_the_level_of_each_frame_is_the_most_likely():
    image = disc_and_chest(0.7)
    measurement, video = measured(image, static(62, 8, 4), 48), as_video(image, 48)
    best = model(48).negative_log_likelihood(video, measurement).item()
    stated = {**measurement, "outside_fitted": torch.zeros_like(measurement["outside_fitted"])}
    _, variance = model(48)._whitened(video, measurement)
    _, unfitted = model(48)._whitened(video, stated)
    level = ((variance - NOISE**2) / (unfitted - NOISE**2).clamp_min(1e-12)).flatten(2).amax(dim=2)
    for factor in (1.0, 0.9, 1.1):
        given = {**stated, "outside_scale": (level[..., None] * factor).sqrt() * stated["outside_scale"]}
        _, held = model(48)._whitened(video, given)
        nll = model(48).negative_log_likelihood(video, given) + (held / NOISE**2).log().sum()
        assert nll.item() >= best - 1e-6 or math.isclose(nll.item(), best, rel_tol=1e-9)
