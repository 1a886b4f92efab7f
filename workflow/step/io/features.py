"""What a network sees in the videos of one set: an HDF5 file of features, or of the reason why there are none."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from step.errors import InputError
from step.io.atomic import whole_file
from step.io.hdf5 import create_hdf5, open_hdf5, read_dataset


@dataclass(frozen=True)
class VideoFeatures:
    """The features of videos, in the order of their names."""

    videos: tuple[str, ...]
    features: np.ndarray  # (video, feature), float32; (0, 0) where missing
    frames: int  # of each video; 0 where missing
    weights: str  # which network and which weights; '' where missing
    missing: str  # why there are none; '' where there are


def missing_features(reason: str) -> VideoFeatures:
    """Return features of no video, for the reason given."""
    return VideoFeatures((), np.empty((0, 0), np.float32), 0, "", reason)


def write_features(path: Path, features: VideoFeatures) -> None:
    """Write `features` to `path`, whole or not at all."""
    import h5py

    with whole_file(path) as part, create_hdf5(part) as file:
        file.create_dataset("features", data=features.features.astype(np.float32)).attrs["axes"] = "video, feature"
        file.create_dataset("videos", data=list(features.videos), dtype=h5py.string_dtype())
        file.attrs.update({"frames": features.frames, "weights": features.weights, "missing": features.missing})


def read_features(path: Path) -> VideoFeatures:
    """Return the features in `path`; raises `InputError` where it holds none, or not one row per video."""
    with open_hdf5(path) as file:
        array = read_dataset(file, "features")[()]
        videos = tuple(str(name) for name in read_dataset(file, "videos").asstr()[()])
        absent = [name for name in ("frames", "weights", "missing") if name not in file.attrs]
        if absent:
            raise InputError(f"{path} does not say its {absent[0]}; run the stage again that wrote it")
        weights, missing = str(file.attrs["weights"]), str(file.attrs["missing"])
        frames = int(file.attrs["frames"])
    if len(videos) != len(array):
        raise InputError(f"{path} has {len(array)} rows for {len(videos)} videos; run the stage again that wrote it")
    return VideoFeatures(videos, array, frames, weights, missing)
