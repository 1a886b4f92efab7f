"""Magnitude cines in DICOM series, one image a file or many in enhanced ones."""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from step.domains.mri.dicom_files import (
    REMEDY,
    read_frame,
    read_header,
    read_number,
    read_numbers,
    read_pixels,
    read_text,
    read_texts,
)
from step.domains.mri.dicom_frames import GROUPS, FrameGroups, frames_of, trigger_of
from step.domains.mri.dicom_image_types import TYPE_TAGS, keep_magnitudes, read_component
from step.errors import InputError

if TYPE_CHECKING:
    from pydicom import FileDataset

logger = logging.getLogger(__name__)

TAGS = (
    *("SeriesInstanceUID", "SeriesNumber", "AcquisitionNumber", "InstanceNumber", "TriggerTime", "NumberOfFrames"),
    *("ImageOrientationPatient", "ImagePositionPatient", "SliceLocation"),
    *TYPE_TAGS,
    *GROUPS,
)
# Far below the turn or the distance between two slices, far above what scanners round.
SAME_DIRECTION = 1e-3
"""Largest difference of direction cosines within a slice."""
SAME_PLACE_MM = 0.1
"""Largest difference of positions within a slice, mm."""


@dataclass(frozen=True)
class Image:
    """What the header of one image says; what it lacks is None."""

    path: Path
    series: tuple[int, str]  # SeriesNumber, SeriesInstanceUID
    image_type: tuple[str, ...]
    component: str  # magnitude, phase, ...
    orientation: tuple[float, ...] | None  # direction cosines of a row and a column, patient coordinates
    position: tuple[float, ...] | None  # centre of the first pixel, mm, patient coordinates
    location: tuple[float, ...] | None  # SliceLocation, mm
    trigger_ms: float | None
    instance: float | None
    acquisition: float | None
    frame: int | None = None  # of an enhanced file, from 0
    rescale: tuple[float, float] = (1.0, 0.0)  # slope and intercept of that frame

    @property
    def order(self) -> tuple[float, Path]:
        """InstanceNumber, and the path where that says nothing."""
        return (-1.0 if self.instance is None else self.instance), self.path


def read_dicom_slices(paths: Sequence[Path]) -> Iterator[tuple[Path, np.ndarray]]:
    """Yield each slice of one subject: the path of its first frame and its frames (frame, y, x).

    Of phase, velocity, real and imaginary images none is read. A slice is what has one series, ImageType,
    ImageOrientationPatient and ImagePositionPatient (or SliceLocation where there are no positions). Slices of one
    orientation come in the order of their places along its normal; their frames in that of TriggerTime, or of
    InstanceNumber where there is no TriggerTime. Headers are read first, pixels slice by slice.

    Raises `InputError` for files that cannot be decoded, frames of different sizes, values below zero, and
    slices or frames that cannot be told apart.
    """
    magnitudes = keep_magnitudes(image for path in paths for image in _read_images(path))
    for frames in _slices(magnitudes):
        pixels = [_pixels_of(frame) for frame in frames]
        first = frames[0].path
        if len({image.shape for image in pixels}) > 1:
            raise InputError(f"frames of different sizes in the series of {first}; {REMEDY}")
        cine = np.stack(pixels)
        if cine.min() < 0:
            raise InputError(f"values down to {cine.min():g}, which no magnitude has (is it phase?): {first}; {REMEDY}")
        yield first, cine


def _read_images(path: Path) -> list[Image]:
    """Return what the header of a file says of its image, or of each of its frames."""
    header = read_header(path, TAGS)
    n_frames = int(read_number(header, "NumberOfFrames", path) or 1)
    whole = _read_image(header, path)
    if n_frames == 1 and not header.get(GROUPS[1]):
        return [whole]
    return [_read_frame(frame, whole) for frame in frames_of(header, n_frames, path)]


