"""The Fréchet distance of two sets of videos by their features: FVD, if the features are those of I3D.

Few videos make it too large: with n videos the covariances have rank n - 1, and the distance of two samples
of one distribution falls to zero only as n grows beyond the number of features. So it compares methods that
were given the same videos; it does not compare with values from other numbers of videos. Resampled sets repeat
videos, which adds to the bias: an interval may lie above the value itself.
"""

import numpy as np

from step.errors import InputError
from step.progress import track


def frechet_distance(features: np.ndarray, other: np.ndarray) -> float:
    """Return ``|m - m'|^2 + tr(C + C' - 2 (C C')^(1/2))`` of two arrays (video, feature); sample covariances.

    With A and B the centred features over ``sqrt(n - 1)``, the trace of ``(C C')^(1/2)`` is the sum of the
    singular values of ``A B^T``: exact where there are fewer videos than features too. Raises `InputError` for
    fewer than two videos, other shapes or values that are not finite.
    """
    _check(features, other)
    (mean, centred), (other_mean, other_centred) = _moments(features), _moments(other)
    # Triangular factors have the same singular values, and no more rows than there are features.
    factor, other_factor = _triangular(centred), _triangular(other_centred)
    cross = np.linalg.svd(factor @ other_factor.T, compute_uv=False).sum()
    distance = np.sum((mean - other_mean) ** 2) + np.sum(centred**2) + np.sum(other_centred**2) - 2 * cross
    return max(float(distance), 0.0)  # rounding, where both sets are the same


def bootstrap_interval(
    features: np.ndarray, other: np.ndarray, resamples: int, coverage: float, seed: int
) -> tuple[float, float]:
    """Return the percentile interval of `frechet_distance` over `resamples` resamples of videos with replacement.

    Row by row `features` and `other` (video, feature) are of the same video, and each resample takes the same videos
    of both. `coverage` is the interval's, e.g. 0.95. The same `seed` gives the same interval.
    """
    _check(features, other)
    if len(features) != len(other):
        raise InputError(f"{len(features)} videos are paired with {len(other)}; describe the same videos of both")
    generator = np.random.default_rng(seed)
    rows = generator.integers(len(features), size=(resamples, len(features)))
    resampled = track(rows, "bootstrap of FVD", "resample")
    distances = [frechet_distance(features[chosen], other[chosen]) for chosen in resampled]
    low, high = np.quantile(distances, [(1 - coverage) / 2, (1 + coverage) / 2])
    return float(low), float(high)


def _moments(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    features = features.astype(np.float64)
    mean = features.mean(axis=0)
    return mean, (features - mean) / np.sqrt(len(features) - 1)


def _triangular(matrix: np.ndarray) -> np.ndarray:
    return np.linalg.qr(matrix, mode="r")  # type: ignore[return-value]  # numpy's stubs know one mode


def _check(features: np.ndarray, other: np.ndarray) -> None:
    for one in (features, other):
        if len(one) < 2:
            raise InputError(f"the distance of {len(one)} videos has no covariance; describe at least two")
        if not np.isfinite(one).all():
            raise InputError("features have values that are not finite; look at the videos they describe")
    if features.shape[1:] != other.shape[1:]:
        raise InputError(f"features of {features.shape[1]} and {other.shape[1]} numbers differ; use one network")
