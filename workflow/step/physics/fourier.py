"""The one FFT convention: centred and orthonormal, over the last two axes.

The zero frequency sits at index ``n // 2`` of each axis, in the image domain as in k-space, and the transform is
unitary, so that noise has the same standard deviation on both sides.
"""

import torch

AXES = (-2, -1)


def fft2c(image: torch.Tensor) -> torch.Tensor:
    """Return the k-space (..., ky, kx) of complex `image` (..., y, x)."""
    uncentred = torch.fft.ifftshift(image, dim=AXES)
    return torch.fft.fftshift(torch.fft.fft2(uncentred, dim=AXES, norm="ortho"), dim=AXES)


def ifft2c(kspace: torch.Tensor) -> torch.Tensor:
    """Return the complex image (..., y, x) of `kspace` (..., ky, kx); inverse and adjoint of `fft2c`."""
    uncentred = torch.fft.ifftshift(kspace, dim=AXES)
    return torch.fft.fftshift(torch.fft.ifft2(uncentred, dim=AXES, norm="ortho"), dim=AXES)


def complex_of(dtype: torch.dtype) -> torch.dtype:
    """Return the complex type whose parts are of the real `dtype`."""
    return torch.complex(*torch.empty(2, 0, dtype=dtype)).dtype


def fit_rows(image: torch.Tensor, n_rows: int) -> torch.Tensor:
    """Return `image` (..., y, x) cut or filled with zeros to `n_rows` rows; index ``n // 2`` stays the centre."""
    missing = n_rows - image.shape[-2]
    if missing == 0:
        return image
    before = n_rows // 2 - image.shape[-2] // 2
    return torch.nn.functional.pad(image, (0, 0, before, missing - before))


def transform_readout(kspace: torch.Tensor) -> torch.Tensor:
    """Return the columns (..., ky, x) of `kspace` (..., ky, kx): the readout's inverse transform, orthonormal."""
    # Each line as an image of one row, so that the transform over both axes is one along kx.
    return ifft2c(kspace[..., None, :])[..., 0, :]