def _read_frame(frame: FrameGroups, whole: Image) -> Image:
    """Return what the functional groups of a frame say of it, and its file where they say nothing."""
    path = whole.path

    def numbers(group: str, tag: str, count: int) -> tuple[float, ...] | None:
        found = frame.group(group)
        return None if found is None else read_numbers(found, tag, count, path)

    def number(group: str, tag: str) -> float | None:
        found = numbers(group, tag, 1)
        return None if found is None else found[0]

    kind = frame.group("MRImageFrameTypeSequence")
    slope = number("PixelValueTransformationSequence", "RescaleSlope")
    temporal = number("FrameContentSequence", "TemporalPositionIndex")
    return replace(
        whole,
        image_type=whole.image_type if kind is None else read_texts(kind, "FrameType", path) or whole.image_type,
        component=whole.component if kind is None else read_component(kind, path, "FrameType"),
        orientation=numbers("PlaneOrientationSequence", "ImageOrientationPatient", 6) or whole.orientation,
        position=numbers("PlanePositionSequence", "ImagePositionPatient", 3) or whole.position,
        trigger_ms=trigger_of(frame, path),
        # Several files of a series each count their frames from 1.
        instance=1e6 * (whole.instance or 0) + (frame.number if temporal is None else temporal),
        acquisition=number("FrameContentSequence", "FrameAcquisitionNumber"),
        frame=frame.number,
        rescale=(
            1.0 if slope is None else slope,
            number("PixelValueTransformationSequence", "RescaleIntercept") or 0.0,
        ),
    )


def _pixels_of(image: Image) -> np.ndarray:
    return read_pixels(image.path) if image.frame is None else read_frame(image.path, image.frame, *image.rescale)


def _read_image(header: "FileDataset", path: Path) -> Image:
    return Image(
        path=path,
        series=(int(read_number(header, "SeriesNumber", path) or 0), read_text(header, "SeriesInstanceUID", path)),
        image_type=read_texts(header, "ImageType", path),
        component=read_component(header, path),
        orientation=read_numbers(header, "ImageOrientationPatient", 6, path),
        position=read_numbers(header, "ImagePositionPatient", 3, path),
        location=read_numbers(header, "SliceLocation", 1, path),
        trigger_ms=read_number(header, "TriggerTime", path),
        instance=read_number(header, "InstanceNumber", path),
        acquisition=read_number(header, "AcquisitionNumber", path),
    )


def _slices(images: Iterable[Image]) -> Iterator[list[Image]]:
    """Yield the frames of each slice in the order of time."""
    for _, series in sorted(_group(images, lambda image: image.series).items()):
        for stack in _group(sorted(series, key=lambda image: image.order), lambda image: image.image_type).values():
            place = _place_of(stack)
            for slice_ in _split_into_places(stack, place):
                yield from _split_into_scans(slice_, placed=place is not None)


# --- where


def _place_of(stack: Sequence[Image]) -> Callable[[Image], tuple[float, ...]] | None:
    """Return what tells the slices of a stack apart: their position, else their location, else nothing."""
    _is_in_all(stack, "orientation", "ImageOrientationPatient")
    if _is_in_all(stack, "position", "ImagePositionPatient"):
        return lambda image: image.position or ()
    if _is_in_all(stack, "location", "SliceLocation"):
        return lambda image: image.location or ()
    return None


def _is_in_all(stack: Sequence[Image], field: str, tag: str) -> bool:
    present = sum(getattr(image, field) is not None for image in stack)
    if 0 < present < len(stack):
        raise InputError(
            f"{present} of {len(stack)} images of series {stack[0].series[0]} have {tag}, so they cannot be put into "
            f"slices and order: {stack[0].path}; give it to all, or leave files out with data.mri.exclude"
        )
    return present > 0


def _split_into_places(
    stack: Sequence[Image], place: Callable[[Image], tuple[float, ...]] | None
) -> Iterator[list[Image]]:
    for plane in _cluster(stack, lambda image: image.orientation or (), SAME_DIRECTION):
        slices = _cluster(plane, place, SAME_PLACE_MM) if place else [plane]
        yield from sorted(slices, key=lambda frames: (_height(frames[0], plane[0]), frames[0].order))


def _height(image: Image, plane: Image) -> float:
    """Return where `image` lies along the normal of its plane, mm; 0 where it does not say."""
    if image.position is None:
        return image.location[0] if image.location else 0.0
    if plane.orientation is None:
        return 0.0
    normal = np.cross(plane.orientation[:3], plane.orientation[3:])
    # Slices side by side in one plane shall not be ordered by what is rounded.
    return round(float(np.dot(normal, image.position)), 3)


def _cluster(
    images: Iterable[Image], value: Callable[[Image], tuple[float, ...]], tolerance: float
) -> list[list[Image]]:
    """Return `images` by their `value`, those together that differ from the first by at most `tolerance`."""
    clusters: list[list[Image]] = []
    for image in images:
        near = (found for found in clusters if _largest_difference(value(found[0]), value(image)) <= tolerance)
        if (cluster := next(near, None)) is None:
            clusters.append([image])
        else:
            cluster.append(image)
    return clusters


