"""The frames that a picture shows, read from the files of truths and reconstructions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from step.config.views import Display
from step.errors import InputError
from step.io.reconstructions import Reconstruction, read_reconstructions
from step.io.truths import read_truth
from step.physics.display import to_unit_range


@dataclass(frozen=True)
class ShownVideo:
    """One video's truth and its reconstructions, as frames (time, y, x) in [0, 1]."""

    name: str
    truth: np.ndarray
    reconstructions: Mapping[str, np.ndarray]  # by method, in the order in which they are shown


def read_shown_videos(
    truths: Sequence[Path],
    methods: Mapping[str, Sequence[Path]],
    display: Display,
) -> list[ShownVideo]:
    """Return the videos of `truths` with each of `methods`' first posterior sample.

    `methods` gives the files of each method's reconstructions. Raises `InputError` where a truth or a
    reconstruction is missing.
    """
    by_method = {method: read_reconstructions(list(files)) for method, files in methods.items()}
    return [_read_one(path, by_method, display) for path in truths]


def _read_one(
    path: Path,
    by_method: Mapping[str, Mapping[str, Reconstruction]],
    display: Display,
) -> ShownVideo:
    truth = read_truth(path, path.stem)
    frames = {}
    for method, reconstructions in by_method.items():
        if path.stem not in reconstructions:
            raise InputError(
                f"{path.stem} is not among the videos of {method}, {list(reconstructions)}; "
                "give all files of its reconstructions"
            )
        sample = reconstructions[path.stem].equal_samples[0]
        if sample.shape != truth.shape:
            shapes = f"{sample.shape} by {method}, it is {truth.shape}"
            raise InputError(f"{path.stem} was reconstructed as {shapes}; reconstruct it again")
        frames[method] = to_unit_range(sample, truth, display)
    return ShownVideo(path.stem, to_unit_range(truth, truth, display), frames)
