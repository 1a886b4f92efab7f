"""What a simulated patient, and a simulated flow, depend on."""

from typing import Annotated, Literal

from pydantic import Field

from step.config.sections import Count, NonNegative, Positive, Section


class PatientSimulation(Section):
    """The configuration of one patient; `step.config.data.HeartSimulation` explains the values."""

    seed: int
    frames: Count
    short_axis_slices: Count
    long_axis_slices: Annotated[int, Field(ge=0)]
    matrix_sizes: tuple[tuple[Count, Count], ...]
    pixel_mm: Positive
    coils: Literal["single", "multi"]
    noise: NonNegative


class FlowSimulation(Section):
    """What one flow depends on; `step.config.data.AccretionSimulation` explains the values."""

    seed: int
    frames: Count
    cadence_s: Positive
    images: Count
    pixels: Count
    field_of_view_uas: Positive
    flux_jy: Positive
    pattern_speed_deg_per_m: tuple[Positive, Positive]
