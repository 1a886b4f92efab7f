"""The domain of docs/domains.md, which the project does not know: its package, raw files and study."""

from pathlib import Path

import numpy as np
import yaml
from documented_code import DOMAINS, blocks, module
from project_copy import Copy
from step.config.study import load_config

PACKAGE = ("data", "ingest", "prepare", "camera")


def add_fluorescence(copy: Copy) -> Path:
    """Add the package and raw files of 15 cells to a copy of the project; return the study's overlay."""
    package = copy.folder / "workflow/fluorescence"
    package.mkdir()
    for name in PACKAGE:
        (package / f"{name}.py").write_text(module(DOMAINS, f"fluorescence/{name}.py"))
    (package / "__init__.py").touch()
    stacks, generator = copy.folder / "data/stacks", np.random.default_rng(0)
    stacks.mkdir(parents=True)
    for number in range(15):
        write_stack(stacks / f"cell{number:02d}.npz", 5, generator)
    return copy.overlay("cells", yaml.safe_dump(study(copy.folder)))


def study(folder: Path) -> dict:
    """Return the overlay of the document, with what it leaves out taken from the heart of the miniature."""
    config = load_config(folder / "config/miniature.yaml").model_dump(mode="json")
    data, task = (yaml.safe_load(text) for text in blocks(DOMAINS, "yaml"))
    like, priors = config["tasks"]["mri8"], config["priors"]["mri"]
    sampled = {name: like[name] for name in ("samples", "videos_per_job", "optical_flow", "samplers", "sampler")}
    task["tasks"]["cells4"] |= {**sampled, "references": ["zero_filled", "static"], "classical": {}}
    tour = {"tour": {"tasks": ["cells4"], "methods": ["bis", "step_joint"]}}
    return {**data, "priors": {"cells": priors}, **task, "targets": tour}


def write_stack(path: Path, n_frames: int, generator: np.random.Generator) -> None:
    """Write a stack (time, y, x) of photon counts: a spot that moves, and shot noise."""
    y, x = np.mgrid[:20, :22]
    places = 10 + np.cumsum(generator.uniform(-1, 1, (n_frames, 2)), axis=0)
    spots = [np.exp(-((y - top) ** 2 + (x - left) ** 2) / 18) for top, left in places]
    np.savez(path, counts=generator.poisson(100 * np.stack(spots) + 5).astype(np.uint16))
