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
class VideoFlow:
    """The flow between the frames of one video: (time - 1, 2, y, x) each, pixels, component 0 along x, 1 along y."""

    video: str  # its name in the study, e.g. video003
    forward: np.ndarray  # float32, at pixels of the earlier frame, to the later one
    backward: np.ndarray  # float32, at pixels of the later frame, to the earlier one


def write_flows(path: Path, flows: Iterable[VideoFlow], attributes: Mapping[str, object]) -> None:
    """Write `flows` to `path`, whole or not at all.

    `attributes` say what they were estimated from and how, in `flow` as tables say it.
    """
    with whole_file(path) as part, create_hdf5(part) as file:
        for flow in flows:
            for direction, meaning in DIRECTIONS.items():
                array = getattr(flow, direction).astype(np.float32)
                dataset = file.create_dataset(f"{flow.video}/{direction}", data=array)
                dataset.attrs.update({"axes": "time, component (x, y), y, x", "units": "pixel", "meaning": meaning})
        file.attrs.update(attributes)


def read_flows(path: Path, videos: Sequence[str] | None = None) -> dict[str, VideoFlow]:
    """Return the flows in `path` by video, of `videos` alone if given.

    Raises `InputError` where the file is missing, is damaged, lacks one of `videos`, or holds no flows.
    """
    with open_hdf5(path) as file:
        if not file.keys():
            raise InputError(f"{path} holds no flows; run the flow stage")
        lacking = sorted(set(videos or ()) - set(file))
        if lacking:
            raise InputError(
                f"{path} holds the flow of {sorted(file)}, not of {', '.join(lacking)}; run the flow stage"
            )
        return {video: _read_flow(file, video) for video in (sorted(file) if videos is None else videos)}


def read_flow_attributes(path: Path) -> dict[str, object]:
    """Return what a file of flows says of them: `flow`, as tables say it, `source`, `estimator`, `end_point_error_px`.

    Raises `InputError` where it does not say it.
    """
    with open_hdf5(path) as file:
        if "flow" not in file.attrs:
            raise InputError(f"{path} does not say what its flows were estimated from; run the flow stage")
        return dict(file.attrs)


def _read_flow(file: h5py.File, video: str) -> VideoFlow:
    import h5py

    group = file[video]
    if not isinstance(group, h5py.Group):
        raise InputError(f"{file.filename}: {video} is not the flow of a video; run the flow stage")
    flow = VideoFlow(video, *(read_dataset(group, direction)[()] for direction in DIRECTIONS))
    if flow.forward.shape != flow.backward.shape or flow.forward.ndim != 4 or flow.forward.shape[1] != 2:
        shapes = f"{flow.forward.shape} forward and {flow.backward.shape} backward"
        raise InputError(f"{file.filename}: {video} has flows {shapes}, not (time - 1, 2, y, x); run the flow stage")
    if not all(np.isfinite(array).all() for array in (flow.forward, flow.backward)):
        raise InputError(f"{file.filename}: the flow of {video} is not finite; run the flow stage again")
    return flow
