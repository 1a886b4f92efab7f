"""A beating heart: its average image, the courses of what moves, and when and how much it contracts.

A video is one heartbeat, as cine MRI is gated, so that a course's first harmonic is the beat.
"""

from collections.abc import Mapping

import numpy as np

from step.posterior.descriptors import general
from step.posterior.descriptors.appearance import component_courses
from step.posterior.descriptors.blood_pool import find_blood_pool
from step.posterior.descriptors.description import (
    Course,
    Description,
    Feature,
    course_of,
    feature_of,
    split_truth,
    with_truth,
)


def describe(frames: np.ndarray, truth: np.ndarray | None, geometry: Mapping[str, float]) -> Description:
    """Return the description of the samples `frames` (sample, time, y, x), brightness in [0, 1].

    Features are `brightness` and `variability` as of `general`, and of the largest principal component of the changes:
    `contraction_phase`, degree of the beat after its first frame at which its first harmonic is lowest, and
    `contraction`, the part of its course's variance that the first harmonic has. The component brightens the frame, as
    blood does: it is lowest when the heart is contracted. Quantities are those of `ventricle`.
    """
    videos = with_truth(frames, truth)
    vectors = {"appearance": general.appearance(videos, truth)}
    courses, _ = component_courses(videos, len(frames), general.N_COMPONENTS)
    phase, part = first_harmonic(courses[..., 0]) if courses.shape[-1] else np.zeros((2, len(videos)))
    features = {name: feature_of(values, truth, "") for name, values in general.measure_changes(videos).items()}
    features["contraction_phase"] = feature_of(phase, truth, "deg", is_angle=True)
    features["contraction"] = feature_of(part, truth, "")
    vectors |= {"dynamics": split_truth(courses.reshape(len(courses), -1), truth)}
    return Description(features, vectors, ventricle(frames, truth))


def ventricle(frames: np.ndarray, truth: np.ndarray | None) -> dict[str, Feature | Course]:
    """Return what the area of the blood in one ventricle says, of `frames` (sample, time, y, x), brightness in [0, 1].

    `blood_area` in each frame, pixels; `end_diastolic_area` and `end_systolic_area`, its largest and its smallest; and
    `ejection_fraction`, the part of the largest that is missing in the smallest: of the area in this slice, not of the
    volume. `wall_thickening` is how much thicker the wall around it is when the area is smallest than when it is
    largest, as a part of the latter; it is left out where the wall of a sample cannot be followed. The ventricle is
    looked for in the mean of the samples (`blood_pool`), so that the truth has no part in it; nothing is returned where
    none is found.
    """
    pool = find_blood_pool(frames.mean(axis=0))
    if pool is None:
        return {}
    videos = with_truth(frames, truth)
    areas = pool.areas(videos)
    largest, smallest = areas.max(axis=1), areas.min(axis=1)
    ejected = 1 - np.divide(smallest, largest, out=np.ones(len(areas)), where=largest > 0)
    found: dict[str, Feature | Course] = {
        "blood_area": course_of(areas, truth, "pixel^2"),
        "end_diastolic_area": feature_of(largest, truth, "pixel^2"),
        "end_systolic_area": feature_of(smallest, truth, "pixel^2"),
        "ejection_fraction": feature_of(ejected, truth, ""),
    }
    ends = np.stack([areas.argmax(axis=1), areas.argmin(axis=1)], axis=1)
    diastole, systole = pool.wall_thickness(np.stack([video[end] for video, end in zip(videos, ends, strict=True)])).T
    if np.isfinite(diastole).all() and np.isfinite(systole).all():
        found["wall_thickening"] = feature_of(systole / diastole - 1, truth, "")
    return found


def first_harmonic(courses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return when the first harmonic of `courses` (video, time) is lowest, degree of the period in [-180, 180), and
    which part of the course's variance it is, (video,) each.
    """
    harmonics = np.fft.rfft(courses - courses.mean(axis=1, keepdims=True), axis=1)
    power = np.abs(np.fft.fft(courses, axis=1)[:, 1:]) ** 2
    total = power.sum(axis=1)
    # cos(w t + arg) is lowest where w t = pi - arg.
    lowest = np.angle(-harmonics[:, 1].conj(), deg=True)
    both = 2 * np.abs(harmonics[:, 1]) ** 2
    return lowest, np.divide(both, total, out=np.zeros(len(courses)), where=total > 0)
