"""What the likelihood says of a video, for reconstructions that go by gradient steps."""

import torch

from step.contracts import BoundedModel, ForwardModel, Measurement


def largest_curvature(forward_model: ForwardModel, measurement: Measurement) -> torch.Tensor:
    """Return the Lipschitz constant (batch, 1, 1, 1, 1) of the gradient of ``-log p(y | x)`` at noise level 1.

    It is 1 of forward models that say none (`step.contracts.BoundedModel`), as of undersampled unitary transforms.
    """
    if isinstance(forward_model, BoundedModel):
        return forward_model.curvature_bound(measurement)[:, None, None, None, None]
    return torch.ones(1, 1, 1, 1, 1)


def likelihood_gradient(forward_model: ForwardModel, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
    """Return the gradient of ``-log p(y | x)`` at `video`, both (batch, time, channel, y, x).

    At noise level 1 and of a linear instrument it is ``A^T (A x - y)``. Raises `FloatingPointError` where it is not
    finite, as after steps that were too long.
    """
    with torch.enable_grad():
        video = video.detach().requires_grad_()
        loss = forward_model.negative_log_likelihood(video, measurement).sum()
        gradient = torch.autograd.grad(loss, video)[0]
    if not gradient.isfinite().all():
        raise FloatingPointError(
            "the gradient of the likelihood is not finite, the steps diverged: the Lipschitz constant of that of "
            "-log p(y | x) must be 1 at most, an operator's norm too, or the forward model must say its curvature_bound"
        )
    return gradient
