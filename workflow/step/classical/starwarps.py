"""StarWarps of an interferometer's closures: a Gaussian prior of frames and of their change, by eht-imaging itself.

K. Bouman et al., "Reconstructing Video of Time-Varying Sources from Radio Interferometric Measurements", IEEE
Transactions on Computational Imaging 4 (2018) 512-527: ``x_1 ~ N(mu, Lambda)``, ``x_t ~ N(A x_{t-1}, Q)``, each frame
drawn to its own prior besides, and data that are linear in the frame after their function is linearised about it. Means
and covariances of all frames given all data are those that `ehtim.imaging.starwarps` passes forwards and backwards.

Deviations from eht-imaging:

* what is linearised is the forward model's residuals, of all closures of a frame with their covariance and of its flux.
  The closure phases of eht-imaging's own terms are degrees that it compares with complex phasors;
* A is the identity, no motion that lasts. The Gaussians know no bound: what comes out below 0 becomes 0.
"""

import contextlib
from collections.abc import Callable, Iterator

import numpy as np
import torch

from step.classical.rings import as_video, chosen_image, each_video, light_curve, regridded
from step.config.classical import Starwarps as Settings
from step.contracts import ForwardModel, Measurement
from step.physics.eht_imaging import eht_imaging, eht_imaging_module, silent
from step.physics.vlbi import ClosureImaging

INDEPENDENT = 1e-3
"""What each pixel varies by itself, as a share of the mean variance: eht-imaging's covariance has no inverse, as it
lets the total flux not vary at all, nor pixels where the prior image is dark."""

Terms = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, bool]
"""Linearised data ``F x``, ideal ones, F, the data's covariance, and whether there are any, as StarWarps has them."""


def reconstruct(forward_model: ForwardModel, measurement: Measurement, settings: Settings) -> torch.Tensor:
    """Return the videos (batch, time, 1, y, x), between -1 and 1, that StarWarps expects given a `measurement`.

    The prior image is a ring whose bright side the data choose. Raises `InputError` for an instrument that measures no
    closures, and for a measurement without a light curve.
    """
    return each_video(
        forward_model, measurement, lambda model, one: _reconstruct_video(model, one, settings), "starwarps"
    )


def _reconstruct_video(model: ClosureImaging, measurement: Measurement, settings: Settings) -> torch.Tensor:
    """Return the video (time, 1, y, x) of a `measurement` of one."""
    coarse = ClosureImaging(model.settings, model.n_frames, settings.pixels, model.noise_level)
    flux = light_curve(measurement)
    image = chosen_image(coarse, measurement, settings)
    means, _ = expected_frames(coarse, measurement, (flux[:, None, None] * image).double(), settings)
    bright = torch.from_numpy(means).clamp_min(0).to(flux)
    return as_video(regridded(bright, model.n_pixels).clamp(0, 1))[0]


def expected_frames(
    model: ClosureImaging, measurement: Measurement, prior: torch.Tensor, settings: Settings
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the mean (time, y, x) of the frames given the data of one video, and each frame's covariance.

    The frames are brightness; `prior` (time, y, x) has the means before the data, of the model's size.
    """
    starwarps = eht_imaging_module("imaging.starwarps")
    place = model.settings.right_ascension_h, model.settings.declination_deg
    images = [eht_imaging().image.Image(frame.numpy(), model.pixel_rad, *place) for frame in prior]
    prepared = model.precompute(measurement, torch.float64)
    with silent(), _data_terms(starwarps, lambda frame, image: linearised(model, prepared, frame, image)):
        covariances = [
            _invertible(starwarps.gaussImgCovariance_2(image, settings.power_dropoff, 1.0)) for image in images
        ]
        start_x, start_y, basis_x, basis_y, no_motion = starwarps.affineMotionBasis(images[0])
        found, moments, *_ = starwarps.computeSuffStatistics(
            images,
            [settings.prior_deviation**2 * covariance for covariance in covariances],
            list(range(model.n_frames)),
            settings.frame_deviation**2 * sum(covariances) / len(covariances),
            no_motion,
            start_x,
            start_y,
            basis_x,
            basis_y,
            no_motion,
            interiorPriors=True,
            numLinIters=settings.linearisations,
            compute_expVal_tm1_t=False,
        )
    means = [image.imvec for image in found]
    spreads = [moment - np.outer(mean, mean) for moment, mean in zip(moments, means, strict=True)]
    return np.stack([mean.reshape(model.n_pixels, model.n_pixels) for mean in means]), spreads


def linearised(model: ClosureImaging, prepared: Measurement, frame: int, image: np.ndarray) -> Terms:
    """Return what the residuals of one `frame` say of its brightness near `image` (pixel,), as StarWarps asks it.

    About x0 they are ``r(x) = r(x0) + F (x - x0)``, of unit variance and independent: the datum ``F x0 - r(x0)`` is
    ``F x`` plus such noise.
    """
    of_frame = {name: array[:, frame : frame + 1] for name, array in prepared.items()}
    side = model.n_pixels

    def residuals(pixels: torch.Tensor) -> torch.Tensor:
        return model.residuals(as_video(pixels.reshape(1, side, side)), of_frame)[0]

    about = torch.from_numpy(image)
    with torch.enable_grad():
        matrix = torch.autograd.functional.jacobian(residuals, about, vectorize=True)
    known = matrix.abs().sum(1) > 0  # the others have no data
    ideal, matrix = residuals(about)[known].numpy(), matrix[known].numpy()
    return matrix @ image - ideal, ideal, matrix, np.eye(len(matrix)), len(matrix) > 0


def _invertible(covariance: np.ndarray) -> np.ndarray:
    """Return `covariance` with `INDEPENDENT` of its mean variance added to each pixel's, as sums of it are inverted."""
    return covariance + INDEPENDENT * np.trace(covariance) / len(covariance) * np.eye(len(covariance))


@contextlib.contextmanager
def _data_terms(starwarps, terms: Callable[[int, np.ndarray], Terms]) -> Iterator[None]:
    """Let StarWarps have its data terms from `terms` inside this block: of the number of a frame and an image's pixels.

    Its list of observations is one of such numbers then.
    """
    of_its_own = starwarps.getMeasurementTerms
    starwarps.getMeasurementTerms = lambda frame, image, **_: terms(frame, image.imvec)
    try:
        yield
    finally:
        starwarps.getMeasurementTerms = of_its_own
