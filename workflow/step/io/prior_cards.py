"""The model card of a complete prior."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from step.io.prior_folders import PriorFacts
from step.io.tables import read_table


def prior_card(facts: PriorFacts, networks: Mapping[str, Path]) -> str:
    """Return the model card (Markdown) of a prior: what it is, what it was trained on, how it came out, how it is used.

    `networks` are its model folders by name, each with the tables of its training.
    """
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


def _of_geometry(facts: PriorFacts) -> str:
    return " ".join(f"`{name}` is {value:g}." for name, value in facts.geometry.items())


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
