"""Measurements and reconstructed videos, one HDF5 file each, with units and provenance as attributes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from step.errors import InputError
from step.io.atomic import whole_file
from step.io.hdf5 import create_hdf5, open_hdf5, read_dataset
from step.particles import normalise, resample_systematically
from step.seeds import derive_seed


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


def write_summary(path: Path, videos: Mapping[str, np.ndarray], quantiles: Quantiles, factor: float = 1.0) -> None:
    """Write summaries of posterior samples, each (time, channel, y, x), and `quantiles`, in the units of the videos.

    The file says by which `factor` spreads were multiplied in a recalibration, if it is not 1.
    """
    with whole_file(path) as part, create_hdf5(part) as file:
        for name, video in videos.items():
            file.create_dataset(name, data=video.astype(np.float32)).attrs["axes"] = "time, channel, y, x"
        dataset = file.create_dataset("quantiles", data=quantiles.videos.astype(np.float32))
        dataset.attrs.update(
            {"axes": "quantile, time, y, x", "units": "as mean and std", "quantity": quantiles.quantity}
        )
        dataset.attrs["levels"] = quantiles.levels
        if factor != 1:
            file.attrs["recalibration"] = f"std and quantiles are {factor:.4g} times as far from the mean as samples"


def read_summary(path: Path) -> dict[str, np.ndarray]:
    """Return the videos `mean` and `std` (time, channel, y, x) of `path`; raises `InputError` where one is missing."""
    with open_hdf5(path) as file:
        return {name: read_dataset(file, name)[()] for name in ("mean", "std")}


def read_recalibration(path: Path) -> str:
    """Return what the summary `path` says of how its spreads were recalibrated; '' where they were not."""
    with open_hdf5(path) as file:
        return str(file.attrs.get("recalibration", ""))


def read_quantiles(path: Path) -> Quantiles:
    """Return the quantiles of `path`; raises `InputError` where they are missing, or do not say which they are."""
    with open_hdf5(path) as file:
        dataset = read_dataset(file, "quantiles")
        levels, quantity = (dataset.attrs.get(name) for name in ("levels", "quantity"))
        if dataset.ndim != 4 or np.shape(levels) != dataset.shape[:1] or quantity is None:
            raise InputError(f"{path}: quantiles {dataset.shape} have the levels {levels}; summarise the samples again")
        return Quantiles(levels, dataset[()], quantity)


OF_WEIGHTED = ("log_weights", "ancestors")
"""The arrays (sample,) of samples that do not all weigh the same."""


@dataclass(frozen=True)
class Reconstruction:
    """The reconstructions of one video by one method."""

    video: str  # its name in the study, e.g. video003
    samples: np.ndarray  # (sample, time, channel, y, x), float32
    trace: Mapping[str, np.ndarray]  # (sample, annealing level) each: sigma, misfit; empty for a reference
    log_weights: np.ndarray | None = None  # (sample,) what each counts for, up to a constant; None: all weigh the same
    ancestors: np.ndarray | None = None  # (sample,) int: which sample's start each goes back to; None: its own

    @property
    def weights(self) -> np.ndarray:
        """What each sample counts for (sample,); their sum is 1."""
        n_samples = len(self.samples)
        return np.full(n_samples, 1 / n_samples) if self.log_weights is None else normalise(self.log_weights)

    @property
    def lineages(self) -> np.ndarray:
        """Which sample's start each sample goes back to (sample,); samples of one are no independent evidence."""
        return np.arange(len(self.samples)) if self.ancestors is None else self.ancestors

    @property
    def likelihood_power(self) -> float:
        """The power that the likelihood had at the end of sampling: 1 of a posterior, less of a tempered one."""
        powers = self.trace.get("power")
        return 1.0 if powers is None or not powers.size else float(np.nanmax(powers[:, -1]))

    @property
    def equal_samples(self) -> np.ndarray:
        """As many samples that weigh the same, for what knows no weights: resampled systematically, shuffled."""
        if self.log_weights is None:
            return self.samples
        generator = np.random.default_rng(derive_seed(0, "equal samples", self.video))
        taken = resample_systematically(self.log_weights, generator.random())
        return self.samples[generator.permutation(taken)]


def write_reconstructions(path: Path, reconstructions: list[Reconstruction], attributes: Mapping[str, object]) -> None:
    """Write the reconstructions that one job made, whole or not at all."""
    with whole_file(path) as part, create_hdf5(part) as file:
        for reconstruction in reconstructions:
            group = file.create_group(reconstruction.video)
            samples = group.create_dataset("samples", data=reconstruction.samples.astype(np.float32))
            samples.attrs["axes"] = "sample, time, channel, y, x"
            for name, array in reconstruction.trace.items():
                group.create_dataset(f"trace/{name}", data=array).attrs["axes"] = "sample, annealing level"
            for name in OF_WEIGHTED:
                values = getattr(reconstruction, name)
                if values is not None:
                    group.create_dataset(name, data=values).attrs["axes"] = "sample"
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
                weighted = {name: group[name][()] for name in OF_WEIGHTED if name in group}
                parts.setdefault(video, []).append(Reconstruction(video, samples, trace, **weighted))
    return {video: _joined(video, group) for video, group in sorted(parts.items())}


def videos_in(paths: Sequence[Path]) -> list[str]:
    """Return the names of the videos that have reconstructions in `paths`, in their order."""
    names: set[str] = set()
    for path in paths:
        with open_hdf5(path) as file:
            names |= set(file)
    return sorted(names)


def samples_of_video(paths: list[Path], video: str) -> Reconstruction:
    """Return the samples of `video` in `paths` with their weights; raises `InputError` where it has none."""
    reconstructions = read_reconstructions(paths)
    if video not in reconstructions:
        raise InputError(f"{video} is not among the reconstructed {list(reconstructions)}; sample it")
    return reconstructions[video]


def _joined(video: str, parts: list[Reconstruction]) -> Reconstruction:
    """Return the samples of `parts` as one; raises `InputError` where only some of them have weights."""
    log_weights = [part.log_weights for part in parts if part.log_weights is not None]
    ancestors = [part.ancestors for part in parts if part.ancestors is not None]
    if len(log_weights) not in (0, len(parts)):
        raise InputError(f"{video}: some of its files have samples with weights, others have none; sample it again")
    return Reconstruction(
        video,
        np.concatenate([part.samples for part in parts]),
        {name: join_traces([part.trace[name] for part in parts]) for name in parts[0].trace},
        np.concatenate(log_weights) if log_weights else None,
        np.concatenate(ancestors) if ancestors else None,
    )


def join_traces(traces: Sequence[np.ndarray]) -> np.ndarray:
    """Return `traces` (sample, level) as one; those of fewer levels than others end in nan."""
    n_levels = max(trace.shape[1] for trace in traces)
    if all(trace.shape[1] == n_levels for trace in traces):
        return np.concatenate(traces)
    widths = [((0, 0), (0, n_levels - trace.shape[1])) for trace in traces]
    return np.concatenate(
        [
            np.pad(trace.astype(float), width, constant_values=np.nan)
            for trace, width in zip(traces, widths, strict=True)
        ]
    )
