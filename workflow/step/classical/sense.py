"""SENSE: regularised least squares of each frame, by conjugate gradients.

K. P. Pruessmann, M. Weiger, P. Boernert and P. Boesiger, "Advances in sensitivity encoding with arbitrary k-space
trajectories", Magnetic Resonance in Medicine 46 (2001) 638-651: coil maps unfold what undersampling folds, with no
prior but that images are small. Of one coil it is the zero-filled video, a little darker.
"""

import torch

from step.classical.likelihood import likelihood_gradient
from step.config.classical import Sense as Settings
from step.contracts import CurvatureModel, ForwardModel, LeastSquaresModel, Measurement
from step.errors import InputError
from step.physics.least_squares import conjugate_gradients, curvature_of


def reconstruct(forward_model: ForwardModel, measurement: Measurement, settings: Settings) -> torch.Tensor:
    """Return the videos (batch, time, channel, y, x) that minimise ``||r(x)||^2 / 2 + weight ||x||^2 / 2``.

    r are the residuals of a linear measurement; `iterations` of conjugate gradients go there from x = 0. Raises
    `InputError` for a measurement that is no least-squares problem.
    """
    if not isinstance(forward_model, LeastSquaresModel):
        raise InputError(
            f"sense needs a measurement with residuals, {type(forward_model).__name__} has none; take it out of the "
            "task's references"
        )
    start = torch.zeros_like(forward_model.backprojection(measurement))
    right = -likelihood_gradient(forward_model, start, measurement)
    if isinstance(forward_model, CurvatureModel):
        product = forward_model.curvature(start, measurement)
    else:
        product = curvature_of(lambda video: forward_model.residuals(video, measurement), start)

    def regularised(video: torch.Tensor) -> torch.Tensor:
        return product(video) + settings.weight * video

    return conjugate_gradients(regularised, right, settings.iterations)
