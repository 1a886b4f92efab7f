import numpy as np
import pytest
import torch
from step.physics.fourier import fft2c, ifft2c
from step.physics.masks import equispaced_mask


def complex_normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.complex128, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("height", "width"), [(8, 8), (9, 12), (7, 5)])
def test_transform_is_unitary_and_its_own_inverse(height, width):
    image = complex_normal(3, height, width)
    kspace = fft2c(image)
    assert torch.allclose(kspace.abs().square().sum(), image.abs().square().sum())
    assert torch.allclose(ifft2c(kspace), image)


@pytest.mark.parametrize(("height", "width"), [(6, 8), (5, 7)])
def test_transform_equals_the_dense_centred_dft(height, width):
    def dft(n: int) -> np.ndarray:
        index = np.arange(n) - n // 2
        return np.exp(-2j * np.pi * np.outer(index, index) / n) / np.sqrt(n)

    image = complex_normal(height, width).numpy()
    expected = dft(height) @ image @ dft(width).T
    assert np.allclose(fft2c(torch.from_numpy(image)).numpy(), expected)


@pytest.mark.parametrize(("acceleration", "acs_lines"), [(8, 12), (6, 24)])
def test_the_energy_of_a_constant_image_lies_on_the_central_lines_of_the_mask(acceleration, acs_lines):
    kspace = fft2c(torch.ones(192, 192, dtype=torch.complex64))
    peak = int(kspace.abs().sum(dim=1).argmax())
    first = 192 // 2 - acs_lines // 2
    assert peak == 96
    assert first <= peak < first + acs_lines
    mask = equispaced_mask(192, acceleration, acs_lines)
    measured = (mask[:, None] * kspace).abs().square().sum() / kspace.abs().square().sum()
    assert measured == pytest.approx(1.0)
