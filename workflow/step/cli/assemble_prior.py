"""Put the trained networks of a domain into one folder that is complete: to copy, to share, to load in a notebook."""

import argparse
import logging
from pathlib import Path
from typing import Any, Literal

from step.config.plan import compared_method
from step.config.sampling import sample_settings
from step.config.sections import Count, Name, Section
from step.config.study import Config
from step.errors import InputError

log = logging.getLogger(__name__)


class AssembledPriorSettings(Section):
    """What a prior says of itself."""

    domain: Name
    frames: Count
    channels: Count
    resolution: Count
    display: Literal["magnitude", "unit_range"]
    geometry: dict[str, float]
    sampler: dict[str, Any]


Settings = AssembledPriorSettings


def select(config: Config, domain: str) -> AssembledPriorSettings:
    """Return what the prior of a domain says of itself; it recommends the sampler of the domain's first task."""
    tasks = [name for name, task in config.tasks.items() if task.domain == domain]
    if not tasks:
        raise InputError(f"no task is of the domain {domain!r}, so that no sampler is known to suit it; add one")
    ordered = [name for name in config.targets.all if name in tasks] + tasks
    sampling = sample_settings(config, ordered[0], compared_method(config))
    own = sampling.sampler if sampling.own is None else sampling.own
    video = config.video_format(domain)
    return AssembledPriorSettings(
        domain=domain,
        frames=video.frames,
        channels=video.channels,
        resolution=video.resolution,
        display=video.display,
        geometry=video.geometry,
        sampler={
            "name": sampling.method.sampler,
            "task": ordered[0],
            "measurement": sampling.measurement.model_dump(mode="json", exclude={"geometry"}),
            "settings": own.model_dump(mode="json"),
        },
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files of the stage."""
    parser.add_argument("--index", required=True, type=Path, help="index.csv of the domain's videos")
    parser.add_argument(
        "--networks", required=True, type=Path, nargs="+", metavar="DIR", help="model folders, named after the network"
    )
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="folder of the prior")


def run(arguments: argparse.Namespace, settings: AssembledPriorSettings) -> None:
    """Write the folder."""
    from step.io.prior_cards import prior_card
    from step.io.prior_folders import PriorFacts, write_prior_folder

    facts = PriorFacts(
        domain=settings.domain,
        frames=settings.frames,
        channels=settings.channels,
        rows=settings.resolution,
        columns=settings.resolution,
        display=settings.display,
        geometry=settings.geometry,
        brightness=_brightness(arguments.index) if settings.display == "unit_range" else None,
        sampler=settings.sampler,
    )
    networks = {folder.name: folder for folder in arguments.networks}
    write_prior_folder(arguments.output, facts, networks, prior_card(facts, networks))
    log.info("wrote %s: %s", arguments.output, ", ".join(networks))


def _brightness(index: Path) -> dict[str, float]:
    """Return how bright the training videos are."""
    from step.io.videos import VideoStore
    from step.physics.display import brightness_of

    training = VideoStore(index).select("train", "video")
    found = brightness_of(training.video(number) for number in range(len(training)))
    return {"mean": float(found.mean), "std": float(found.std)}
