"""What a descriptor says of posterior samples."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Feature:
    """One number of each sample that means something by itself."""

    values: np.ndarray  # (sample,)
    truth: float | None
    unit: str  # such as uas or deg/h; "" where it has none
    is_angle: bool = False  # degrees, where 360 is 0
    is_event: bool = False  # 1 of the samples of which it is true, else 0, so that the mean is a probability

    def mean(self, members: np.ndarray) -> float:
        """Return the mean of the samples that `members` (sample,) marks; of angles the direction of the mean vector."""
        values = self.values[members]
        if not self.is_angle:
            return float(values.mean())
        return float(np.angle(np.exp(1j * np.deg2rad(values)).mean(), deg=True))

    def coordinates(self) -> "Vectors":
        """Return the feature as columns in which close values are close: an angle as its cosine and sine."""
        return Vectors(self._columns(self.values), None if self.truth is None else self._columns(np.array(self.truth)))

    def _columns(self, values: np.ndarray) -> np.ndarray:
        turned = np.deg2rad(values)
        return np.stack([np.cos(turned), np.sin(turned)] if self.is_angle else [values], axis=-1)


@dataclass(frozen=True)
class Vectors:
    """One vector for each sample, and that of the truth where it is known."""

    samples: np.ndarray  # (sample, coordinate)
    truth: np.ndarray | None  # (coordinate,)


@dataclass(frozen=True)
class Course:
    """A number of each sample in each frame."""

    values: np.ndarray  # (sample, time)
    truth: np.ndarray | None  # (time,)
    unit: str


@dataclass(frozen=True)
class Description:
    """Posterior samples as their descriptor sees them."""

    features: Mapping[str, Feature]
    vectors: Mapping[str, Vectors]  # what no single number says: the appearance, the course of the motion
    quantities: Mapping[str, Feature | Course] = field(default_factory=dict)
    """What is asked of the measurement in the words of its subject; modes are not told apart by it."""


def feature_of(
    values: np.ndarray, truth: np.ndarray | None, unit: str, is_angle: bool = False, is_event: bool = False
) -> Feature:
    """Return `values` (video,) as a feature; the last one is that of `truth` where that is not None."""
    if truth is None:
        return Feature(values, None, unit, is_angle, is_event)
    return Feature(values[:-1], float(values[-1]), unit, is_angle, is_event)


def course_of(values: np.ndarray, truth: np.ndarray | None, unit: str) -> Course:
    """Return `values` (video, time) as a course; the last one is that of `truth` where that is not None."""
    return Course(values, None, unit) if truth is None else Course(values[:-1], values[-1], unit)


def split_truth(values: np.ndarray, truth: np.ndarray | None) -> Vectors:
    """Return `values` (video, coordinate) as vectors; the last one is that of `truth` where that is not None."""
    return Vectors(values, None) if truth is None else Vectors(values[:-1], values[-1])


def with_truth(frames: np.ndarray, truth: np.ndarray | None) -> np.ndarray:
    """Return `frames` (sample, time, y, x) and, where it is known, `truth` (time, y, x) as the last video."""
    return frames if truth is None else np.concatenate([frames, truth[None]])
