"""What a simulated patient depends on."""

from typing import Annotated, Literal

from pydantic import Field

from step.config.sections import Count, NonNegative, Positive, Section


class PatientSimulation(Section):
    """The configuration of one patient; `step.domains.mri.data.HeartSimulation` explains the values."""

    seed: int
    frames: Count
    short_axis_slices: Count
    long_axis_slices: Annotated[int, Field(ge=0)]
    matrix_sizes: tuple[tuple[Count, Count], ...]
    pixel_mm: Positive
    coils: Literal["single", "multi"]
    noise: NonNegative
