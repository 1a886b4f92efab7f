"""Dynamical imaging of an interferometer's closures by eht-imaging itself, frame beside frame.

M. Johnson et al., "Dynamical Imaging with Interferometry", ApJ 850, 172 (2017), as `ehtim.imaging.dynamical_imaging`
minimises it: a frame for each time, its minimal closure phases and log closure amplitudes with independent errors, its
flux, what is asked of an image, and what is asked of the change from frame to frame.

Given to it are the measurement's closures as they are, with their errors and without what scattering takes of them,
rather than visibilities to make closures of: those have errors that hold at a low ratio of signal to noise, and budgets
of an observation. Closures beyond eht-imaging's minimal sets it has no room for.
"""

import numpy as np
import torch

from step.classical.rings import as_video, chosen_image, each_video, light_curve, regridded
from step.config.classical import DynamicalImaging as Settings
from step.contracts import ForwardModel, Measurement
from step.physics.closures import log_closure_amplitude
from step.physics.eht_imaging import eht_imaging, eht_imaging_module, silent
from step.physics.vlbi import ClosureImaging
from step.units import FWHM, RAD_PER_UAS

STOP = 1e-10
"""Relative change of the objective at which eht-imaging's minimisation ends, its own default."""


def reconstruct(forward_model: ForwardModel, measurement: Measurement, settings: Settings) -> torch.Tensor:
    """Return the videos (batch, time, 1, y, x), between -1 and 1, that eht-imaging finds for a `measurement`.

    Imaging begins from a ring whose bright side the data choose. Raises `InputError` for an instrument that measures no
    closures, and for a measurement without a light curve.
    """
    return each_video(
        forward_model, measurement, lambda model, one: _reconstruct_video(model, one, settings), "dynamical_imaging"
    )


def _reconstruct_video(model: ClosureImaging, measurement: Measurement, settings: Settings) -> torch.Tensor:
    """Return the video (time, 1, y, x) of a `measurement` of one."""
    coarse = ClosureImaging(model.settings, model.n_frames, settings.pixels, model.noise_level)
    flux = light_curve(measurement)
    prior = chosen_image(coarse, measurement, settings)
    frames = image_frames(coarse, measurement, prior.double().numpy(), (flux / flux.mean()).double().numpy(), settings)
    bright = flux.mean() * torch.from_numpy(frames).to(flux)
    return as_video(regridded(bright, model.n_pixels).clamp(0, 1))[0]


def image_frames(
    model: ClosureImaging, measurement: Measurement, prior: np.ndarray, light: np.ndarray, settings: Settings
) -> np.ndarray:
    """Return the frames (time, y, x) that fit the `measurement` of one video, their mean flux about 1.

    They are of the model's size; `prior` (y, x) has the sum 1, `light` (time,) the mean 1.
    """
    imaging = eht_imaging_module("imaging.dynamical_imaging")
    observations = [_baselines(model, measurement)] * model.n_frames
    # What it keeps of an earlier call is used again, which is how closures are given to it.
    for number, kind in enumerate(("closure_phase", "log_closure_amplitude", None), start=1):
        of_frames = [_closures(model, measurement, frame, kind) for frame in range(model.n_frames)]
        for place, name in enumerate(("data", "sigma", "A")):
            setattr(imaging, f"{name}{number}_List", [of_frame[place] for of_frame in of_frames])
    frames = [_image(model, flux * prior) for flux in light]
    pixel_uas = model.pixel_rad / RAD_PER_UAS
    options = {
        "flux_List": list(light),
        "d1": "cphase",
        "d2": "logcamp",
        "alpha_d1": settings.closure_phase,
        "alpha_d2": settings.log_closure_amplitude,
        "entropy1": "gs",
        "entropy2": "tv2",
        "alpha_s1": settings.entropy,
        "alpha_s2": settings.squared_total_variation,
        "R_dt": {
            "alpha": settings.between_frames,
            "metric": "SymKL",
            "sigma_dt": settings.frame_blur_uas / FWHM / pixel_uas,
            "p": 2.0,
        },
        "R_dI": {"alpha": settings.from_mean, "metric": "SymKL", "p": 2.0},
        "alpha_flux": settings.flux,
        "alpha_centroid": settings.centroid,
        "maxit": settings.iterations,
        "stop": STOP,
        "update_interval": settings.iterations + 1,
        "ttype": "direct",
        "recalculate_chisqdata": False,
    }
    with silent():
        for number in range(settings.rounds):
            if number:
                frames = [frame.blur_circ(settings.blur_uas * RAD_PER_UAS) for frame in frames]
            frames = imaging.dynamical_imaging(observations, frames, _image(model, prior), **options)
    return np.stack([frame.imvec.reshape(model.n_pixels, model.n_pixels) for frame in frames])


