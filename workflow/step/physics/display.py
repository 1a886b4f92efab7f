"""How a video is seen: as frames of brightness in [0, 1], which is also how it is compared."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from step.errors import InputError

Display = Literal["magnitude", "unit_range"]
DARK: dict[Display, float] = {"magnitude": 0.0, "unit_range": -1.0}
"""The value of a pixel without signal: its brightness is 0."""


def to_unit_range(video: np.ndarray, reference: np.ndarray, display: Display) -> np.ndarray:
    """Return the brightness (..., y, x) in [0, 1] of `video` (..., channel, y, x).

    ``magnitude`` is the root of the sum of squares over channels, divided by the largest magnitude of
    `reference` (one video, whose scale all its reconstructions share) and clipped. ``unit_range`` is
    ``(x + 1) / 2``, clipped, of a single channel. Raises `InputError` for a dark reference or more channels.
    """
    if display == "magnitude":
        peak = np.linalg.norm(reference, axis=-3).max()
        if not peak > 0:
            raise InputError("the reference video is zero everywhere, so there is no brightness; leave it out")
        return np.clip(np.linalg.norm(video, axis=-3) / peak, 0, 1)
    if video.shape[-3] != 1:
        raise InputError(f"the video has {video.shape[-3]} channels, unit_range shows 1; use display: magnitude")
    return np.clip((video.squeeze(-3) + 1) / 2, 0, 1)


def in_jansky(video: np.ndarray, flux_jy: float, mean: np.ndarray | None = None) -> np.ndarray:
    """Return `video` (time, 1, y, x) of ``unit_range`` in Jy per pixel (time, y, x), of the mean flux `flux_jy`.

    With `mean` it is the deviation from that video, whose factor it has.
    """
    brightness = (video[:, 0] + 1) / 2 if mean is None else video[:, 0] / 2
    scaled_by = brightness if mean is None else (mean[:, 0] + 1) / 2
    return flux_jy / scaled_by.sum(axis=(1, 2), dtype=np.float64).mean() * brightness.astype(np.float64)


@dataclass(frozen=True)
class Brightness:
    """How bright videos are on average: a frame's brightness summed over its pixels, its mean over each video."""

    mean: float
    std: float  # over the videos


def brightness_of(videos: Iterable[np.ndarray]) -> Brightness:
    """Return how bright `videos` are, each (time, channel, y, x) and shown as ``unit_range``; one channel, not clipped.

    Raises `InputError` where there are none.
    """
    totals = np.array([(video[:, 0] + 1).sum(axis=(1, 2)).mean() / 2 for video in videos])
    if not len(totals):
        raise InputError("there are no training videos, so that nobody knows how bright a video is; train on some")
    return Brightness(totals.mean(), totals.std())
