"""Any video: its average image, how much it changes, and the courses of the images that it is mixed of."""

from collections.abc import Mapping

import numpy as np

from step.posterior.descriptors.appearance import average_image, component_courses
from step.posterior.descriptors.description import Description, Vectors, feature_of, split_truth, with_truth

N_COMPONENTS = 3
"""Images whose courses are followed: more of them are, in a hundred samples, noise."""


def describe(frames: np.ndarray, truth: np.ndarray | None, geometry: Mapping[str, float]) -> Description:
    """Return the description of the samples `frames` (sample, time, y, x), brightness in [0, 1].

    Features are `brightness`, the mean over pixels and time, and `variability`, the root mean square of the change
    over time relative to it.
    """
    videos = with_truth(frames, truth)
    seen = appearance(videos, truth)
    courses, _ = component_courses(videos, len(frames), N_COMPONENTS)
    return Description(
        features={name: feature_of(values, truth, "") for name, values in measure_changes(videos).items()},
        vectors={"appearance": seen, "dynamics": split_truth(courses.reshape(len(courses), -1), truth)},
    )


def appearance(videos: np.ndarray, truth: np.ndarray | None) -> Vectors:
    """Return the average image of each of `videos` (video, time, y, x), as it lies; the last one is the truth's."""
    return split_truth(np.stack([average_image(video).ravel() for video in videos]), truth)


def measure_changes(videos: np.ndarray) -> dict[str, np.ndarray]:
    """Return the `brightness` and the `variability` of each of `videos`, (video,) each."""
    brightness = videos.mean(axis=(1, 2, 3), dtype=np.float64)
    return {"brightness": brightness, "variability": np.sqrt(videos.var(axis=1).mean(axis=(1, 2))) / brightness}
