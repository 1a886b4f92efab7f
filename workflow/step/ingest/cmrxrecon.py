"""CMRxRecon 2023 files, MATLAB v7.3 k-space, as complex image sequences."""

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import torch

from step.errors import InputError
from step.ingest.cmrxrecon_tree import RawFile
from step.ingest.coils import combine_coils
from step.io.hdf5 import open_hdf5, read_dataset
from step.io.sequences import RawSequence
from step.physics.fourier import ifft2c

AXES = {
    "kspace_single_full": ("time", "slice", "ky", "kx"),
    "kspace_full": ("time", "slice", "coil", "ky", "kx"),
}
"""The variables that hold fully sampled k-space, and their axes as h5py sees them."""

MAX_SLICE_BYTES = 4 * 2**30
"""A slice of all frames and coils is 0.12 GB in the challenge; this much is no cardiac cine."""

MAX_COMPRESSION = 1100
"""Deflate compresses at most 1032 times, so a file that declares more than this holds no data."""

REMEDY = "drop it with data.mri.exclude"


def read_raw_file(raw: RawFile, n_frames: int) -> Iterator[RawSequence]:
    """Yield the slices of `raw` as complex sequences (time, y, x), one in memory at a time.

    The image is the centred inverse FFT over ky and kx with "backward" normalisation, so that values have the
    raw file's units; several coils are combined with their phase. Raises `InputError` where the file is
    damaged, is not laid out as in `AXES`, has fewer than `n_frames` frames, or holds values that are not
    finite.
    """
    with open_hdf5(raw.path) as file:
        dataset = _find_kspace(file)
        _check_layout(dataset, raw.path)
        if dataset.shape[0] < n_frames:
            raise InputError(f"kspace has {dataset.shape[0]} frames, the study needs {n_frames}: {raw.path}; {REMEDY}")
        for number in range(dataset.shape[1]):
            yield RawSequence(
                source=f"{raw.subject}-{raw.view}-{number:02d}",
                subject=raw.subject,
                file=raw.file,
                view=raw.view,
                image=_reconstruct(_read_slice(dataset, number, raw.path)),
            )


def _find_kspace(file: h5py.File) -> h5py.Dataset:
    present = [name for name in AXES if name in set(file)]
    if not present:
        names = " or ".join(AXES)
        raise InputError(f"{file.filename}: no variable {names}; it holds {sorted(file) or 'nothing'}; {REMEDY}")
    return read_dataset(file, present[0])


def _check_layout(dataset: h5py.Dataset, path: Path) -> None:
    name, axes = dataset.name.strip("/"), AXES[dataset.name.strip("/")]
    fields = dataset.dtype.fields or {}
    if set(fields) != {"real", "imag"} or any(kind.kind != "f" for kind, *_ in fields.values()):
        raise InputError(f"{name} has type {dataset.dtype}, k-space has float fields real and imag: {path}; {REMEDY}")
    if dataset.ndim != len(axes):
        raise InputError(f"{name} has shape {dataset.shape}, it should be {axes}: {path}; {REMEDY}")
    if 0 in dataset.shape:
        raise InputError(f"{name} has shape {dataset.shape}, which is empty: {path}; {REMEDY}")
    size = path.stat().st_size
    if dataset.nbytes // dataset.shape[1] > MAX_SLICE_BYTES or dataset.nbytes > MAX_COMPRESSION * size:
        raise InputError(
            f"{name} claims {dataset.nbytes} bytes, {dataset.shape}, in a file of {size}: {path}; {REMEDY}"
        )


def _read_slice(dataset: h5py.Dataset, number: int, path: Path) -> torch.Tensor:
    try:
        stored = dataset[:, number]
    except OSError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"cannot read slice {number} of {path}: {reason}; copy it again or {REMEDY}") from None
    kspace = np.empty(stored.shape, np.complex64)
    kspace.real, kspace.imag = stored["real"], stored["imag"]
    if not np.isfinite(kspace).all():
        raise InputError(f"k-space of slice {number} has values that are not finite: {path}; {REMEDY}")
    return torch.from_numpy(kspace)


def _reconstruct(kspace: torch.Tensor) -> np.ndarray:
    """Return the image (time, y, x) of one slice's k-space (time, [coil,] ky, kx)."""
    images = ifft2c(kspace) / (kspace.shape[-2] * kspace.shape[-1]) ** 0.5
    return (combine_coils(images) if images.ndim == 4 else images).numpy()
