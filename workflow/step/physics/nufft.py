"""Fourier transforms of images at any points of k-space, by FINUFFT, and their adjoints.

A. H. Barnett, J. Magland and L. af Klinteberg, "A parallel nonuniform fast Fourier transform library based on an
'exponential of semicircle' kernel", SIAM Journal on Scientific Computing 41 (2019) C479-C504. The convention is that of
`step.physics.fourier`: the pixel n // 2 of each axis is the origin. Nothing is normalised here.
"""

import importlib
from types import ModuleType
from typing import Any

import torch

from step.errors import InputError

TOLERANCE = {torch.complex64: 1e-6, torch.complex128: 1e-12}
"""The relative error that is asked of a transform; of single precision about what rounding leaves."""


class PointTransform:
    """``sum_r x_r exp(-2 pi i (k_y r_y / n_y + k_x r_x / n_x))`` at points k of k-space, of several images at once."""

    def __init__(self, points: torch.Tensor, shape: tuple[int, int], n_images: int, kind: torch.dtype):
        """Transform `n_images` images of `shape` (y, x), complex of `kind`, at `points` (sample, 2).

        Points are ky and kx in cycles per field of view, on the device of the images. Raises `InputError` where the
        library is not installed, and for another precision than single or double.
        """
        if kind not in TOLERANCE:
            raise InputError(f"k-space off the grid takes float32 or float64 videos, not parts of {kind}; convert them")
        self.shape = shape
        radians = (2 * torch.pi / torch.tensor(shape, dtype=torch.float64, device=points.device)) * points
        real = torch.empty(0, dtype=kind).real.dtype
        self._places = [radians[:, axis].to(real).contiguous() for axis in (0, 1)]
        self._options = {"n_trans": n_images, "eps": TOLERANCE[kind], "dtype": str(kind).removeprefix("torch.")}
        self._on_gpu = points.is_cuda
        if self._on_gpu:
            library = _library("cufinufft", "mri-gpu")
            self._plans = [self._plan(library, 2, isign=-1), self._plan(library, 1, isign=1)]
        else:
            self._plans = [self._plan(_library("finufft", "mri"), 2, isign=-1, nthreads=torch.get_num_threads())]

    def to_samples(self, images: torch.Tensor) -> torch.Tensor:
        """Return the samples (image, sample) of `images` (image, y, x)."""
        if self._on_gpu:
            samples: torch.Tensor = self._plans[0].execute(images.contiguous())
            return samples
        return torch.from_numpy(self._plans[0].execute(images.resolve_conj().contiguous().numpy()))

    def to_images(self, samples: torch.Tensor) -> torch.Tensor:
        """Return the adjoint (image, y, x) of `samples` (image, sample)."""
        if self._on_gpu:
            images: torch.Tensor = self._plans[1].execute(samples.contiguous())
            return images
        return torch.from_numpy(self._plans[0].execute_adjoint(samples.resolve_conj().contiguous().numpy()))

    def _plan(self, library: ModuleType, kind: int, **options: Any) -> Any:
        plan = library.Plan(kind, self.shape, **self._options, **options)
        if self._on_gpu:
            plan.setpts(*self._places)
        else:
            plan.setpts(*(place.numpy() for place in self._places))
        return plan


def _library(name: str, extra: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise InputError(
            f"k-space off the grid needs {name}, which is not installed; pip install 'step-workflow[{extra}]'"
        ) from None
