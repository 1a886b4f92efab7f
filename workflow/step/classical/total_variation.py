"""Least squares with total variation over time, y and x, of any linear measurement."""

import torch

from step.classical.likelihood import largest_curvature, likelihood_gradient
from step.config.classical import TotalVariation as Settings
from step.contracts import ForwardModel, Measurement
from step.progress import track

PROXIMAL_ITERATIONS = 8
"""Chambolle's iterations in one proximal map, which begins where the last one ended: few settle it to a thousandth."""

AXES = (1, 3, 4)
"""Time, y and x of videos (batch, time, channel, y, x)."""

DUAL_STEP = 1 / (2 * len(AXES))
"""The step of Chambolle's projections, as scikit-image has it."""


def reconstruct(forward_model: ForwardModel, measurement: Measurement, settings: Settings) -> torch.Tensor:
    """Return the videos (batch, time, channel, y, x) that minimise ``-log p(y | x) + weight * TV(x)``.

    ``TV`` is isotropic over (time, y, x), one pixel and one frame counting alike, and is summed over
    channels: the real and the imaginary part are smoothed separately. The algorithm is FISTA (Beck and
    Teboulle 2009) with step size 1 / L, from the backprojection. L is the Lipschitz constant of the gradient of
    the negative log-likelihood, 1 where the forward model does not say it (not checked): an orthonormal
    undersampled transform has it at noise level 1, where ``-log p = ||A x - y||^2 / 2``.
    """
    video = forward_model.backprojection(measurement)
    step = 1 / largest_curvature(forward_model, measurement).to(video)
    leading, momentum = video, 1.0
    dual = video.new_zeros(len(AXES), *video.shape)
    for _ in track(range(settings.iterations), "FISTA", "iteration"):
        gradient = likelihood_gradient(forward_model, leading, measurement)
        descended = leading - step * gradient
        previous, (video, dual) = video, total_variation_proximal(descended, settings.weight * step, dual)
        previous_momentum, momentum = momentum, (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        leading = video + (previous_momentum - 1) / momentum * (video - previous)
    return video


def total_variation_proximal(
    video: torch.Tensor, weight: torch.Tensor | float, dual: torch.Tensor, iterations: int = PROXIMAL_ITERATIONS
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ``argmin_u ||u - video||^2 / 2 + weight * TV(u)`` for `video` (batch, time, channel, y, x), and its dual.

    By `iterations` of A. Chambolle's projections (J. Math. Imaging Vis. 20, 2004) from `dual` (axis, batch, time,
    channel, y, x) on, nought or what the map of a similar video returned: u is ``video + div dual``, and no vector of
    the dual is longer than `weight`, one number or one for each video (batch, 1, 1, 1, 1).
    """
    if not torch.as_tensor(weight).any():  # the projection divides by it
        return video, dual
    for _ in range(iterations):
        slopes = _differences(video + _divergence(dual))
        lengths = slopes.square().sum(dim=0).sqrt_()
        dual = (dual + DUAL_STEP * slopes) / (1 + DUAL_STEP / weight * lengths)
    return video + _divergence(dual), dual


def _differences(video: torch.Tensor) -> torch.Tensor:
    """Return the forward differences of `video` along each axis, nought at its end: (axis, batch, time, ...)."""
    slopes = video.new_zeros(len(AXES), *video.shape)
    for slope, axis in zip(slopes, AXES, strict=True):
        slope.narrow(axis, 0, video.shape[axis] - 1).copy_(video.diff(dim=axis))
    return slopes


def _divergence(dual: torch.Tensor) -> torch.Tensor:
    """Return minus the adjoint of `_differences` of a `dual` that is nought at the end of each of its axes."""
    total = dual.sum(dim=0)
    for vectors, axis in zip(dual, AXES, strict=True):
        length = vectors.shape[axis] - 1
        total.narrow(axis, 1, length).sub_(vectors.narrow(axis, 0, length))
    return total
