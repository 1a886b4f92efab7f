"""Regularised maximum likelihood imaging of an interferometer's closures, as eht-imaging does it, of a whole video.

Objective and regularisers are those of eht-imaging's imager (A. Chael et al., ApJ 857, 23 (2018)) and of its dynamical
imaging (M. Johnson et al., ApJ 850, 172 (2017)), its schedule the one of the EHT's pipelines: images are blurred, and
imaging begins from them again.

Deviations from eht-imaging, whose `dynamical_imaging` takes no data but its own minimal closures with independent
errors, at one time for each frame:

* the data term is the forward model's likelihood, of all closures of a measurement, their covariance and the flux;
* the gradient is automatic, of all frames at once;
* a pixel's brightness is the logistic function of the variable, not the exponential: no more than 1, the brightest.
"""

from collections.abc import Callable

import numpy as np
import torch
from scipy.optimize import minimize

from step.classical.imaging_regularisers import (
    blur,
    change_between_frames,
    change_from_mean,
    gull_skilling_entropy,
    squared_centroid,
    squared_total_variation,
    total_variation,
)
from step.classical.rings import as_video, chosen_image, each_video, light_curve, static_misfit
from step.config.classical import RegularisedMaximumLikelihood as Settings
from step.contracts import ForwardModel, Measurement
from step.physics.vlbi import ClosureImaging
from step.units import FWHM, RAD_PER_UAS

FAINTEST = 1e-6
"""The least brightness of a pixel that imaging begins from."""

BRIGHTEST_MARGIN = 0.03
"""By how much less than the brightest possible a pixel is that imaging begins from: the logistic function ends."""

CORRECTIONS = 10
"""Pairs of steps and gradients that L-BFGS keeps."""

Objective = Callable[[torch.Tensor], torch.Tensor]
"""From the brightness of all frames (time, y, x) to a number."""


def reconstruct(forward_model: ForwardModel, measurement: Measurement, settings: Settings) -> torch.Tensor:
    """Return the videos (batch, time, 1, y, x), between -1 and 1, that minimise ``-log p(y | x) + sum_r w_r R_r(x)``.

    The data are those of `measurement`, as the likelihood has them; the regularisers R_r those of
    `imaging_regularisers`, weighted as `settings` say. The light curve sets the scale; frames without one take part in
    its mean. The minimisation (L-BFGS) goes from the prior image to one image for all frames, by a likelihood that
    forgives what does not fit, and from there to the video, in rounds. Raises `InputError` for an instrument that
    measures no closures, and for a measurement without a light curve.
    """
    return each_video(
        forward_model,
        measurement,
        lambda model, one: _reconstruct_video(model, one, settings),
        "regularised_maximum_likelihood",
    )


def _reconstruct_video(model: ClosureImaging, measurement: Measurement, settings: Settings) -> torch.Tensor:
    """Return the video (time, 1, y, x) of a `measurement` of one."""
    prepared = model.precompute(measurement, torch.float32)
    flux = light_curve(measurement)
    light = flux[:, None, None] / flux.mean()  # of a source that varies in flux alone

    image = flux.mean() * chosen_image(model, measurement, settings)
    penalty = regularisation(settings, light * image, model.pixel_rad)

    def static_objective(image: torch.Tensor) -> torch.Tensor:
        return static_misfit(model, prepared, light * image, settings) + penalty(light * image)

    def objective(frames: torch.Tensor) -> torch.Tensor:
        return model.negative_log_likelihood(as_video(frames), prepared).sum() + penalty(frames)

    pixel_uas = model.pixel_rad / RAD_PER_UAS
    frames = light * minimise(static_objective, image, settings.static_iterations)
    for number in range(settings.rounds):
        blurred = blur(frames, settings.blur_uas / 2**number / FWHM / pixel_uas)
        frames = minimise(objective, blurred, settings.iterations)
    return as_video(frames)[0]


def regularisation(settings: Settings, prior: torch.Tensor, pixel_rad: float) -> Objective:
    """Return the weighted sum of the regularisers, in units of the mean flux of `prior` (time, y, x)."""
    mean = prior.sum(dim=(-2, -1)).mean()
    pixel_uas = pixel_rad / RAD_PER_UAS
    beam_pixels = settings.beam_uas / pixel_uas
    sigma_pixels = settings.frame_blur_uas / FWHM / pixel_uas
    relative_prior = prior / mean
    terms: list[tuple[float, Objective]] = [
        (settings.entropy, lambda frames: gull_skilling_entropy(frames, relative_prior)),
        (settings.total_variation, lambda frames: total_variation(frames, beam_pixels)),
        (settings.squared_total_variation, lambda frames: squared_total_variation(frames, beam_pixels)),
        (settings.centroid, lambda frames: squared_centroid(frames, beam_pixels)),
        (settings.between_frames, lambda frames: change_between_frames(frames, sigma_pixels)),
        (settings.from_mean, change_from_mean),
    ]
    used = [(weight, term) for weight, term in terms if weight > 0]
    return lambda frames: sum((weight * term(frames / mean) for weight, term in used), start=frames.new_zeros(()))


def minimise(objective: Objective, frames: torch.Tensor, iterations: int) -> torch.Tensor:
    """Return the frames, each pixel between 0 and 1, that L-BFGS finds in so many `iterations` from `frames` on."""

    def frames_of(logits: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(logits).to(frames).reshape(frames.shape)

    def value_and_gradient(logits: np.ndarray) -> tuple[float, np.ndarray]:
        with torch.enable_grad():
            variable = frames_of(logits).requires_grad_()
            value = objective(variable.sigmoid())
            gradient = torch.autograd.grad(value, variable)[0]
        return value.item(), gradient.numpy(force=True).astype(np.float64).ravel()

    start = frames.clamp(FAINTEST, 1 - BRIGHTEST_MARGIN).logit().numpy(force=True).astype(np.float64).ravel()
    options = {"maxiter": iterations, "maxcor": CORRECTIONS}
    found = minimize(value_and_gradient, start, jac=True, method="L-BFGS-B", options=options)
    return frames_of(found.x).sigmoid()
