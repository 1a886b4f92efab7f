"""What preparation and split depend on."""

from typing import Annotated, Literal

from pydantic import Field

from step.config.data import Split
from step.config.sections import Count, Name, Positive, Section


class CineFormat(Section):
    """The configuration that preparation uses; `step.config.data.MriData` explains the values."""

    frames: Count
    crop: Count
    resolution: Count
    scale: Positive | Literal["peak"]
    reference_phase: bool
    window_stride: Count


class MovieFormat(Section):
    """The configuration that preparation uses; `step.config.data.BlackHoleData` explains the values."""

    frames: Count
    resolution: Count
    field_of_view_uas: Positive
    cadence_s: Positive
    windows_per_movie: Count


class SplitSettings(Section):
    """The configuration that the split uses; `step.config.data.VideoFormat` explains the values."""

    seed: int
    domain: Name
    frames: Count
    videos: Count
    images: Count
    split: Split
    test_videos: Count
    validation_videos: Annotated[int, Field(ge=0)]
