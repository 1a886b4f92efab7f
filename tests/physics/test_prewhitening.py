"""Correlated coils become white ones, and the truth fits the whitened data."""

import pytest
import torch
from step.errors import InputError
from step.physics.fourier import fft2c
from step.physics.masks import equispaced_mask
from step.physics.mri import CartesianMri
from step.physics.prewhitening import whiten, whitening_of
from test_coil_encoding import COLUMNS, maps_of, normal_numbers

COILS = 6


def mixing() -> torch.Tensor:
    """Return how the receivers mix white noise: some are noisier, and all hear others."""
    matrix = torch.view_as_complex(normal_numbers(7, COILS, COILS, 2))
    return torch.diag(torch.linspace(0.5, 3, COILS)).to(matrix.dtype) @ (2 * torch.eye(COILS) + matrix)


def noise(seed: int, *shape: int) -> torch.Tensor:
    return torch.einsum("dc,c...->d...", mixing(), torch.view_as_complex(normal_numbers(seed, COILS, *shape, 2)))


def test_whitened_noise_has_the_level_in_all_coils_and_no_correlation():
    found = whitening_of(noise(1, 20000))
    other = whiten(noise(2, 1, 20000), found)[:, 0]
    covariance = other @ other.mH / other.shape[1] / (2 * found.noise_level**2)
    assert torch.allclose(covariance, torch.eye(COILS, dtype=other.dtype), atol=0.03)
    assert found.noise_level == pytest.approx(noise(2, 20000).abs().square().mean().div(2).sqrt().item(), rel=0.02)


def test_the_truth_has_chi_square_1_in_whitened_coils_with_whitened_maps():
    mask = equispaced_mask(64, 4, 6).expand(2, 64)
    image = torch.view_as_complex(normal_numbers(3, 2, 64, COLUMNS, 2))
    maps = maps_of(COILS, lines=64)
    kspace = fft2c(maps * image[:, None]) + noise(4, 2, 64, COLUMNS).movedim(0, 1)
    found = whitening_of(noise(5, 5000))
    measurement = {
        "kspace": mask[:, None, :, None] * whiten(kspace, found),
        "mask": mask,
        "coil_maps": whiten(maps, found).expand(2, -1, -1, -1),
    }
    video = torch.view_as_real(image).movedim(-1, 1)[None]
    forward = CartesianMri(mask, found.noise_level)
    batch = {name: array[None] for name, array in measurement.items()}
    assert 0.9 < forward.chi_squares(video, batch)["kspace"].item() < 1.1
    unwhitened = {**batch, "kspace": mask[None, :, None, :, None] * kspace, "coil_maps": maps.expand(1, 2, -1, -1, -1)}
    assert not 0.9 < forward.with_noise_level(1.0).chi_squares(video, unwhitened)["kspace"].item() < 1.1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda n: n[:, : 2 * COILS - 1], "11 samples of noise do not say how 6 coils are correlated; give 12"),
        (lambda n: torch.cat([n[:2], 0 * n[:1], n[3:]]), "coil 2 of 6 has no noise"),
        (lambda n: torch.cat([n[:5], n[:1]]), "two of 6 coils, or combinations of them, have the same noise"),
        (lambda n: n / torch.arange(n.shape[1]), "samples that are not finite"),
    ],
)
def test_noise_that_says_nothing_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        whitening_of(change(noise(1, 100)))
