"""What imaging of closures begins from: a ring in the middle, as bright as the light curve, bright on one side.

Shared by the classical reconstructions of an interferometer's videos. Frames are the brightness (time, y, x) of pixels.
"""

from collections.abc import Callable

import torch

from step.config.classical import RingPrior
from step.contracts import ForwardModel, Measurement
from step.errors import InputError
from step.physics.vlbi import ClosureImaging
from step.units import FWHM, RAD_PER_UAS

FAINTEST = 1e-6
"""The least brightness of a pixel of a prior image relative to its brightest."""


def each_video(
    forward_model: ForwardModel,
    measurement: Measurement,
    reconstruct_video: Callable[[ClosureImaging, Measurement], torch.Tensor],
    name: str,
) -> torch.Tensor:
    """Return what `reconstruct_video` makes of each video of a measurement, (batch, time, 1, y, x).

    It is given the forward model and the `measurement` of one video, and returns a video (time, 1, y, x). Raises
    `InputError`, which says that `name` takes nothing else, for an instrument that measures no closures.
    """
    if not isinstance(forward_model, ClosureImaging):
        raise InputError(
            f"{name} images the closures of an interferometer (measurement.model vlbi), and the "
            f"forward model is {type(forward_model).__name__}; take total_variation for a linear measurement"
        )
    n_videos = len(measurement["flux"])
    one_by_one = ({name: array[n : n + 1] for name, array in measurement.items()} for n in range(n_videos))
    return torch.stack([reconstruct_video(forward_model, one) for one in one_by_one])


def light_curve(measurement: Measurement) -> torch.Tensor:
    """Return the flux (time,) of a `measurement` of one video; frames where it was not measured have the mean.

    It is a tenth of the mean at least, since noise may leave nothing. Raises `InputError` where there is none.
    """
    flux, sigma = (measurement[name][0].to(torch.float32) for name in ("flux", "flux_sigma"))
    mean = flux[sigma > 0].mean()
    if not mean > 0:
        raise InputError(
            "the measurement has no flux, which sets the scale of a video that is imaged from closures; give it a "
            "light curve"
        )
    return torch.where(sigma > 0, flux, mean).clamp_min(mean / 10)


def prior_images(settings: RingPrior, n_pixels: int, pixel_rad: float) -> torch.Tensor:
    """Return the rings of `settings` in the middle of an image, bright on one side, (orientation, y, x).

    Each has the sum 1. They are those that the EHT fits to closures (Event Horizon Telescope Collaboration, ApJL 930,
    L15 (2022), the m-ring of order 1).
    """
    place_uas = pixel_rad / RAD_PER_UAS * (torch.arange(n_pixels) - (n_pixels - 1) / 2)
    radius_uas = torch.hypot(place_uas[:, None], place_uas)
    angle = torch.atan2(place_uas[:, None], place_uas)
    brightest = 2 * torch.pi / settings.orientations * torch.arange(settings.orientations)[:, None, None]
    distance = (radius_uas - settings.ring_diameter_uas / 2) / (settings.ring_width_uas / FWHM)
    ring = (-distance.square() / 2).exp()
    images = (ring * (1 + settings.ring_asymmetry * torch.cos(angle - brightest))).clamp_min(FAINTEST)
    return images / images.sum(dim=(-2, -1), keepdim=True)


def static_misfit(
    model: ClosureImaging, prepared: Measurement, frames: torch.Tensor, settings: RingPrior
) -> torch.Tensor:
    """Return how badly `frames` fit the data, by a likelihood that forgives what does not fit at all.

    It is ``o / 2 sum log(1 + r^2 / o)`` of the residuals r, o the settings' `static_outlier`: to one image for all
    times, what varies does not fit.
    """
    squares = model.residuals(as_video(frames), prepared).square()
    return settings.static_outlier * torch.log1p(squares / settings.static_outlier).sum() / 2


def chosen_image(model: ClosureImaging, measurement: Measurement, settings: RingPrior) -> torch.Tensor:
    """Return the ring (y, x), its sum 1, whose bright side the data of one video choose; its flux is the light's."""
    prepared = model.precompute(measurement, torch.float32)
    flux = light_curve(measurement)[:, None, None]
    candidates = prior_images(settings, model.n_pixels, model.pixel_rad).to(flux)
    return min(candidates, key=lambda image: float(static_misfit(model, prepared, flux * image, settings)))


def as_video(frames: torch.Tensor) -> torch.Tensor:
    """Return the brightness `frames` (time, y, x) as a video (1, time, 1, y, x) of values from -1 to 1."""
    return (2 * frames - 1)[None, :, None]


def regridded(frames: torch.Tensor, n_pixels: int) -> torch.Tensor:
    """Return `frames` (time, y, x) of the same field with `n_pixels` along a side, each as bright in sum as before.

    Between their centres pixels are interpolated bilinearly, which keeps them positive.
    """
    finer = torch.nn.functional.interpolate(frames[:, None], size=(n_pixels, n_pixels), mode="bilinear")[:, 0]
    return finer * (frames.sum((-2, -1)) / finer.sum((-2, -1)))[:, None, None]