def _largest_difference(one: tuple[float, ...], two: tuple[float, ...]) -> float:
    return max((abs(a - b) for a, b in zip(one, two, strict=True)), default=0.0)


# --- when


def _split_into_scans(frames: Sequence[Image], placed: bool) -> list[list[Image]]:
    """Return the frames of one place in the order of time: one scan, or several where AcquisitionNumber says so."""
    if len(frames) == 1:
        return [list(frames)]
    if not _has_trigger_times(frames):
        _check_instances(frames, placed)
        return _split_by_acquisition(frames)
    n_scans = _count_scans(frames)
    if n_scans == 1:
        return [_by_trigger(frames)]
    scans = list(_group(frames, lambda image: image.acquisition).values())
    if len(scans) != n_scans or len({*map(len, scans)}) > 1 or any(_count_scans(scan) > 1 for scan in scans):
        raise InputError(
            f"{len(frames)} images at one place of series {frames[0].series[0]} have "
            f"{len({image.trigger_ms for image in frames})} different TriggerTimes, as {n_scans} scans or slices "
            f"would that nothing tells apart: {frames[0].path}; leave all but one out with data.mri.exclude"
        )
    _log_scans(scans)
    return [_by_trigger(scan) for scan in scans]


def _split_by_acquisition(frames: Sequence[Image]) -> list[list[Image]]:
    """Return the acquisitions of frames without times where they follow each other and are of one length above 1."""
    scans = list(_group(frames, lambda image: image.acquisition).values())
    follow = all(one[-1].order < two[0].order for one, two in pairwise(scans))
    if len(scans) == 1 or not follow or len({*map(len, scans)}) > 1 or len(scans[0]) == 1:
        return [list(frames)]
    _log_scans(scans)
    return scans


def _log_scans(scans: Sequence[Sequence[Image]]) -> None:
    logger.info("%d scans at one place told apart by AcquisitionNumber, from %s on", len(scans), scans[0][0].path)


def _has_trigger_times(frames: Sequence[Image]) -> bool:
    """Return whether the frames have trigger times; one that is the same for all is as good as none."""
    return _is_in_all(frames, "trigger_ms", "TriggerTime") and len({image.trigger_ms for image in frames}) > 1


def _check_instances(frames: Sequence[Image], placed: bool) -> None:
    where = f"series {frames[0].series[0]}: {frames[0].path}; write them into the files, or {REMEDY}"
    if not placed:
        raise InputError(
            f"{len(frames)} images have neither ImagePositionPatient nor SliceLocation nor different TriggerTimes, "
            f"so slices and frames cannot be told apart, {where}"
        )
    instances = {image.instance for image in frames}
    if len(instances) < len(frames) or None in instances:
        raise InputError(
            f"{len(frames)} images at one place have no different TriggerTimes and {len(instances - {None})} different "
            f"InstanceNumbers, so their order is not known, {where}"
        )


def _count_scans(frames: Sequence[Image]) -> int:
    """Return how often the heart's cycle is gone through, by how often trigger times repeat or start anew.

    Times that start anew count only in equal runs, in the order of InstanceNumber, that cover each other: a cine
    may begin in the middle of the cycle.
    """
    repeats = max(Counter(image.trigger_ms for image in frames).values())
    if repeats > 1 or len({image.instance for image in frames}) < len(frames):
        return repeats
    ordered = sorted(frames, key=lambda image: image.order)
    times = [image.trigger_ms for image in ordered if image.trigger_ms is not None]
    starts = [0, *(number + 1 for number, (one, two) in enumerate(pairwise(times)) if two < one), len(times)]
    runs = [times[start:end] for start, end in pairwise(starts)]
    equal = len({*map(len, runs)}) == 1 and len(runs[0]) > 1
    overlap = all(one[0] < two[-1] and two[0] < one[-1] for one, two in pairwise(runs))
    return len(runs) if equal and overlap else 1


def _by_trigger(frames: Iterable[Image]) -> list[Image]:
    return sorted(frames, key=lambda image: (image.trigger_ms, image.order))


def _group(images: Iterable[Image], key: Callable[[Image], Hashable]) -> dict[Hashable, list[Image]]:
    groups = defaultdict(list)
    for image in images:
        groups[key(image)].append(image)
    return groups
