"""The optical flow of videos, one HDF5 file for the videos of a task, and what it was estimated from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from step.errors import InputError
from step.io.atomic import whole_file
from step.io.hdf5 import create_hdf5, open_hdf5, read_dataset

if TYPE_CHECKING:
    import h5py

DIRECTIONS = {
    "forward": "at a pixel of frame t: where what is there goes to in frame t + 1, relative to the pixel",
    "backward": "at a pixel of frame t + 1: where what is there came from in frame t, relative to the pixel",
}


@dataclass(frozen=True)
class VideoOpticalFlow:
    """The optical flow between the frames of a video: (time - 1, 2, y, x) each, pixels, first along x, then along y."""

    video: str  # its name in the study, e.g. video003
    forward: np.ndarray  # float32, at pixels of the earlier frame, to the later one
    backward: np.ndarray  # float32, at pixels of the later frame, to the earlier one


def write_optical_flows(
    path: Path, optical_flows: Iterable[VideoOpticalFlow], attributes: Mapping[str, object]
) -> None:
    """Write `optical_flows` to `path`, whole or not at all.

    `attributes` say what they were estimated from and how, in `optical_flow` as tables say it.
    """
    with whole_file(path) as part, create_hdf5(part) as file:
        for optical_flow in optical_flows:
            for direction, meaning in DIRECTIONS.items():
                array = getattr(optical_flow, direction).astype(np.float32)
                dataset = file.create_dataset(f"{optical_flow.video}/{direction}", data=array)
                dataset.attrs.update({"axes": "time, component (x, y), y, x", "units": "pixel", "meaning": meaning})
        file.attrs.update(attributes)


def read_optical_flows(path: Path, videos: Sequence[str] | None = None) -> dict[str, VideoOpticalFlow]:
    """Return the optical flows in `path` by video, of `videos` alone if given.

    Raises `InputError` where the file is missing, is damaged, lacks one of `videos`, or holds no optical flows.
    """
    with open_hdf5(path) as file:
        if not file.keys():
            raise InputError(f"{path} holds no optical flows; run the optical_flow stage")
        lacking = sorted(set(videos or ()) - set(file))
        if lacking:
            raise InputError(
                f"{path} holds the optical flow of {sorted(file)}, not of {', '.join(lacking)}; "
                "run the optical_flow stage"
            )
        return {video: _read_optical_flow(file, video) for video in (sorted(file) if videos is None else videos)}


def read_optical_flow_attributes(path: Path) -> dict[str, object]:
    """Return what a file of optical flows says of them.

    That is `optical_flow`, as tables say it, `source`, `estimator` and `end_point_error_px`. Raises `InputError` where
    it does not say it.
    """
    with open_hdf5(path) as file:
        if "optical_flow" not in file.attrs:
            raise InputError(
                f"{path} does not say what its optical flows were estimated from; run the optical_flow stage"
            )
        return dict(file.attrs)


def _read_optical_flow(file: h5py.File, video: str) -> VideoOpticalFlow:
    import h5py

    group = file[video]
    if not isinstance(group, h5py.Group):
        raise InputError(f"{file.filename}: {video} is not the optical flow of a video; run the optical_flow stage")
    optical_flow = VideoOpticalFlow(video, *(read_dataset(group, direction)[()] for direction in DIRECTIONS))
    if (
        optical_flow.forward.shape != optical_flow.backward.shape
        or optical_flow.forward.ndim != 4
        or optical_flow.forward.shape[1] != 2
    ):
        shapes = f"{optical_flow.forward.shape} forward and {optical_flow.backward.shape} backward"
        raise InputError(
            f"{file.filename}: {video} has optical flows {shapes}, not (time - 1, 2, y, x); run the optical_flow stage"
        )
    if not all(np.isfinite(array).all() for array in (optical_flow.forward, optical_flow.backward)):
        raise InputError(
            f"{file.filename}: the optical flow of {video} is not finite; run the optical_flow stage again"
        )
    return optical_flow
