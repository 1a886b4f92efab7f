"""What an observation of k-space takes of its task: how cines are prepared, and the noise of the measurement."""

from typing import Any, Literal

from step.config.sections import Count, NonNegative, Positive, Section
from step.config.study import Config
from step.domains.mri.data import MriData
from step.errors import InputError


class OfCines(Section):
    """What `step.domains.mri.data.MriData` says of videos, and the task of noise."""

    frames: Count
    resolution: Count
    scale: Positive | Literal["peak"]
    peak: Positive
    reference_phase: bool
    noise_level: NonNegative | None


def cines_of(config: Config, name: str) -> MriData:
    """Return how videos of the task of observation `name` are prepared; raises `InputError` unless they are cines."""
    task = config.observations[name].task
    domain = config.tasks[task].domain
    video = config.video_format(domain)
    if not isinstance(video, MriData):
        raise InputError(
            f"observations.{name} is k-space and its task {task} is of domain {domain}; name a task of domain mri"
        )
    return video


def values_of_cines(config: Config, name: str) -> dict[str, Any]:
    """Return the values of `OfCines` of observation `name`; raises as `cines_of`."""
    video = cines_of(config, name)
    shared = {key: getattr(video, key) for key in OfCines.model_fields if key != "noise_level"}
    measurement = config.tasks[config.observations[name].task].measurement
    return shared | {"noise_level": measurement.model_dump().get("noise_level")}
