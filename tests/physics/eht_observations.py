"""Observations and images that the tests of interferometry share, made with eht-imaging as it is."""

from pathlib import Path

import numpy as np
import pytest
import torch
from step.config.study import load_config
from step.contracts import Measurement
from step.physics.array import read_array
from step.physics.eht_imaging import eht_imaging
from step.physics.forward_models import build_forward_model
from step.physics.simulate_observation import schedule as schedule_observation
from step.physics.visibilities import Visibilities
from step.physics.vlbi import ClosureImaging

PROJECT = Path(__file__).parents[2]
N_PIXELS = 32


def forward_model(n_frames: int = 64, n_pixels: int = N_PIXELS, **changes: object) -> ClosureImaging:
    """Return the forward model of the paper's study, or of one that differs in `changes`."""
    measurement = load_config().measurement_of("blackhole")
    changes = {"array": PROJECT / "resources/eht2017.csv", **changes}
    return build_forward_model(measurement.model_copy(update=changes), (n_frames, 1, n_pixels, n_pixels))


def crescent(n_frames: int, n_pixels: int = N_PIXELS, seed: int = 0) -> torch.Tensor:
    """Return a video (1, time, 1, y, x) of a lopsided ring that turns, with a random texture; from -1 to 1."""
    y, x = np.mgrid[:n_pixels, :n_pixels] / n_pixels - 0.5
    texture = np.random.default_rng(seed).uniform(0.5, 1, (n_pixels, n_pixels))
    ring = texture * np.exp(-(((np.hypot(x - 0.02, y) - 0.2) / 0.07) ** 2))
    angle = np.arctan2(y, x)
    frames = np.stack([ring * (1 + 0.7 * np.cos(angle - 0.2 * t)) for t in range(n_frames)])
    return torch.from_numpy(2 * frames / frames.max() - 1)[None, :, None].float()


def schedule(model: ClosureImaging, n_frames: int):
    """Return eht-imaging's own observation of the model's array, without data."""
    return schedule_observation(read_array(model.settings.array), model.settings, n_frames, model.settings.cadence_s)


def eht_image(model: ClosureImaging, frame: np.ndarray):
    """Return eht-imaging's image of `frame` (y, x), Jy per pixel."""
    settings = model.settings
    return eht_imaging().image.Image(
        frame, model.pixel_rad, settings.right_ascension_h, settings.declination_deg, rf=settings.frequency_hz
    )


def table_of(observation, start_h: float, cadence_s: float) -> Visibilities:
    """Return the rows of eht-imaging's `observation`; stations are numbered as in its array."""
    data, sites = observation.data, list(observation.tarr["site"])
    return Visibilities(
        frame=np.rint((data["time"] - start_h) * 3600 / cadence_s).astype(int),
        time_h=data["time"],
        stations=np.array([[sites.index(a), sites.index(b)] for a, b in zip(data["t1"], data["t2"], strict=True)]),
        uv=np.stack([data["u"], data["v"]], axis=-1),
        value=data["vis"],
        sigma=data["sigma"],
    )


SCREEN = {
    "major_mas": 1.380,
    "minor_mas": 0.703,
    "position_angle_deg": 81.9,
    "alpha": 1.38,
    "inner_scale_km": 800.0,
    "observer_screen_kpc": 2.82,
    "screen_source_kpc": 5.53,
}
"""That before Sgr A* as Johnson et al. (2018) found it, which is eht-imaging's own."""


def assert_gradient_is_that_of_differences(model: ClosureImaging, video: torch.Tensor, measured: Measurement) -> None:
    """Raise unless the likelihood's gradient at the float64 `video` has the slope that finite differences show."""
    video.requires_grad_()
    gradient = torch.autograd.grad(model.negative_log_likelihood(video, measured).sum(), video)[0]
    direction = torch.randn(video.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    step = 1e-6
    above, below = (model.negative_log_likelihood(video + s * direction, measured).item() for s in (step, -step))
    assert (gradient * direction).sum().item() == pytest.approx((above - below) / (2 * step), rel=1e-5)
