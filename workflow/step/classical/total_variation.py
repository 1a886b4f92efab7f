"""Least squares with total variation over time, y and x, of any linear measurement."""

from collections.abc import Sequence

import numpy as np
import torch
from skimage.restoration import denoise_tv_chambolle

from step.classical.likelihood import largest_curvature, likelihood_gradient
from step.config.classical import TotalVariation as Settings
from step.contracts import ForwardModel, Measurement
from step.progress import track

# The proximal map is itself iterative. With these two the objective settles to about a part in a thousand.
PROXIMAL_ITERATIONS = 50
PROXIMAL_TOLERANCE = 1e-5


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
    weights = [settings.weight * one.item() for one in step.expand(len(video), 1, 1, 1, 1)]
    leading, momentum = video, 1.0
    for _ in track(range(settings.iterations), "FISTA", "iteration"):
        gradient = likelihood_gradient(forward_model, leading, measurement)
        previous, video = video, _total_variation_proximal(leading - step * gradient, weights)
        previous_momentum, momentum = momentum, (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        leading = video + (previous_momentum - 1) / momentum * (video - previous)
    return video


def _total_variation_proximal(video: torch.Tensor, weights: Sequence[float]) -> torch.Tensor:
    """Return ``argmin_u ||u - x||^2 / 2 + weight * TV(u)`` of each x of the batch, by Chambolle's projections."""
    if not any(weights):  # Chambolle's iteration divides by the weight
        return video
    smooth = np.stack([_smooth(*one) for one in zip(video.numpy(force=True), weights, strict=True)])
    return torch.as_tensor(smooth, dtype=video.dtype, device=video.device)


def _smooth(video: np.ndarray, weight: float) -> np.ndarray:
    return denoise_tv_chambolle(video, weight, eps=PROXIMAL_TOLERANCE, max_num_iter=PROXIMAL_ITERATIONS, channel_axis=1)
