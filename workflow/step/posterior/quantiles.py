"""Quantiles of posterior samples, pixel by pixel."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from step.errors import InputError
from step.io.reconstructions import Quantiles

QUANTITIES = {"magnitude": "magnitude: root of the sum of squares over channels", "unit_range": "the channel's value"}
"""What quantiles are of, by the domain's `display`: the one number per pixel that is shown."""


def take_quantiles(
    samples: np.ndarray,
    levels: Sequence[float],
    display: Literal["magnitude", "unit_range"],
    weights: np.ndarray | None = None,
) -> Quantiles:
    """Return the quantiles at `levels` over `samples` (sample, time, channel, y, x), in the units of these.

    They are of what is shown, since a vector of channels has none: `QUANTITIES`. Between order statistics they are
    interpolated; with `weights` (sample,) they are those of the weighted distribution function, which is a step.
    Raises `InputError` where videos that show one channel have more.
    """
    if display == "unit_range" and samples.shape[2] != 1:
        raise InputError(f"the videos have {samples.shape[2]} channels, unit_range shows 1; use display: magnitude")
    # numpy has weights with one method alone, which knows no interpolation.
    how: dict[str, Any] = {} if weights is None else {"weights": weights, "method": "inverted_cdf"}
    shown = [
        # A frame at a time: all samples of a video take much memory.
        np.quantile(np.linalg.norm(frame, axis=1) if display == "magnitude" else frame[:, 0], levels, axis=0, **how)
        for frame in np.moveaxis(samples, 1, 0)
    ]
    return Quantiles(np.asarray(levels, float), np.stack(shown, axis=1).astype(np.float32), QUANTITIES[display])
