"""What the preparation of movies depends on."""

from step.config.sections import Count, Positive, Section


class MovieFormat(Section):
    """The configuration that preparation uses; `step.domains.blackhole.data.BlackHoleData` explains the values."""

    frames: Count
    resolution: Count
    field_of_view_uas: Positive
    cadence_s: Positive
    windows_per_movie: Count
