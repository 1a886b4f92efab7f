"""What weighted samples say: their effective number, shares with errors, and equally weighted ones in their place."""

import numpy as np


def normalise(log_weights: np.ndarray) -> np.ndarray:
    """Return the weights (sample,), whose sum is 1, of their logarithms up to a constant."""
    weights = np.exp(log_weights - log_weights.max())
    return weights / weights.sum()


def effective_size(log_weights: np.ndarray) -> float:
    """Return the effective sample size ``(sum w)^2 / sum w^2`` (Kong 1992): all of them where all weigh the same."""
    return float(1 / np.square(normalise(log_weights)).sum())


def lineage_size(weights: np.ndarray, lineages: np.ndarray | None) -> float:
    """Return how many independent samples of one weight say as much as these, of which those of one lineage are one.

    `weights` (sample,) have the sum 1, `lineages` (sample,) int say which start each goes back to;
    None: each to its own.
    """
    if lineages is None:
        return float(1 / np.square(weights).sum())
    _, lineage = np.unique(lineages, return_inverse=True)
    return float(1 / np.square(np.bincount(lineage, weights)).sum())


def resample_systematically(log_weights: np.ndarray, start: float) -> np.ndarray:
    """Return (sample,) int: which sample is put in each one's place, ascending; `start` is uniform on [0, 1).

    Sample i of N is taken ``N w_i`` times on average, rounded up or down (Kitagawa 1996).
    """
    n_samples = len(log_weights)
    cumulative = np.cumsum(normalise(log_weights))
    places = (np.arange(n_samples) + start) / n_samples
    # Of the sum itself, which rounding leaves next to 1.
    return np.searchsorted(cumulative / cumulative[-1], places, side="right").clip(max=n_samples - 1)


def mean_of(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the mean over samples of `values` (sample, ...), weighted with `weights` (sample,), whose sum is 1."""
    return np.tensordot(weights, values, 1).astype(values.dtype)


def deviation_of(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the standard deviation over samples of `values` (sample, ...), weighted; 0 for one sample."""
    squares = np.square(values - mean_of(values, weights), dtype=np.float64)
    return np.sqrt(np.tensordot(weights, squares, 1)).astype(values.dtype)


def error_of_mean(values: np.ndarray, weights: np.ndarray, ancestors: np.ndarray) -> float:
    """Return the Monte Carlo standard error of the weighted mean of `values` (sample,), from the one run that made it.

    Samples of one ancestor are one piece of evidence: ``sum_a (sum_{i of a} w_i (f_i - mean))^2``, a over ancestors
    (Lee and Whiteley 2018, up to a factor that tends to 1). Where each sample is its own ancestor and all weigh the
    same it is the usual ``std / sqrt(N)``.
    """
    parts = weights * (values - weights @ values)
    return float(np.sqrt(np.square(np.bincount(np.unique(ancestors, return_inverse=True)[1], parts)).sum()))
