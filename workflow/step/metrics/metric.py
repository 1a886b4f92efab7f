"""What a metric of a reconstructed video is: its name, how it is shown, and the function that takes it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

FrameDistance = Callable[[np.ndarray, np.ndarray], float]
"""The distance of two videos (time, y, x) in [0, 1], averaged over frames, such as `lpips.Lpips`."""


@dataclass(frozen=True)
class ScoredVideo:
    """One reconstruction next to its truth, as metrics look at it."""

    frames: np.ndarray  # (time, y, x) in [0, 1]
    true_frames: np.ndarray  # (time, y, x) in [0, 1]
    video: np.ndarray | None = None  # (time, channel, y, x) in the units of the videos
    truth: np.ndarray | None = None  # (time, channel, y, x) in the units of the videos
    display: Literal["magnitude", "unit_range"] = "unit_range"  # how frames are made of a video
    data_misfit: float = float("nan")  # the forward model's own, in the convention in which the paper reports it
    chi_squares: Mapping[str, float] = field(default_factory=dict)  # by kind of data
    frame_distance: FrameDistance | None = None  # of LPIPS; None where its weights are missing


@dataclass(frozen=True)
class Metric:
    """One metric; a module of its own has it as ``METRIC``."""

    name: str  # of its column
    label: str
    decimals: int
    better: Literal["higher", "lower"] | None  # None of what is not ranked
    score: Callable[[ScoredVideo], float | None]
    unit: str = ""
    remark: str = ""  # behind the label and its arrow, at the head of a column
    may_be_missing: bool = False  # its score is None where something is missing that it needs

    @property
    def heading(self) -> str:
        """What stands at the head of its column: the label, which way is better, the remark."""
        arrow = {"higher": " ↑", "lower": " ↓", None: ""}[self.better]
        return f"{self.label}{arrow}{self.remark}"

    @property
    def axis_label(self) -> str:
        """What stands at an axis: the label with its unit, words in lower case."""
        label = self.label[0].lower() + self.label[1:] if self.label[1:].islower() else self.label
        return f"{label} [{self.unit}]" if self.unit else label

    def say(self, value: float) -> str:
        """Return `value` as a picture says it, to one decimal, with its unit."""
        return f"{self.label} {value:.1f} {self.unit}".rstrip()
