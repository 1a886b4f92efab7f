import numpy as np
import pytest
import torch
from step.domains.mri.coils import coil_maps, combine_coils
from step.domains.mri.phantom.canvas import make_grid
from step.domains.mri.phantom.receiver import sample_coil_maps


@pytest.fixture
def object_and_coils() -> tuple[np.ndarray, np.ndarray]:
    """A moving object (time, y, x) with smooth phase, of which a part turns its phase, and coil maps."""
    grid = make_grid((62, 96), 4.0)
    radii = 50 + 15 * np.cos(2 * np.pi * np.arange(8) / 8)
    distance = np.sqrt(grid.y**2 + grid.x**2)
    beating = np.clip((radii[:, None, None] - distance) / 8 + 0.5, 0, 1)
    body = np.clip((105 - distance) / 8 + 0.5, 0, 1)
    turning = 0.3 * np.sin(2 * np.pi * np.arange(8) / 8)[:, None, None] * beating
    image = (0.5 * body + 0.5 * beating) * np.exp(1j * (turning + grid.y / 90 - (grid.x / 120) ** 2))
    return image, sample_coil_maps(grid, np.random.default_rng(3))


def combine(image: np.ndarray, coils: np.ndarray) -> np.ndarray:
    return combine_coils(torch.from_numpy((image[:, None] * coils).astype(np.complex64))).numpy()


def test_combined_magnitude_is_the_objects(object_and_coils):
    image, coils = object_and_coils
    np.testing.assert_allclose(np.abs(combine(image, coils)), np.abs(image), atol=0.02)


def test_combined_phase_is_the_objects_plus_one_that_is_constant_in_time_and_smooth(object_and_coils):
    image, coils = object_and_coils
    inside = np.abs(image).min(0) > 0.4
    extra = np.angle(combine(image, coils) * image.conj())
    np.testing.assert_allclose(np.exp(1j * (extra - extra[:1]))[:, inside], 1, atol=0.01)
    field = np.exp(1j * extra[0])
    for axis in (0, 1):
        both = inside & np.roll(inside, -1, axis)
        steps = np.angle(np.roll(field, -1, axis) * field.conj())[both]
        assert np.abs(steps).max() < 0.2


def test_the_objects_own_phase_survives(object_and_coils):
    # Maps that swallowed the object's phase would make the combined image the same for both.
    image, coils = object_and_coils
    grid = make_grid((62, 96), 4.0)
    turned = image * np.exp(0.8j * np.sin(grid.x / 60))
    inside = np.abs(image).min(0) > 0.4
    difference = np.angle(combine(turned, coils) * combine(image, coils).conj())
    expected = np.broadcast_to(0.8 * np.sin(grid.x / 60), inside.shape)
    offset = np.angle(np.exp(1j * (difference - expected))[:, inside].mean())
    np.testing.assert_allclose((difference - expected - offset)[:, inside], 0, atol=0.15)


def test_maps_have_unit_root_sum_of_squares_and_no_nan_where_there_is_no_signal(object_and_coils):
    image, coils = object_and_coils
    maps = coil_maps(torch.from_numpy((image[0] * coils).astype(np.complex64)))
    np.testing.assert_allclose(maps.abs().square().sum(0).sqrt(), 1, atol=1e-4)
    assert torch.isfinite(torch.view_as_real(coil_maps(torch.zeros_like(maps)))).all()
