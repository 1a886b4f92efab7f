"""The model card of a complete prior."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from step.io.model_folders import WEIGHTS
from step.io.prior_folders import PriorFacts
from step.io.tables import read_table
from step.io.videos import VideoRecord

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class TrainingFacts:
    """What a prior was trained on and how, and what was measured of it afterwards."""

    seed: int
    is_simulated: bool
    data: Mapping[str, Any]  # the configuration's section on the videos
    priors: Mapping[str, Any]  # and that on the networks
    records: Sequence[VideoRecord]  # of all videos there were
    weights_precision: str
    psnr_db: Sequence[float]  # of each validation video after its passage through the autoencoder

    @property
    def source(self) -> str:
        """Where the videos are from, in words."""
        if self.is_simulated:
            return "simulated by the workflow"
        return f"files of the format {self.data['source']}" if "source" in self.data else "files"

    @property
    def has_validation(self) -> bool:
        """Whether videos were held out for the validation losses."""
        return any(record.split == "validation" and record.kind == "video" for record in self.records)

    def n_subjects(self, split: str) -> int:
        """Return the number of subjects, patients or simulations, in a split of which something is used."""
        return len({record.subject for record in self._used(split)})

    def n_videos(self, split: str) -> int:
        """Return the number of videos in a split that are used."""
        # A training video of the image set alone is of no use as a video.
        return sum(record.kind == "video" and record.use != "image" for record in self._used(split))

    def n_single_images(self) -> int:
        """Return the number of training images that are of no video."""
        return Counter(record.kind for record in self._used("train"))["image"]

    def _used(self, split: str) -> list[VideoRecord]:
        return [record for record in self.records if record.split == split and record.use != "unused"]


def prior_card(facts: PriorFacts, networks: Mapping[str, Path], training: TrainingFacts) -> str:
    """Return the model card (Markdown) of a prior: what it is, what it was trained on, how it came out, its limits.

    `networks` are its model folders by name, each with the tables of its training.
    """
    records = [row for folder in networks.values() for row in read_table(folder / "training.csv")]
    losses = {name: read_table(folder / "losses.csv")[-1] for name, folder in networks.items()}
    megabytes = sum((folder / WEIGHTS).stat().st_size for folder in networks.values()) / 1e6
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

## Data

The videos are {training.source}; the seed of simulation, split and training is {training.seed}. Subjects are patients
or simulations; each is in one column alone.

{_data_table(training, records)}

Frames are shown as `{facts.display}`. {_of_geometry(facts)}

## Networks

{_network_table(records, losses)}

The weights are {training.weights_precision}, {megabytes:.1f} MB in all. Together the trainings took
{sum(float(row["hours"]) for row in records):.2f} hours. The settings of each are in its folder's `README.md`, the
course of its losses in `losses.csv`.

## Metrics

* Autoencoder: {_of_psnr(training)}
* Losses: in the table, of {_of_validation(training)}. That of the autoencoder is the mean absolute error plus the
  weighted KL divergence per pixel (Eq. 16), that of the others the mean squared error of the predicted noise (Eq. 17),
  which is 1 for a prediction of no noise.

## Limits

{_list(_limits(facts, training))}

## Sampler

As in the study that trained it, for its task {facts.sampler["task"]}:

{_json(facts.sampler)}

## Settings

Of the data:

{_json(training.data)}

Of the networks and their training:

{_json(training.priors)}
"""


def _data_table(training: TrainingFacts, records: Sequence[Mapping[str, str]]) -> str:
    images = max((int(row["images"]) for row in records), default=0)
    return _table(
        ["", "training", "validation", "test"],
        [
            ["subjects", *map(training.n_subjects, SPLITS)],
            ["videos", *map(training.n_videos, SPLITS)],
            ["images", images, "", ""],
            ["of these single ones", training.n_single_images(), "", ""],
        ],
    )


def _network_table(records: Sequence[Mapping[str, str]], losses: Mapping[str, Mapping[str, str]]) -> str:
    titles = ["network", "parameters", "videos", "images", "steps", "hours", "machine", "loss", "validation loss"]
    rows = [
        [
            *(row[name] for name in titles[:5]),
            f"{float(row['hours']):.2f}",
            row["device"],
            *(f"{float(losses[row['network']][name]):.4g}" for name in ("loss", "validation_loss")),
        ]
        for row in records
    ]
    return _table(titles, rows)


def _of_psnr(training: TrainingFacts) -> str:
    values = training.psnr_db
    if not values:
        return "not measured, there are no validation videos."
    spread = f" (standard deviation {stdev(values):.2f} dB)" if len(values) > 1 else ""
    of = f"{len(values)} validation videos" if len(values) > 1 else "one validation video"
    return f"PSNR {mean(values):.2f} dB{spread} of {of}, encoded and decoded."


def _of_validation(training: TrainingFacts) -> str:
    return "held-out videos" if training.has_validation else "training videos, since none were held out for it"


def _limits(facts: PriorFacts, training: TrainingFacts) -> list[str]:
    """Return what the prior cannot be relied on for, as the facts have it."""
    subjects, videos = training.n_subjects("train"), training.n_videos("train")
    limits = [
        "Trained on simulated videos alone. What measured ones show and the simulation does not, it does not know; it "
        "has been tested on none here."
        if training.is_simulated
        else "Trained on the files of one study. What other instruments, protocols and subjects show, it may not know.",
        f"Trained on {videos} videos of {subjects} subjects: what is rare among them is rarer still in its samples.",
        f"It is of {facts.frames} frames of {facts.rows} x {facts.columns} pixels, {facts.channels} channels and the "
        "geometry above; other sizes and intervals need another prior.",
    ]
    if training.psnr_db:
        limits.append(
            f"A reconstruction shows no more than the autoencoder does: about {mean(training.psnr_db):.1f} dB is the "
            "best that is to be expected of any measurement."
        )
    if not training.has_validation:
        limits.append("No video was held out for validation, so that its losses do not tell whether it overfits.")
    if training.weights_precision == "float16":
        limits.append(
            "The weights are rounded to float16 after the training, and evaluated in float32: outputs differ from "
            "those of the trained network by about a thousandth."
        )
    return limits


def _of_geometry(facts: PriorFacts) -> str:
    return " ".join(f"`{name}` is {value:g}." for name, value in facts.geometry.items())


def _list(items: Sequence[str]) -> str:
    return "\n".join(f"* {item}" for item in items)


def _json(values: Mapping[str, Any]) -> str:
    return f"```json\n{json.dumps(values, indent=1)}\n```"


def _table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
