"""The smooth random phase given to images that were stored as magnitudes."""

import numpy as np

from step.domains.mri.data import SyntheticPhase
from step.seeds import derive_seed


class SeededPhase(SyntheticPhase):
    """The phase's statistics and the study's seed."""

    seed: int


def sample_phase(settings: SeededPhase, source: str, shape: tuple[int, int]) -> np.ndarray:
    """Return the phase (y, x) in rad of the sequence `source`: zero mean, standard deviation `amplitude_rad`.

    It is a random Fourier series with at most `orders` periods across the frame along each axis, whose
    amplitudes fall off with frequency as those of the smooth fields of a magnet do.
    """
    generator = np.random.default_rng(derive_seed(settings.seed, "phase", source))
    orders = np.arange(settings.orders + 1)
    decay = 1 / (1 + orders[:, None] ** 2 + orders[None, :] ** 2)
    amplitudes = decay * generator.standard_normal((2, 2, *decay.shape))
    along_y, along_x = (_waves(n, orders) for n in shape)
    phase = np.einsum("abkl,aky,blx->yx", amplitudes, along_y, along_x)
    phase -= phase.mean()
    return settings.amplitude_rad * phase / phase.std()


def _waves(n: int, orders: np.ndarray) -> np.ndarray:
    """Return cosines and sines (2, order, position) with `orders` periods over `n` pixels."""
    angles = 2 * np.pi * orders[:, None] * np.arange(n) / n
    return np.stack([np.cos(angles), np.sin(angles)])
