"""What several figures and tables use of the configuration: nothing, or how the videos of a task are shown."""

from typing import Literal

from step.config.sections import Section
from step.config.study import Config

Display = Literal["magnitude", "unit_range"]


class NoSettings(Section):
    """What is made of files alone."""


def select_nothing(config: Config) -> NoSettings:
    """Return the part of `config` that is used: nothing."""
    return NoSettings()


class ViewSettings(Section):
    """How videos are shown."""

    display: Display


class GridSettings(ViewSettings):
    """How videos are shown, and how large and when their frames are."""

    geometry: dict[str, float]


def view_of_task(config: Config, task: str) -> ViewSettings:
    """Return how the videos of `task` are shown."""
    return ViewSettings(display=config.video_format(config.tasks[task].domain).display)


def grid_of_task(config: Config, task: str) -> GridSettings:
    """Return how the videos of `task` are shown, and how large and when their frames are."""
    return grid_of_domain(config, config.tasks[task].domain)


def grid_of_domain(config: Config, domain: str) -> GridSettings:
    """Return how the videos of `domain` are shown, and how large and when their frames are."""
    video = config.video_format(domain)
    return GridSettings(display=video.display, geometry=video.geometry)
