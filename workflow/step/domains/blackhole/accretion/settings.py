"""What a simulated flow depends on."""

from step.config.sections import Count, Positive, Section


class FlowSimulation(Section):
    """What one flow depends on; `step.domains.blackhole.data.AccretionSimulation` explains the values."""

    seed: int
    frames: Count
    cadence_s: Positive
    images: Count
    pixels: Count
    field_of_view_uas: Positive
    flux_jy: Positive
    pattern_speed_deg_per_m: tuple[Positive, Positive]
