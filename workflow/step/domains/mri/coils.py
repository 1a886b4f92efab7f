"""Combination of receiver coils that keeps the phase of the object."""

import torch

from step.physics.fourier import fft2c, ifft2c

CALIBRATION_LINES = 24
"""Width along ky of the k-space centre that coil maps come from; maps are smooth on the scale of a body."""


def combine_coils(images: torch.Tensor) -> torch.Tensor:
    """Return the combined images (time, y, x) of complex coil images (time, coil, y, x).

    Each coil is weighed by its conjugate map, so magnitudes are those of the root sum of squares of the
    coils' sensitivities times the object, and phases are the object's plus one that is smooth and constant in
    time.
    """
    return (coil_maps(images.mean(0)).conj() * images).sum(1)


def coil_maps(images: torch.Tensor) -> torch.Tensor:
    """Return the maps (coil, y, x) of time-averaged coil images (coil, y, x), of unit root sum of squares.

    Low-resolution images are ``object * sensitivity``. Divided by their root sum of squares they still carry
    the object's phase, which would then vanish from the combined image; the phase of a virtual coil, the one
    combination of coils with the most energy, takes it out of the maps again.
    """
    smooth = _low_resolution(images)
    magnitude = smooth.abs().square().sum(0).sqrt()
    phase = torch.angle(_virtual_coil(smooth))
    return smooth / magnitude.clamp_min(torch.finfo(magnitude.dtype).tiny) * torch.polar(torch.ones_like(phase), -phase)


def _low_resolution(images: torch.Tensor) -> torch.Tensor:
    n_y, n_x = images.shape[-2:]
    # Equal resolution along both axes: the readout is oversampled, so the same band has more samples along
    # kx.
    windows = (_centre_window(n, min(n, round(CALIBRATION_LINES * n / n_y)), images.device) for n in (n_y, n_x))
    along_y, along_x = windows
    return ifft2c(fft2c(images) * along_y[:, None] * along_x)


def _centre_window(n: int, width: int, device: torch.device) -> torch.Tensor:
    """Return a Hann window of `width` samples about the centre n // 2, zero elsewhere; shape (n,)."""
    offset = torch.arange(n, device=device) - n // 2
    window = torch.cos(torch.pi * offset / (width + 1)).square()
    return torch.where(offset.abs() <= width // 2, window, torch.zeros_like(window))


def _virtual_coil(images: torch.Tensor) -> torch.Tensor:
    """Return the image (y, x) of the unit combination of coils that has the most energy."""
    flat = images.flatten(1)
    # eigh sorts in ascending order; the vector's free phase is fixed by its strongest coil.
    weights = torch.linalg.eigh(flat @ flat.conj().T).eigenvectors[:, -1]
    strongest = weights[weights.abs().argmax()]
    weights = weights * strongest.conj() / strongest.abs()
    return torch.einsum("c,cyx->yx", weights.conj(), images)
