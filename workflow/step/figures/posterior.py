"""What was reconstructed of a real observation, whose truth nobody knows, as brightness over time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from step.config.views import Display
from step.errors import InputError
from step.figures.scales import LENGTH_UNITS, TIME_LABELS
from step.io.reconstructions import (
    read_attributes,
    read_measurement,
    read_recalibration,
    read_reconstructions,
    read_summary,
)
from step.physics.display import to_unit_range

FRAME_ATTRIBUTES = ("frame_times", "frame_time_unit", "pixel_size", "pixel_unit")
SAMPLES_KEPT = 4  # as many as the video shows; of the others only the light curves are kept
BAND = (0.1, 0.9)  # the quantiles over samples between which a light curve's band lies


@dataclass(frozen=True)
class Grid:
    """When and how large the frames are, and which of them were measured."""

    times: np.ndarray  # (time,) in `time_unit`
    time_unit: str  # one of `TIME_LABELS`
    pixel_size: float  # in `pixel_unit`
    pixel_unit: str  # one of `LENGTH_UNITS`
    with_data: np.ndarray  # (time,) bool

    @property
    def numbers(self) -> dict[str, Any]:
        """What says when and how large the frames are, by name, for the file of a picture's numbers."""
        return {name: getattr(self, name) for name in ("times", "time_unit", "pixel_size", "pixel_unit")}


@dataclass(frozen=True)
class Posterior:
    """Mean, spread and samples of the posterior, as brightness: 0 is dark; `to_unit_range` says what 1 is.

    With display ``magnitude`` the reference of them all is the mean.
    """

    grid: Grid
    mean: np.ndarray  # (time, y, x) in [0, 1]
    std: np.ndarray  # (time, y, x), standard deviation over the samples
    samples: np.ndarray  # (sample, time, y, x) in [0, 1], the first `SAMPLES_KEPT`
    light_curves: np.ndarray  # (sample, time) of all samples: sum of the brightness over its mean over time
    recalibration: str = ""  # how the spread was recalibrated; '' where it was not


@dataclass(frozen=True)
class LightCurve:
    """The light curves of all samples, each (time,)."""

    mean: np.ndarray
    low: np.ndarray  # the quantiles of `BAND`
    high: np.ndarray


def read_posterior(measurement: Path, summary: Path, reconstructions: Sequence[Path], display: Display) -> Posterior:
    """Return the posterior of the one observation `measurement`.

    `summary` holds the videos `mean` and `std` (time, channel, y, x) of the samples in `reconstructions`. Raises
    `InputError` where one of them does not fit the others.
    """
    found = read_reconstructions(list(reconstructions))
    if len(found) != 1:
        raise InputError(f"the reconstructions are of {sorted(found) or 'nothing'}; give those of one observation")
    [samples] = (reconstruction.equal_samples for reconstruction in found.values())
    mean, std = read_summary(summary).values()
    if not mean.shape == std.shape == samples.shape[1:]:
        shapes = f"mean {mean.shape} and standard deviation {std.shape}, the samples are {samples.shape[1:]}"
        raise InputError(f"{summary} has a {shapes}; summarise these samples again")
    grid = read_grid(measurement)
    if not len(grid.times) == len(grid.with_data) == len(mean):
        lengths = (
            f"{len(grid.times)} frame_times and {len(grid.with_data)} measured frames, the videos {len(mean)} frames"
        )
        raise InputError(f"{measurement} has {lengths}; sample it again")
    return replace(as_brightness(mean, std, samples, grid, display), recalibration=read_recalibration(summary))


def as_brightness(mean: np.ndarray, std: np.ndarray, samples: np.ndarray, grid: Grid, display: Display) -> Posterior:
    """Return what is shown of a posterior, of its videos `mean` and `std` (time, channel, y, x) and all `samples`."""
    return Posterior(
        grid=grid,
        mean=to_unit_range(mean, mean, display),
        std=_spread(std, mean, display),
        samples=to_unit_range(samples[:SAMPLES_KEPT], mean, display),
        light_curves=np.stack([relative_light_curve(sample, display) for sample in samples]),
    )


def read_grid(path: Path) -> Grid:
    """Return times and pixels of the observation `path`; raises `InputError` where it does not say them."""
    measurement = read_measurement(path)
    return Grid(*_frame_attributes(path), with_data=frames_with_data(measurement))


def frames_with_data(measurement: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return which frames (time,) were measured: have a sigma above 0, or a line of the mask, or any array at all."""
    if "sigma" in measurement:
        return np.any(measurement["sigma"] > 0, axis=1)
    if "mask" in measurement:
        mask = measurement["mask"]
        return np.asarray(mask.reshape(len(mask), -1).any(axis=1))
    return np.ones(len(next(iter(measurement.values()))), bool)


def relative_light_curve(sample: np.ndarray, display: Display) -> np.ndarray:
    """Return the summed brightness (time,) of `sample` (time, channel, y, x), over its mean over time."""
    # With itself as the reference nothing of it is clipped; the scale cancels.
    sums = to_unit_range(sample, sample, display).sum(axis=(-2, -1), dtype=np.float64)
    if not sums.mean() > 0:
        raise InputError("a sample is dark everywhere, so it has no light curve; sample again")
    return sums / sums.mean()


def summarise_light_curves(light_curves: np.ndarray) -> LightCurve:
    """Return mean and band of `light_curves` (sample, time)."""
    return LightCurve(light_curves.mean(axis=0), *np.quantile(light_curves, BAND, axis=0))


def _spread(std: np.ndarray, mean: np.ndarray, display: Display) -> np.ndarray:
    """Return `std` (time, channel, y, x) as brightness (time, y, x): its root of the sum of squares over channels."""
    scale = np.linalg.norm(mean, axis=1).max() if display == "magnitude" else 2
    return np.linalg.norm(std, axis=1) / scale


def _frame_attributes(path: Path) -> tuple[np.ndarray, str, float, str]:
    attributes: dict[str, Any] = read_attributes(path)
    missing = [name for name in FRAME_ATTRIBUTES if name not in attributes]
    if missing:
        raise InputError(f"{path} has no attribute {missing[0]}; give the measurement of an observation")
    times, time_unit, pixel_size, pixel_unit = (attributes[name] for name in FRAME_ATTRIBUTES)
    for name, unit, known in (("frame_time_unit", time_unit, TIME_LABELS), ("pixel_unit", pixel_unit, LENGTH_UNITS)):
        if unit not in known:
            raise InputError(f"{path} has {name} {unit!r}; the units are {list(known)}")
    return np.asarray(times, float), time_unit, float(pixel_size), pixel_unit
