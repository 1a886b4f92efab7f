"""What every format of raw k-space is read into: one slice over time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from step.errors import InputError
from step.io.geometry import Geometry

MAX_SLICE_BYTES = 16 * 2**30
"""All frames and coils of one slice; this much is no cardiac cine."""

NOISE_FLOOR = 2
"""Noise samples for each coil, at least: with fewer the covariance cannot be inverted."""


@dataclass(frozen=True)
class KspaceSlice:
    """One slice, all frames and coils, as a scanner measured it.

    `kspace` has its zero frequency at index ``n // 2`` of ky and kx, ky the whole matrix of phase encoding; it is zero
    where nothing was measured. `noise` are samples of its noise, of the readouts' bandwidth, where the file has them.
    """

    path: Path
    variable: str  # what it is called in the file
    kspace: np.ndarray  # (coil, time, ky, kx), complex64
    mask: np.ndarray  # (time, ky), bool
    noise: np.ndarray | None = None  # (coil, sample), complex64
    geometry: Geometry = field(default_factory=Geometry)  # of the whole matrix's pixels
    frame_times_s: np.ndarray | None = None  # (time,)
    patient: str = ""  # as the file has it
    is_partial: bool = False  # whether samples at one end of each readout were not measured, and are zero
    is_complete: bool = False  # whether a mask may leave out lines that were measured

    def __post_init__(self) -> None:
        check_slice(self)


@dataclass(frozen=True)
class Selection:
    """Which part of a file is asked for: a slice, and a number along each of the axes that no video has."""

    slice: int
    of: Mapping[str, int] = field(default_factory=dict)  # e.g. {"repetition": 0}
    mask: Path | None = None  # file of the sampling mask, where it is a file of its own
    remedy: str = "leave it out"


class KspaceFormat(Protocol):
    """A module that reads one format."""

    def recognises(self, path: Path) -> bool:
        """Return whether `path` is a file of this format, by its content as far as it goes."""
        ...

    def count_slices(self, path: Path, remedy: str) -> int:
        """Return how many slices the file has; raises `InputError` with `remedy` where it cannot be read."""
        ...

    def read(self, path: Path, selection: Selection) -> KspaceSlice:
        """Return what `selection` asks for; raises `InputError` where it is not there or cannot be used."""
        ...


def check_slice(found: KspaceSlice) -> None:
    """Raise `InputError` where the parts of `found` contradict each other or have values that are not finite."""
    path, shape = found.path, found.kspace.shape
    if found.kspace.ndim != 4 or 0 in shape:
        raise InputError(f"{found.variable} has shape {shape}, not (coil, time, ky, kx): {path}; leave it out")
    if found.mask.shape != (shape[1], shape[2]):
        raise InputError(f"the mask has shape {found.mask.shape}, k-space is {shape}: {path}; give the scan's own mask")
    if not np.isfinite(found.kspace).all():
        raise InputError(f"{found.variable} has values that are not finite: {path}; leave it out")
    if found.noise is not None:
        if found.noise.ndim != 2 or found.noise.shape[0] != shape[0]:
            raise InputError(f"noise has shape {found.noise.shape}, k-space {shape[0]} coils: {path}; leave it out")
        if found.noise.shape[1] < NOISE_FLOOR * shape[0]:
            raise InputError(
                f"{found.noise.shape[1]} samples of noise for {shape[0]} coils are too few for a covariance: {path}; "
                "leave the noise out of the file"
            )
        if not np.isfinite(found.noise).all():
            raise InputError(f"the noise has values that are not finite: {path}; leave it out of the file")
    times = found.frame_times_s
    if times is not None and (
        times.shape != (shape[1],) or not np.isfinite(times).all() or (np.diff(times) <= 0).any()
    ):
        raise InputError(f"frame times are not {shape[1]} rising numbers: {path}; correct them or leave them out")
    if fault := found.geometry.fault():
        raise InputError(f"the geometry of {path} is none: {fault}; correct it or leave it out")


def check_number(name: str, number: int, count: int, path: Path) -> None:
    """Raise `InputError` where there is no `number` among the `count` of an axis, which is called `name`."""
    if not 0 <= number < count:
        raise InputError(f"there are {name}s 0 to {count - 1}, {number} is asked for: {path}; give one of these")


def measured_lines(kspace: np.ndarray) -> np.ndarray:
    """Return which lines (time, ky) of `kspace` (coil, time, ky, kx) hold anything but zeros."""
    return np.asarray(kspace.any(axis=(0, 3)))
