"""What a pretrained prior must be to serve a study: cut from several sections."""

import re
from pathlib import Path
from typing import Literal

from step.config.sections import Count, ModuleName, Name, Section
from step.config.study import Config

ON_HUB = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)@(?P<revision>[\w.-]+)")
"""``owner/name@revision``: a prior on a hub. Everything else is a folder."""


class PretrainedSettings(Section):
    """A prior that is not trained here, and the videos that it has to be of."""

    source: str
    domain: Name
    architecture: ModuleName
    frames: Count
    channels: Count
    resolution: Count
    display: Literal["magnitude", "unit_range"]

    @property
    def folder(self) -> Path | None:
        """The folder of the prior; None where it is on a hub."""
        return None if ON_HUB.fullmatch(self.source) and not Path(self.source).is_dir() else Path(self.source)


def pretrained_settings(config: Config, domain: str) -> PretrainedSettings | None:
    """Return what the prior that ``priors.<domain>.pretrained`` names has to be of; None where it is trained here."""
    source, video = config.priors[domain].pretrained, config.video_format(domain)
    if source is None:
        return None
    return PretrainedSettings(
        source=source,
        domain=domain,
        architecture=config.priors[domain].architecture,
        frames=video.frames,
        channels=video.channels,
        resolution=video.resolution,
        display=video.display,
    )
