"""Several coils with more lines than the frame has rows: the covariance is the model's, and the truth fits its data."""

import pytest
import torch
from step.errors import InputError
from step.physics.fourier import fft2c, fit_rows, transform_readout
from step.physics.masks import equispaced_mask
from step.physics.mri import CartesianMri
from step.physics.outside import estimate_outside_of_coils, stationary_covariance
from test_coil_encoding import maps_of, normal_numbers
from test_outside import FRAMES, disc_and_chest

NOISE = 0.01
LINES, ROWS, COLUMNS, COILS = 22, 16, 12, 3


def maps(n_coils: int, n_lines: int, n_columns: int) -> torch.Tensor:
    """Return smooth maps (coil, y, x), of unit sum of squares, of another size than those of `maps_of`."""
    fitted = torch.nn.functional.interpolate(
        torch.view_as_real(maps_of(n_coils)).permute(0, 3, 1, 2), (n_lines, n_columns), mode="bilinear"
    )
    found = torch.view_as_complex(fitted.permute(0, 2, 3, 1).contiguous())
    return found / found.abs().square().sum(0).sqrt()


def scan(image: torch.Tensor, masks: torch.Tensor, coil_maps: torch.Tensor, seed: int, **outside) -> dict:
    """Return the data of all coils of `image` (time, y, x), its rows the whole field of view's; a batch of one."""
    clean = fft2c(coil_maps * image[:, None])
    noise = torch.view_as_complex(normal_numbers(seed, *clean.shape, 2))
    measurement = {
        "kspace": masks[:, None, :, None] * (clean + NOISE * noise),
        "mask": masks,
        "coil_maps": coil_maps.expand(len(image), *coil_maps.shape),
        **outside,
    }
    return {name: array[None] for name, array in measurement.items()}


def as_video(image: torch.Tensor, rows: int) -> torch.Tensor:
    return torch.view_as_real(fit_rows(image, rows)).movedim(-1, 1)[None].contiguous()


def masks_of(n_frames: int, n_lines: int) -> torch.Tensor:
    """Return two masks by turns, not of as many lines."""
    masks = torch.stack([equispaced_mask(n_lines, 4, 4)] * n_frames)
    masks[1::2, 1::5] = True
    return masks


@pytest.fixture
def two_videos() -> tuple[CartesianMri, torch.Tensor, dict]:
    """Return a model, videos that are not the truth, and a batch of two measurements, of other maps and scales."""
    parts = []
    for seed in (1, 2):
        image = torch.view_as_complex(normal_numbers(seed, 3, LINES, COLUMNS, 2))
        scale = torch.linspace(0.2, 0.6, COLUMNS, dtype=torch.float64).expand(3, COLUMNS) * seed
        coil_maps = maps(COILS, LINES, COLUMNS) * torch.polar(torch.tensor(1.0), torch.tensor(0.3 * seed)).to(
            image.dtype
        )
        outside = {"outside_scale": scale, "outside_fitted": torch.tensor([True, False, True])}
        parts.append(scan(image, masks_of(3, LINES), coil_maps, seed, **outside))
    measurement = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    model = CartesianMri(torch.ones(ROWS, dtype=torch.bool), NOISE)
    return model, normal_numbers(5, 2, 3, 2, ROWS, COLUMNS), measurement


def test_the_likelihood_has_the_covariance_of_noise_and_outside_in_all_coils(two_videos):
    model, video, measurement = two_videos
    measurement["outside_fitted"] = torch.zeros_like(measurement["outside_fitted"])
    image = torch.complex(video[:, :, 0], video[:, :, 1])
    inside = fit_rows(torch.ones(ROWS, 1), LINES)[:, 0] > 0
    root = torch.linalg.cholesky(stationary_covariance(LINES)[~inside][:, ~inside]).to(image.dtype)
    columns = torch.fft.fftshift(
        torch.fft.fft(torch.fft.ifftshift(torch.eye(LINES, dtype=image.dtype), dim=0), dim=0, norm="ortho"), dim=0
    )
    expected = torch.zeros(2, dtype=torch.float64)
    for item in range(2):
        data = transform_readout(measurement["kspace"][item])
        for frame in range(3):
            lines = measurement["mask"][item, frame]
            for column in range(COLUMNS):
                of_coils = measurement["coil_maps"][item, frame, :, :, column]
                operator = torch.cat([columns[lines] * one for one in of_coils])
                outside = operator[:, ~inside] @ root
                scale = measurement["outside_scale"][item, frame, column]
                covariance = NOISE**2 * torch.eye(len(operator)) + scale**2 * outside @ outside.mH
                residual = operator[:, inside] @ image[item, frame, :, column] - data[frame, :, lines, column].flatten()
                expected[item] += (residual.conj() @ torch.linalg.solve(covariance, residual)).real / 2
    assert torch.allclose(model.negative_log_likelihood(video, measurement), expected)


