"""Coil maps from the data: those of a smooth object are found, and the truth fits nearly as with the true ones."""

import numpy as np
import pytest
import torch
from step.config.tasks import LinePattern
from step.domains.mri.phantom.canvas import make_grid
from step.domains.mri.phantom.receiver import sample_coil_maps
from step.errors import InputError
from step.physics.coil_maps import align_phase, calibration_of, estimate_maps, strongest_of_patches
from step.physics.masks import line_masks
from step.physics.mri import CartesianMri
from step.physics.receivers import sample_coil_ring
from test_coil_encoding import normal_numbers
from test_outside import patient

FRAMES, SIZE, COILS, NOISE = 12, 64, 8, 0.003


@pytest.fixture(scope="module")
def heart() -> torch.Tensor:
    """Return a simulated heart (time, y, x) of 64 x 64 pixels, peak 1."""
    return patient(SIZE, "P001", rows=SIZE, n_columns=SIZE, pixel_mm=2.5)


def true_maps() -> torch.Tensor:
    place = (np.arange(SIZE) - SIZE // 2) * 2.5
    return torch.from_numpy(
        sample_coil_ring(place[:, None], place[None], COILS, 170, 130, 0.5, np.random.default_rng(0))
    )


def scan(heart: torch.Tensor, kind: str, acs_lines: int, estimated: bool) -> tuple[CartesianMri, torch.Tensor, dict]:
    mask = line_masks(FRAMES, SIZE, 8, acs_lines, LinePattern(kind=kind, seed=0, decay=2.0))
    forward = CartesianMri(mask, NOISE, coil_maps=true_maps(), maps_are_estimated=estimated)
    video = torch.view_as_real(heart).movedim(-1, 1)[None].contiguous()
    return forward, video, dict(forward.measure(video, seed=0))


def test_maps_of_a_uniform_object_without_noise_are_the_true_ones():
    kspace = CartesianMri(torch.ones(FRAMES, SIZE, dtype=torch.bool), 0.0, coil_maps=true_maps()).measure(
        torch.ones(1, FRAMES, 2, SIZE, SIZE, dtype=torch.float64), seed=0
    )
    found = estimate_maps(kspace["kspace"][0], kspace["mask"][0])
    assert torch.allclose(found.abs().square().sum(0), torch.ones(SIZE, SIZE, dtype=torch.float64))
    error = (align_phase(found, true_maps()) - true_maps()).abs().square().sum(0).sqrt()
    assert error.max() < 0.03  # curvature within a patch


@pytest.mark.slow
def test_the_combination_of_coils_has_the_phase_of_the_strongest_virtual_coil(heart):
    _, _, measurement = scan(heart, "interleaved", 4, estimated=False)
    found = estimate_maps(measurement["kspace"][0], measurement["mask"][0])
    turned = estimate_maps(measurement["kspace"][0] * np.exp(1.3j), measurement["mask"][0])
    assert torch.allclose(found, turned)


@pytest.mark.slow
@pytest.mark.parametrize(("acs_lines", "largest"), [(4, 1.5), (0, 1.3)])
def test_with_maps_of_interleaved_frames_the_truths_chi_square_is_hardly_larger(heart, acs_lines, largest):
    """Its excess, beyond the 1.0 of known maps, is what the maps' error costs at a signal of 330 times the noise."""
    forward, video, measurement = scan(heart, "interleaved", acs_lines, estimated=True)
    assert 1.0 < forward.chi_squares(video, measurement)["kspace"].item() < largest
    known = {**measurement, "coil_maps": true_maps().expand(1, FRAMES, -1, -1, -1)}
    assert 0.9 < forward.chi_squares(video, known)["kspace"].item() < 1.1


@pytest.mark.slow
def test_more_calibration_lines_make_better_maps(heart):
    chi_squares = []
    for acs_lines in (4, 8, 16):
        forward, video, measurement = scan(heart, "equispaced", acs_lines, estimated=True)
        chi_squares.append(forward.chi_squares(video, measurement)["kspace"].item())
    assert chi_squares[0] > 1.5 * chi_squares[1] > 2 * chi_squares[2]


def test_each_pixels_map_is_the_eigenvector_of_its_patch():
    images = torch.view_as_complex(normal_numbers(1, 3, 9, 8, 2))
    found = strongest_of_patches(images)
    patch = images[:, 2:7, 1:6].flatten(1)
    expected = torch.linalg.eigh(patch @ patch.mH).eigenvectors[:, -1]
    assert (expected.conj() @ found[:, 4, 3]).abs().item() == pytest.approx(1)
    corner = images[:, :3, :3].flatten(1)
    assert (torch.linalg.eigh(corner @ corner.mH).eigenvectors[:, -1].conj() @ found[:, 0, 0]).abs().item() == (
        pytest.approx(1)
    )


def test_the_time_average_is_over_the_frames_that_have_a_line_and_the_band_is_what_some_frame_has():
    mask = torch.zeros(3, 16, dtype=torch.bool)
    mask[:, 6:10], mask[0, 5], mask[1, 10] = True, True, True
    kspace = torch.arange(1, 4)[:, None, None, None] * torch.ones(3, 2, 16, 4, dtype=torch.complex128)
    found = calibration_of(kspace, mask)
    assert found.lines == slice(5, 11)
    assert (found.kspace[:, 6:10] == 2).all()
    assert (found.kspace[:, 5] == 1).all()
    assert (found.kspace[:, 10] == 2).all()


def test_too_few_central_lines_are_refused():
    mask = torch.zeros(3, 16, dtype=torch.bool)
    mask[:, 7:9] = True
    with pytest.raises(InputError, match="coil maps need 4 central lines or more, and the frames together have 2"):
        calibration_of(torch.ones(3, 2, 16, 4, dtype=torch.complex64), mask)


def test_the_simulators_receivers_are_the_ring():
    grid = make_grid((20, 24), 3.0)
    ring = sample_coil_ring(grid.y, grid.x, 10, 170, 130, 0.5, np.random.default_rng(4))
    assert np.array_equal(sample_coil_maps(grid, np.random.default_rng(4)), ring)
    assert np.allclose((np.abs(ring) ** 2).sum(0), 1)
