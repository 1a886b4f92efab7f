"""Whether there is a gap between two clusters of points, or one cloud has been cut in two."""

import numpy as np
from scipy.sparse.csgraph import dijkstra, minimum_spanning_tree
from scipy.spatial.distance import cdist

from step.config.modes import Clustering
from step.progress import track

SMALLEST_STEP = 1e-300
"""Length of a step between points in the same place; in a sparse graph 0 is no step at all."""

N_GRID = 256
"""Places at which a density is computed."""

BANDWIDTH_PRECISION = 1e-3


def gap_p(points: np.ndarray, centres: np.ndarray, settings: Clustering, seed: int) -> float:
    """Return the p of one cloud without gaps for the gap between two clusters of `points` (point, coordinate).

    `points` are those of both clusters, whose `centres` are (2, coordinate). From a centre the distances to all points,
    stepping from point to near point, have one mode where there is no gap, however the cloud is shaped or bent, and two
    where there is one. p is that of `one_mode_p`, the larger one of both centres: seen from either there is a gap.
    """
    along = distances_along(points, centres, settings.neighbours)
    return max(one_mode_p(distances, settings.gap_resamples, seed) for distances in along)


def distances_along(points: np.ndarray, starts: np.ndarray, n_neighbours: int) -> np.ndarray:
    """Return (start, point): the lengths of the shortest ways over `points` from `starts` (start, coordinate).

    A step leads to one of the `n_neighbours` nearest points, or along the shortest tree that connects all points.
    """
    n_near = min(n_neighbours, len(points) - 1)
    lengths = cdist(points, points)
    lengths[lengths == 0] = SMALLEST_STEP
    np.fill_diagonal(lengths, np.inf)
    near = np.argsort(lengths, axis=1, kind="stable")[:, :n_near]
    steps = np.zeros_like(lengths)
    np.put_along_axis(steps, near, np.take_along_axis(lengths, near, axis=1), axis=1)
    np.fill_diagonal(lengths, 0)
    along = dijkstra(np.maximum(steps, minimum_spanning_tree(lengths).toarray()), directed=False)
    first_step = cdist(starts, points)
    farthest = np.sort(first_step, axis=1)[:, [n_near - 1]]
    first_step[first_step > farthest] = np.inf
    return (first_step[:, :, None] + along).min(axis=1)


def one_mode_p(values: np.ndarray, n_resamples: int, seed: int) -> float:
    """Return the p of Silverman's test (1981) that the distribution of `values` (value,) has one mode.

    p is the share of smoothed bootstrap resamples, from the density of one mode that is nearest to the values, that at
    its bandwidth have several modes.
    """
    if not values.std() > 0:
        return 1.0
    generator, bandwidth = np.random.default_rng(seed), critical_bandwidth(values)
    shrink = 1 / np.sqrt(1 + (bandwidth / values.std()) ** 2)  # the noise must not make the resamples wider
    resampled = generator.choice(values, (n_resamples, len(values)))
    resampled = values.mean() + shrink * (
        resampled - values.mean() + bandwidth * generator.standard_normal(resampled.shape)
    )
    n_several = sum(count_modes(one, bandwidth) > 1 for one in track(resampled, "gaps between modes", "resample"))
    return (1 + n_several) / (1 + n_resamples)


def critical_bandwidth(values: np.ndarray) -> float:
    """Return the smallest standard deviation of a Gaussian kernel at which the density of `values` has one mode."""
    low, high = 0.0, float(np.ptp(values))
    while high - low > BANDWIDTH_PRECISION * high:
        middle = (low + high) / 2
        low, high = (middle, high) if count_modes(values, middle) > 1 else (low, middle)
    return high


def count_modes(values: np.ndarray, bandwidth: float) -> int:
    """Return how many maxima the density of `values` (value,) has, smoothed by a Gaussian kernel."""
    grid = np.linspace(values.min() - bandwidth, values.max() + bandwidth, N_GRID)
    density = np.exp(-(((grid[:, None] - values) / bandwidth) ** 2) / 2).sum(axis=1)
    rising = np.diff(density) > 0
    return int((rising[:-1] & ~rising[1:]).sum())
