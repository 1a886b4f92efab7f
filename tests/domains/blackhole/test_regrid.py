import numpy as np
import pytest
from step.domains.blackhole.regrid import Regridding, overlaps


def random_image(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 1, shape)


def sky(shape: tuple[int, int], pixel: float, centre: tuple[float, float], width: float) -> np.ndarray:
    """Return a Gaussian source, the flux of each pixel, `centre` (y, x) and `width` in the unit of `pixel`."""
    y, x = ((np.arange(n) - (n - 1) / 2) * pixel - offset for n, offset in zip(shape, centre, strict=True))
    image = np.exp(-(y[:, None] ** 2 + x**2) / (2 * width**2))
    return image / image.sum()


def centroid(image: np.ndarray, pixel: float) -> tuple[float, float]:
    """Return the centre of flux (y, x) from the middle of `image`."""
    y, x = ((np.arange(n) - (n - 1) / 2) * pixel for n in image.shape)
    return (image.sum(1) * y).sum() / image.sum(), (image.sum(0) * x).sum() / image.sum()


@pytest.mark.parametrize("shape", [(160, 160), (400, 400), (33, 50), (7, 8)])
@pytest.mark.parametrize("pixel", [0.31, 1.0, 4.0])
@pytest.mark.parametrize("side", [31, 64])
def test_flux_within_the_field_of_view_is_kept(shape, pixel, side):
    image = random_image(shape)
    # A field of view that ends amid source pixels.
    side_pixel = 0.83 * min(shape) * pixel / side
    y, x = (inside(n, pixel, side * side_pixel) for n in shape)
    assert Regridding.between(shape, pixel, side, side_pixel)(image).sum() == pytest.approx(y @ image @ x, rel=1e-12)


def inside(n: int, pixel: float, width: float) -> np.ndarray:
    """Return which part of each of `n` pixels lies within `width` around the middle."""
    edges = np.clip((np.arange(n + 1) - n / 2) * pixel, -width / 2, width / 2)
    return np.diff(edges) / pixel


@pytest.mark.parametrize("shape", [(20, 20), (13, 18)])
def test_a_source_smaller_than_the_field_of_view_is_kept_whole_amid_zeros(shape):
    image = random_image(shape)
    regridded = Regridding.between(shape, 1.0, 32, 1.5)(image)
    assert regridded.sum() == pytest.approx(image.sum(), rel=1e-12)
    n_y, n_x = (int(np.ceil(n / 3)) for n in shape)
    inner = regridded[16 - n_y : 16 + n_y, 16 - n_x : 16 + n_x]
    assert (inner > 0).all()
    assert np.count_nonzero(regridded) == inner.size


def test_the_same_pixels_are_cut_or_filled_around_the_centre():
    image = random_image((10, 10))
    np.testing.assert_allclose(Regridding.between((10, 10), 0.7, 10, 0.7)(image), image, rtol=1e-12)
    np.testing.assert_allclose(Regridding.between((10, 10), 0.7, 6, 0.7)(image), image[2:8, 2:8], rtol=1e-12)
    np.testing.assert_allclose(
        Regridding.between((10, 10), 0.7, 14, 0.7)(image), np.pad(image, 2), rtol=1e-12, atol=1e-15
    )


def test_whole_pixels_are_summed_and_divided():
    image = random_image((12, 8))
    coarse = Regridding.between((12, 8), 1.0, 4, 2.0)(image)
    np.testing.assert_allclose(coarse, image[2:10].reshape(4, 2, 4, 2).sum((1, 3)), rtol=1e-12)
    fine = Regridding.between((12, 8), 1.0, 16, 0.5)(image)
    np.testing.assert_allclose(fine, np.repeat(np.repeat(image[2:10], 2, 0), 2, 1) / 4, rtol=1e-12)


def test_overlaps_of_a_known_pair_of_grids():
    # Three pixels of 2 from -3 to 3 onto two of 2.5 from -2.5 to 2.5.
    np.testing.assert_allclose(overlaps(3, 2.0, 2, 2.5), [[0.75, 0.5, 0], [0, 0.5, 0.75]])


def test_the_pixel_size_counts_and_not_the_array_size():
    centre, width = (6.0, -9.0), 8.0
    for shape, pixel in (((160, 160), 1.0), ((400, 400), 0.4), ((64, 64), 2.5), ((100, 240), 1.0)):
        regridded = Regridding.between(shape, pixel, 64, 2.0)(sky(shape, pixel, centre, width))
        assert regridded.sum() == pytest.approx(1, rel=1e-3)
        assert centroid(regridded, 2.0) == pytest.approx(centre, abs=0.02)
        y_width = np.sqrt((regridded.sum(1) * (np.arange(64) * 2.0 - 63 - 6.0) ** 2).sum())
        # Both pixels blur it a little.
        assert y_width == pytest.approx(np.sqrt(width**2 + (2.0**2 + pixel**2) / 12), rel=0.01)


def test_positive_images_stay_positive_and_rounding_is_small():
    rng = np.random.default_rng(1)
    for _ in range(20):
        n, side, pixel, side_pixel = rng.integers(2, 90), rng.integers(2, 90), *rng.uniform(0.1, 3, 2)
        weights = overlaps(n, pixel, side, side_pixel)
        assert weights.min() >= 0
        assert weights.sum(0).max() < 1 + 1e-12
        np.testing.assert_allclose(weights.sum(0), inside(n, pixel, side * side_pixel), atol=1e-12)
