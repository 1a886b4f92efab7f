"""Measurements and reconstructed videos, one HDF5 file each, with units and provenance as attributes."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from step.errors import InputError
from step.io.atomic import whole_file
from step.io.hdf5 import create_hdf5, open_hdf5, read_dataset


def write_measurement(
    path: Path,
    measurement: Mapping[str, np.ndarray],
    attributes: Mapping[str, object],
) -> None:
    """Write one video's measurement (arrays with leading axis time); its truth is a file of its own."""
    with whole_file(path) as part, create_hdf5(part) as file:
        for name, array in measurement.items():
            file.create_dataset(f"measurement/{name}", data=array, compression="gzip", compression_opts=1)
        file.attrs.update(attributes)


def read_measurement(path: Path) -> dict[str, np.ndarray]:
    """Return one video's measurement, arrays with leading axis time."""
    with open_hdf5(path) as file:
        if "measurement" not in file:
            raise InputError(f"{path} holds {sorted(file)}, not a measurement; run the measure stage")
        return {name: node[()] for name, node in file["measurement"].items()}


def read_attributes(path: Path) -> dict[str, object]:
    """Return what a measurement's file says of it: times and sizes with their units, and where it is from."""
    with open_hdf5(path) as file:
        return dict(file.attrs)


@dataclass(frozen=True)
class Quantiles:
    """Quantiles over posterior samples, in the units of the videos."""

    levels: np.ndarray  # (quantile,) ascending, in [0, 1]
    videos: np.ndarray  # (quantile, time, y, x), float32
    quantity: str  # what of a video with channels they are of, in words


def write_summary(path: Path, videos: Mapping[str, np.ndarray], quantiles: Quantiles) -> None:
    """Write summaries of posterior samples, each (time, channel, y, x), and `quantiles`, in the units of the videos."""
    with whole_file(path) as part, create_hdf5(part) as file:
        for name, video in videos.items():
            file.create_dataset(name, data=video.astype(np.float32)).attrs["axes"] = "time, channel, y, x"
        dataset = file.create_dataset("quantiles", data=quantiles.videos.astype(np.float32))
        dataset.attrs.update(
            {"axes": "quantile, time, y, x", "units": "as mean and std", "quantity": quantiles.quantity}
        )
        dataset.attrs["levels"] = quantiles.levels


def read_summary(path: Path) -> dict[str, np.ndarray]:
    """Return the videos `mean` and `std` (time, channel, y, x) of `path`; raises `InputError` where one is missing."""
    with open_hdf5(path) as file:
        return {name: read_dataset(file, name)[()] for name in ("mean", "std")}


def read_quantiles(path: Path) -> Quantiles:
    """Return the quantiles of `path`; raises `InputError` where they are missing, or do not say which they are."""
    with open_hdf5(path) as file:
        dataset = read_dataset(file, "quantiles")
        levels, quantity = (dataset.attrs.get(name) for name in ("levels", "quantity"))
        if dataset.ndim != 4 or np.shape(levels) != dataset.shape[:1] or quantity is None:
            raise InputError(f"{path}: quantiles {dataset.shape} have the levels {levels}; summarise the samples again")
        return Quantiles(levels, dataset[()], quantity)


@dataclass(frozen=True)
class Reconstruction:
    """The reconstructions of one video by one method."""

    video: str  # its name in the study, e.g. video003
    samples: np.ndarray  # (sample, time, channel, y, x), float32
    trace: Mapping[str, np.ndarray]  # (sample, annealing level) each: sigma, misfit; empty for a reference


def write_reconstructions(path: Path, reconstructions: list[Reconstruction], attributes: Mapping[str, object]) -> None:
    """Write the reconstructions that one job made, whole or not at all."""
    with whole_file(path) as part, create_hdf5(part) as file:
        for reconstruction in reconstructions:
            group = file.create_group(reconstruction.video)
            samples = group.create_dataset("samples", data=reconstruction.samples.astype(np.float32))
            samples.attrs["axes"] = "sample, time, channel, y, x"
            for name, array in reconstruction.trace.items():
                group.create_dataset(f"trace/{name}", data=array).attrs["axes"] = "sample, annealing level"
        file.attrs.update(attributes)


def read_reconstructions(paths: list[Path], videos: Collection[str] | None = None) -> dict[str, Reconstruction]:
    """Return the reconstructions in `paths` by video, samples of one video joined in the order of `paths`.

    Of `videos` alone if given, as far as they are there.
    """
    parts: dict[str, list[Reconstruction]] = {}
    for path in paths:
        with open_hdf5(path) as file:
            for video, group in file.items():
                if videos is not None and video not in videos:
                    continue
                samples = read_dataset(file, f"{video}/samples")[()]
                trace = {name: node[()] for name, node in group.get("trace", {}).items()}
                parts.setdefault(video, []).append(Reconstruction(video, samples, trace))
    return {
        video: Reconstruction(
            video,
            np.concatenate([part.samples for part in group]),
            {name: np.concatenate([part.trace[name] for part in group]) for name in group[0].trace},
        )
        for video, group in sorted(parts.items())
    }


def samples_of_video(paths: list[Path], video: str) -> np.ndarray:
    """Return the samples (sample, time, channel, y, x) of `video` in `paths`; raises `InputError` where it has none."""
    reconstructions = read_reconstructions(paths)
    if video not in reconstructions:
        raise InputError(f"{video} is not among the reconstructed {list(reconstructions)}; sample it")
    return reconstructions[video].samples
