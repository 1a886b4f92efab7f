"""Posterior samples as the descriptor of their domain sees them, for modes and for quantities alike."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from step.config.study import Config
from step.config.views import Display
from step.errors import InputError
from step.plugins import descriptor_name

if TYPE_CHECKING:
    import numpy as np

    from step.posterior.descriptors.description import Description


def descriptor_of(config: Config, task: str) -> str:
    """Return the descriptor of the videos of `task`; raises `InputError` where its domain has none."""
    domain = config.tasks[task].domain
    if domain not in config.modes.descriptors:
        raise InputError(
            f"modes.descriptors has {list(config.modes.descriptors)}, not the domain {domain} of {task}; give it one, "
            "`general` goes for any video"
        )
    return config.modes.descriptors[domain]


def describe_samples(
    name: str,
    samples: "np.ndarray",
    truth: "np.ndarray | None",
    display: Display,
    descriptor: str,
    geometry: Mapping[str, float],
) -> "Description":
    """Return what the `descriptor` says of the frames of `samples` (sample, time, channel, y, x) of the video `name`.

    `truth` (time, channel, y, x) gives the brightness' unit; without one the samples' mean does. Raises `InputError`
    for samples of another shape than the truth.
    """
    import importlib

    import numpy as np

    from step.physics.display import to_unit_range

    if truth is not None and truth.shape != samples.shape[1:]:
        shapes = f"{samples.shape[1:]}, it is {truth.shape}"
        raise InputError(f"{name} was reconstructed as {shapes}; sample it again")
    reference = samples.mean(axis=0) if truth is None else truth
    frames = np.stack([to_unit_range(sample, reference, display) for sample in samples])
    true_frames = None if truth is None else to_unit_range(truth, truth, display)
    module = importlib.import_module(descriptor_name(descriptor))
    return module.describe(frames, true_frames, geometry)
