"""What the preparation of cines depends on."""

from typing import Literal

from step.config.sections import Count, Positive, Section


class CineFormat(Section):
    """The configuration that preparation uses; `step.domains.mri.data.MriData` explains the values."""

    frames: Count
    crop: Count
    resolution: Count
    scale: Positive | Literal["peak"]
    peak: Positive
    reference_phase: bool
    window_stride: Count