def _closures(
    model: ClosureImaging, measurement: Measurement, frame: int, kind: str | None
) -> tuple[np.ndarray | list, np.ndarray | None, tuple[np.ndarray, ...] | None]:
    """Return data, errors and matrices from image to visibilities of the minimal closures of a frame.

    They are in eht-imaging's units, degrees for phases; none is an empty list, as it has it.
    """
    if kind is None:
        return [], None, None
    of_frame = {name: array[0, frame] for name, array in measurement.items()}
    chosen = (of_frame[f"{kind}_sigma"] > 0) & of_frame[f"{kind}_minimal"].bool()
    if not chosen.any():
        return [], None, None
    data, sigma = of_frame[kind][chosen].double(), of_frame[f"{kind}_sigma"][chosen].double()
    uv = of_frame["uv"].double()
    if kind == "closure_phase":
        loops = of_frame["triangle"][chosen][:, :3]
        places = torch.cat([uv, -uv])  # the conjugates are those of opposite baselines
        data, sigma = torch.rad2deg(data), torch.rad2deg(sigma)
    else:
        loops, places = of_frame["quadrangle"][chosen], uv
        data = data - log_closure_amplitude(of_frame["kernel"].double()[None, None], loops[None, None])[0, 0]
        half = loops.shape[1] // 2
        loops = loops[:, [0, 1, half, half + 1]]
    matrices = tuple(_matrix(model, places[loops[:, side]].numpy()) for side in range(loops.shape[1]))
    return data.numpy(), sigma.numpy(), matrices


def _matrix(model: ClosureImaging, uv: np.ndarray) -> np.ndarray:
    """Return the matrix from an image to its visibilities at `uv` (row, 2), wavelengths."""
    helpers = eht_imaging().observing
    pulse = helpers.pulses.trianglePulse2D
    return helpers.obs_helpers.ftmatrix(model.pixel_rad, model.n_pixels, model.n_pixels, uv, pulse=pulse)


def _baselines(model: ClosureImaging, measurement: Measurement):
    """Return all baselines as an observation of eht-imaging, which takes the resolution from it alone."""
    eht, settings = eht_imaging(), model.settings
    here = measurement["sigma"] > 0
    rows = np.zeros(int(here.sum()), dtype=eht.const_def.DTPOL_STOKES)
    rows["u"], rows["v"] = measurement["uv"][here].double().numpy().T
    rows["t1"], rows["t2"] = measurement["stations"][here].numpy().astype(str).T
    rows["time"], rows["sigma"] = (measurement[name][here].double().numpy() for name in ("time_h", "sigma"))
    stations = np.zeros(1 + int(measurement["stations"].max()), dtype=eht.const_def.DTARR)
    stations["site"] = np.arange(len(stations)).astype(str)
    place = settings.right_ascension_h, settings.declination_deg
    return eht.obsdata.Obsdata(*place, settings.frequency_hz, settings.bandwidth_hz, rows, stations)


def _image(model: ClosureImaging, frame: np.ndarray):
    """Return eht-imaging's image of `frame` (y, x)."""
    settings = model.settings
    place = settings.right_ascension_h, settings.declination_deg
    return eht_imaging().image.Image(frame, model.pixel_rad, *place, rf=settings.frequency_hz)
