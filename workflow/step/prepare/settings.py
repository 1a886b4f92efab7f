"""What the split depends on."""

from typing import Annotated

from pydantic import Field

from step.config.data import Split
from step.config.sections import Count, Name, Section


class SplitSettings(Section):
    """The configuration that the split uses; `step.config.data.VideoFormat` explains the values."""

    seed: int
    domain: Name
    frames: Count
    pretrained: bool  # whether the prior is, so that nobody need be left to train on
    videos: Annotated[int, Field(ge=0)]
    images: Count
    split: Split
    test_videos: Count
    validation_videos: Annotated[int, Field(ge=0)]