@pytest.mark.parametrize("prepared", [False, True])
def test_gradient_and_curvature_are_those_of_the_residuals_at_the_level_of_the_video(two_videos, prepared):
    model, video, measurement = two_videos
    given = model.precompute(measurement, video.dtype) if prepared else measurement
    residuals, transposed = torch.func.vjp(lambda x: model.residuals(x, measurement), video)
    stated = {**measurement, "outside_fitted": torch.zeros_like(measurement["outside_fitted"])}
    half_squares = model.residuals(video, stated).square().sum(dim=1) / 2
    assert torch.allclose(half_squares, model.negative_log_likelihood(video, stated))
    position = video.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model.negative_log_likelihood(position, given).sum(), position)
    assert torch.allclose(transposed(residuals)[0], gradient)
    direction = normal_numbers(3, *video.shape)
    ahead = torch.func.jvp(lambda x: model.residuals(x, measurement), (video,), (direction,))[1]
    assert torch.allclose(model.curvature(video, given)(direction), transposed(ahead)[0])


def test_the_likelihood_is_a_sum_over_chunks_of_frames(two_videos):
    model, video, measurement = two_videos
    given = model.precompute(measurement, video.dtype)
    parts = [
        model.negative_log_likelihood(video[:, part], {name: array[:, part] for name, array in given.items()})
        for part in (slice(0, 1), slice(1, 3))
    ]
    assert torch.allclose(sum(parts), model.negative_log_likelihood(video, measurement))


@pytest.mark.slow
@pytest.mark.parametrize("wall", [0.7, 0.0])
def test_the_truth_fits_its_data_with_a_chest_wall_outside_and_with_nothing(wall):
    image, masks, coil_maps = disc_and_chest(wall), masks_of(FRAMES, 62), maps(4, 62, 48)
    nothing = {"outside_scale": torch.zeros(FRAMES, 48), "outside_fitted": torch.ones(FRAMES, dtype=torch.bool)}
    measurement = scan(image, masks, coil_maps, 0, **nothing)
    model, truth = CartesianMri(torch.ones(48, dtype=torch.bool), NOISE), as_video(image, 48)
    if wall:
        assert model.chi_squares(truth, measurement)["kspace"].item() > 50
    found = estimate_outside_of_coils(transform_readout(measurement["kspace"][0]), masks, 48, NOISE)
    measurement["outside_scale"] = found.scale.expand(1, FRAMES, 48)
    assert 0.9 < model.chi_squares(truth, measurement)["kspace"].item() < 1.1
    outer = image.clone()
    outer[:, 7:55] = 0
    share = [fft2c(coil_maps * part[:, None]).movedim(2, 1)[masks].abs().square().sum() for part in (outer, image)]
    assert model.outside_energy(truth, measurement).item() == pytest.approx((share[0] / share[1]).item(), abs=0.02)
    single = {name: array.to(torch.complex64) if array.is_complex() else array for name, array in measurement.items()}
    in_float = model.chi_squares(truth.float(), model.precompute(single, torch.float32))["kspace"]
    assert in_float.item() == pytest.approx(model.chi_squares(truth, measurement)["kspace"].item(), rel=0.01)


def test_lines_in_part_with_an_outside_are_refused(two_videos):
    model, video, measurement = two_videos
    in_part = {**measurement, "mask": measurement["mask"][..., None].expand(-1, -1, -1, COLUMNS)}
    with pytest.raises(InputError, match="22 lines, some measured in part, and the frame 16 rows"):
        model.negative_log_likelihood(video, in_part)
    without = {**in_part, "outside_scale": torch.zeros_like(measurement["outside_scale"])}
    assert model.negative_log_likelihood(video, without).isfinite().all()
