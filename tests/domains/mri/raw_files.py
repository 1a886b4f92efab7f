"""Small raw files with known images, in the layout of CMRxRecon 2023."""

from pathlib import Path

import h5py
import numpy as np

COMPLEX = np.dtype([("real", "<f4"), ("imag", "<f4")])


def to_kspace(image: np.ndarray) -> np.ndarray:
    """Return k-space whose "backward" centred inverse FFT is `image`, with numpy alone."""
    axes = (-2, -1)
    return np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(image, axes), axes=axes), axes).astype(np.complex64)


def random_image(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return 3e-6 * (generator.standard_normal(shape) + 1j * generator.standard_normal(shape))


def write_mat(path: Path, name: str, values: np.ndarray) -> Path:
    """Write `values` as MATLAB would; complex ones as a compound of real and imag."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if np.iscomplexobj(values):
        values = values.astype(np.complex64).view(COMPLEX)
    with h5py.File(path, "w", userblock_size=512) as file:
        file[name] = values
    return path
