"""Put the trained networks of a domain into one folder that is complete: to copy, to share, to load in a notebook."""

import argparse
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from step.config.plan import compared_method
from step.config.sampling import sample_settings
from step.config.sections import Count, Name, Section
from step.config.study import Config
from step.errors import InputError

if TYPE_CHECKING:
    from step.io.prior_folders import PriorFacts

log = logging.getLogger(__name__)


class Settings(Section):
    """What a prior says of itself."""

    domain: Name
    frames: Count
    channels: Count
    resolution: Count
    display: Literal["magnitude", "unit_range"]
    geometry: dict[str, float]
    sampler: dict[str, Any]


def select(config: Config, domain: str) -> Settings:
    """Return what the prior of a domain says of itself; it recommends the sampler of the domain's first task."""
    tasks = [name for name, task in config.tasks.items() if task.domain == domain]
    if not tasks:
        raise InputError(f"no task is of the domain {domain!r}, so that no sampler is known to suit it; add one")
    ordered = [name for name in config.targets.all if name in tasks] + tasks
    sampling = sample_settings(config, ordered[0], compared_method(config))
    own = sampling.sampler if sampling.own is None else sampling.own
    video = config.video_format(domain)
    return Settings(
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


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write the folder."""
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
    write_prior_folder(arguments.output, facts, networks, _card(facts, networks))
    log.info("wrote %s: %s", arguments.output, ", ".join(networks))


def _brightness(index: Path) -> dict[str, float]:
    """Return how bright the training videos are."""
    from step.io.videos import VideoStore
    from step.physics.display import brightness_of

    training = VideoStore(index).select("train", "video")
    found = brightness_of(training.video(number) for number in range(len(training)))
    return {"mean": float(found.mean), "std": float(found.std)}


def _card(facts: "PriorFacts", networks: Mapping[str, Path]) -> str:
    """Return the model card of a prior: what it is, what it was trained on, how it came out, how it is used."""
    from step.io.tables import read_table

    records = [row for folder in networks.values() for row in read_table(folder / "training.csv")]
    losses = {name: read_table(folder / "losses.csv")[-1]["validation_loss"] for name, folder in networks.items()}
    return f"""---
library_name: diffusers
license: gpl-3.0
---

# Prior over videos: {facts.domain}

A latent diffusion prior over videos of {facts.frames} frames of {facts.rows} x {facts.columns} pixels and
{facts.channels} channels, trained by the STeP workflow. It knows the kind of videos it was trained on and nothing else:
what it adds to a measurement is not a finding, and it is not for diagnosis.

```python
import step

prior = step.load_prior("this folder")
```

## Networks

{
        _table(
            ["network", "parameters", "videos", "images", "steps", "hours", "device", "validation loss"],
            [
                [
                    row["network"],
                    row["parameters"],
                    row["videos"],
                    row["images"],
                    row["steps"],
                    f"{float(row['hours']):.2f}",
                    row["device"],
                    f"{float(losses[row['network']]):.4g}",
                ]
                for row in records
            ],
        )
    }

The settings of each training are in its folder's `README.md`, the course of its losses in `losses.csv`.

## Videos

Frames are shown as `{facts.display}`. {_of_geometry(facts)}

## Sampler

As in the study that trained it, for its task {facts.sampler["task"]}:

```json
{json.dumps(facts.sampler, indent=1)}
```
"""


def _of_geometry(facts: "PriorFacts") -> str:
    return " ".join(f"`{name}` is {value:g}." for name, value in facts.geometry.items())


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
