"""A prior of spots that turn around a ring one way or the other, and closures of them, small enough to be exact."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from step.physics.vlbi import ClosureImaging
from step.plugins import LIBRARY

ARRAY = LIBRARY.parents[1] / "resources/eht2017.csv"
N_FRAMES, N_PIXELS, FIELD_UAS = 4, 16, 128.0
RING_UAS, RING_WIDTH_UAS, SPOT_WIDTH_UAS = 25.0, 10.0, 10.0
REACH_UAS = 12.0  # how far one unit of the latent is
WIDTH = 0.35  # of the prior's modes, in every dimension
COUNTER_CLOCKWISE, CLOCKWISE = 0, 1


@dataclass(frozen=True)
class TurningSpots:
    """A mixture of two modes: the spot turns by a quarter from frame to frame, `shares` say how often which way.

    A latent (time, 1, 1, 2) is the spot's place in each frame. After one and three quarters the two senses are at
    opposite places, whose images are each other's point reflections: amplitudes, and their closures, are the same.
    """

    shares: tuple[float, float] = (0.8, 0.2)

    latent_shape = (N_FRAMES, 1, 1, 2)

    @cached_property
    def means(self) -> torch.Tensor:
        """The places (mode, time, 2) about which each mode spreads."""
        quarters = math.pi / 2 * torch.arange(N_FRAMES, dtype=torch.float64)
        angles = torch.stack([quarters, -quarters])
        return RING_UAS / REACH_UAS * torch.stack([torch.cos(angles), torch.sin(angles)], dim=-1)

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """Return the videos (batch, time, 1, y, x), from -1, dark, on."""
        places = (torch.arange(N_PIXELS) - (N_PIXELS - 1) / 2) * FIELD_UAS / N_PIXELS
        y, x = torch.meshgrid(places, places, indexing="ij")
        ring = torch.exp(-((torch.hypot(y, x) - RING_UAS) ** 2) / (2 * RING_WIDTH_UAS**2))
        at_x, at_y = (REACH_UAS * latent).flatten(2).unbind(-1)
        distance = (x - at_x[..., None, None]) ** 2 + (y - at_y[..., None, None]) ** 2
        spot = torch.exp(-distance / (2 * SPOT_WIDTH_UAS**2))
        return (2 * (0.3 * ring + spot) - 1)[:, :, None]

    def denoise(self, latent: torch.Tensor, sigma: float) -> torch.Tensor:
        points, variance = latent.flatten(1).double(), WIDTH**2 + sigma**2
        means = self.means.flatten(1)
        logits = torch.tensor(self.shares).double().log() - torch.cdist(points, means).square() / (2 * variance)
        nearest = torch.softmax(logits, dim=1) @ means
        return (nearest + WIDTH**2 / variance * (points - nearest)).reshape(latent.shape).to(latent.dtype)

    def sample(self, n_samples: int, generator: torch.Generator) -> tuple[torch.Tensor, np.ndarray]:
        """Return latents (sample, time, 1, 1, 2) of the prior, and the mode of each."""
        modes = (torch.rand(n_samples, generator=generator) < self.shares[1]).long()
        noise = torch.randn(n_samples, N_FRAMES, 2, generator=generator)
        return (self.means[modes].float() + WIDTH * noise)[:, :, None, None], modes.numpy()

    def senses_of(self, latents: torch.Tensor) -> np.ndarray:
        """Return which mode each of `latents` is nearest to."""
        return torch.cdist(latents.flatten(1).double(), self.means.flatten(1)).argmin(dim=1).numpy()


def closures(
    sense: int, phase_sigma: float | None, error_factor: float
) -> tuple[ClosureImaging, Mapping[str, torch.Tensor]]:
    """Return the model, and closures of a spot that turns in `sense`; a `phase_sigma` (rad) of None: no phases.

    Errors of amplitudes are `error_factor` times those of the array, so that a few particles can follow them.
    """
    physics = ClosureImaging.of_array(
        ARRAY,
        frames=N_FRAMES,
        pixels=N_PIXELS,
        field_of_view_uas=FIELD_UAS,
        cadence_s=1632.0,
        start_utc_h=12.5,
        changes={"closure_covariance": "diagonal", "errors": []},
    )
    prior = TurningSpots()
    truth = prior.decode(prior.means[sense].float()[None, :, None, None])
    measured = dict(physics.measure(truth, seed=0))
    sigma = measured["log_closure_amplitude_sigma"]
    measured["log_closure_amplitude_sigma"] = error_factor * sigma
    measured["closure_phase_sigma"] = torch.where(
        measured["closure_phase_sigma"] > 0, 0.0 if phase_sigma is None else phase_sigma, 0.0
    ).to(sigma.dtype)
    return physics, measured
