"""CMRxRecon files, MATLAB k-space, as complex image sequences."""

from collections.abc import Iterator

import numpy as np
import torch

from step.domains.mri.cmrxrecon_tree import RawFile
from step.domains.mri.coils import combine_coils
from step.errors import InputError
from step.io.matlab_kspace import (
    MULTI_COIL,
    SINGLE_COIL,
    check_kspace,
    find_variable,
    open_matlab,
    read_slice,
    variable_name,
)
from step.io.sequences import RawSequence
from step.physics.fourier import ifft2c

AXES = {"kspace_single_full": (SINGLE_COIL,), "kspace_full": (MULTI_COIL,), "kspace": (MULTI_COIL, SINGLE_COIL)}
"""The variables that hold fully sampled k-space, in 2025 the last one, and the axes that they may have."""

REMEDY = "drop it with data.mri.exclude"


def read_raw_file(raw: RawFile, n_frames: int) -> Iterator[RawSequence]:
    """Yield the slices of `raw` as complex sequences (time, y, x), one in memory at a time.

    The image is the centred inverse FFT over ky and kx with "backward" normalisation, so that values have the
    raw file's units; several coils are combined with their phase. Raises `InputError` where the file is
    damaged, is not laid out as in `AXES`, has fewer than `n_frames` frames, or holds values that are not
    finite.
    """
    with open_matlab(raw.path) as file:
        dataset = find_variable(file, AXES, REMEDY)
        axes = AXES[variable_name(dataset)]
        check_kspace(dataset, next((one for one in axes if len(one) == dataset.ndim), axes[0]), raw.path, REMEDY)
        if dataset.shape[0] < n_frames:
            raise InputError(f"kspace has {dataset.shape[0]} frames, the study needs {n_frames}: {raw.path}; {REMEDY}")
        for number in range(dataset.shape[1]):
            yield RawSequence(
                source=f"{raw.subject}-{raw.view}-{number:02d}",
                subject=raw.subject,
                file=raw.file,
                view=raw.view,
                image=_reconstruct(torch.from_numpy(read_slice(dataset, number, raw.path, REMEDY))),
            )


def _reconstruct(kspace: torch.Tensor) -> np.ndarray:
    """Return the image (time, y, x) of one slice's k-space (time, [coil,] ky, kx)."""
    images = ifft2c(kspace) / (kspace.shape[-2] * kspace.shape[-1]) ** 0.5
    return (combine_coils(images) if images.ndim == 4 else images).numpy()
