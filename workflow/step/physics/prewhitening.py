"""Coils whose noise is white and alike, from a scan of nothing but noise: what the forward model of k-space expects."""

from typing import NamedTuple

import torch

from step.errors import InputError


class Whitening(NamedTuple):
    """How coils are mixed so that their noise is white."""

    matrix: torch.Tensor  # (coil, coil), complex128, lower triangular: from measured to white coils
    noise_level: float  # standard deviation of real and imaginary part of the white coils' noise, in the noise's units


def whitening_of(noise: torch.Tensor) -> Whitening:
    """Return the whitening by `noise` (coil, sample), complex: what the coils measure without a signal.

    ``W = s sqrt(2) L^-1`` with the covariance ``L L' = E[n n']``, and s, the noise level, such that the noise's mean
    variance over the coils stays what it is: white coils are about as bright as measured ones. The samples must have
    been taken as those of the image are: noise of another bandwidth has to be scaled by the root of their ratio.
    Raises `InputError` for too few samples, values that are not finite, and coils without noise of their own.
    """
    n_coils, n_samples = noise.shape
    if n_samples < 2 * n_coils:
        raise InputError(
            f"{n_samples} samples of noise do not say how {n_coils} coils are correlated; give {2 * n_coils} or more"
        )
    noise = noise.to("cpu", torch.complex128)
    if not torch.view_as_real(noise).isfinite().all():
        raise InputError("the noise has samples that are not finite; leave it out, or scan it again")
    noise = noise - noise.mean(dim=1, keepdim=True)
    covariance = noise @ noise.mH / (n_samples - 1)
    variance = covariance.diagonal().real
    silent = torch.nonzero(variance <= 0).flatten().tolist()
    if silent:
        raise InputError(f"coil {silent[0]} of {n_coils} has no noise, so that it measures nothing; leave it out")
    root, problem = torch.linalg.cholesky_ex(covariance)
    if int(problem) or float((root.diagonal().real.square() / variance).min()) < torch.finfo(variance.dtype).eps ** 0.5:
        raise InputError(f"two of {n_coils} coils, or combinations of them, have the same noise; leave one out")
    noise_level = float(variance.mean() / 2) ** 0.5
    identity = torch.eye(n_coils, dtype=root.dtype)
    matrix = torch.linalg.solve_triangular(root, identity, upper=False) * noise_level * 2**0.5
    return Whitening(matrix, noise_level)


def whiten(coils: torch.Tensor, whitening: Whitening) -> torch.Tensor:
    """Return `coils` (..., coil, y, x), complex k-space, images or maps of the measured coils, as white coils'."""
    matrix = whitening.matrix.to(coils.device, coils.dtype)
    return torch.einsum("dc,...cyx->...dyx", matrix, coils)
