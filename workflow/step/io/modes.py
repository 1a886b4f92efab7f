"""The modes among the posterior samples of one measurement, one HDF5 file, with units as attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, SupportsFloat

import numpy as np

from step.errors import InputError
from step.io.atomic import whole_file
from step.io.hdf5 import create_hdf5, open_hdf5, read_dataset

if TYPE_CHECKING:
    import h5py

AXES = {
    "labels": "sample",
    "representatives": "mode",
    "shares": "mode",
    "share_low": "mode",
    "share_high": "mode",
    "misfits": "sample",
    "reduced": "sample, component",
    "scores": "candidate: 1, 2, ... modes",
    "stability": "candidate: 1, 2, ... modes",
}
"""The arrays that every file of modes has, and their axes."""


@dataclass(frozen=True)
class Modes:
    """The modes among the posterior samples of one measurement; mode 0 is the largest."""

    labels: np.ndarray  # (sample,) int: the mode of each sample
    representatives: np.ndarray  # (mode,) int: the sample nearest to the centre of its mode
    shares: np.ndarray  # (mode,) share of the samples
    share_low: np.ndarray  # (mode,) bootstrap interval of the share
    share_high: np.ndarray
    misfits: np.ndarray  # (sample,) data misfit as the paper reports it
    chi_squares: Mapping[str, np.ndarray]  # (sample,) by kind of data
    features: Mapping[str, np.ndarray]  # (sample,) physical descriptors by name
    units: Mapping[str, str]  # of each feature; "" where it has none
    truth_features: Mapping[str, float] | None  # None where no truth is known
    reduced: np.ndarray  # (sample, component) what was clustered
    truth_reduced: np.ndarray | None  # (component,)
    scores: np.ndarray  # (candidate,) the criterion for 1, 2, ... modes
    stability: np.ndarray  # (candidate,) agreement of the clustering over bootstrap resamples; 1 mode: 1
    attributes: Mapping[str, str | float]  # video, task, method if known, criterion in words


def write_modes(path: Path, modes: Modes) -> None:
    """Write `modes` to `path`, whole or not at all."""
    with whole_file(path) as part, create_hdf5(part) as file:
        for name, axes in AXES.items():
            file.create_dataset(name, data=getattr(modes, name)).attrs["axes"] = axes
        for kind, values in modes.chi_squares.items():
            file.create_dataset(f"chi_squares/{kind}", data=values).attrs["axes"] = "sample"
        for name, values in modes.features.items():
            feature = file.create_dataset(f"features/{name}", data=values)
            feature.attrs.update({"axes": "sample", "units": modes.units[name]})
            if modes.truth_features is not None:
                feature.attrs["truth"] = modes.truth_features[name]
        if modes.truth_reduced is not None:
            file.create_dataset("truth_reduced", data=modes.truth_reduced).attrs["axes"] = "component"
        file.attrs.update(modes.attributes)


def read_modes(path: Path) -> Modes:
    """Return the modes in `path`; raises `InputError` where it is missing, is damaged, or holds something else."""
    with open_hdf5(path) as file:
        if "labels" not in file:
            raise InputError(f"{path} holds {sorted(file) or 'nothing'}, not modes; run the modes stage")
        modes = _read(file)
    n_samples, n_modes = len(modes.labels), len(modes.shares)
    by_sample = {"misfits": modes.misfits, "reduced": modes.reduced, **modes.chi_squares, **modes.features}
    for name, values in by_sample.items():
        if len(values) != n_samples:
            raise InputError(f"{path}: {name} is of {len(values)} samples, there are {n_samples}; run the modes stage")
    if not np.array_equal(np.unique(modes.labels), np.arange(n_modes)) or len(modes.representatives) != n_modes:
        raise InputError(f"{path}: its samples are not those of {n_modes} modes, 0 on; run the modes stage again")
    return modes


def _read(file: h5py.File) -> Modes:
    features = {name: read_dataset(file, f"features/{name}") for name in file.get("features", {})}
    chi_squares = {kind: read_dataset(file, f"chi_squares/{kind}")[()] for kind in file.get("chi_squares", {})}
    truth_features = {
        name: float(feature.attrs["truth"]) for name, feature in features.items() if "truth" in feature.attrs
    }
    return Modes(
        **{name: read_dataset(file, name)[()] for name in AXES},
        chi_squares=chi_squares,
        features={name: feature[()] for name, feature in features.items()},
        units={name: str(feature.attrs["units"]) for name, feature in features.items()},
        truth_features=truth_features or None,
        truth_reduced=read_dataset(file, "truth_reduced")[()] if "truth_reduced" in file else None,
        attributes={name: _plain(value) for name, value in file.attrs.items()},
    )


def _plain(value: str | SupportsFloat) -> str | float:
    return value if isinstance(value, str) else float(value)
