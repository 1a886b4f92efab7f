"""The modes of a cloud of posterior samples: how many there are, and which sample is of which.

Mixtures of 1, 2, ... Gaussians are fitted to the principal components of what describes the samples. The Bayesian
information criterion (BIC) alone would find several modes in a single one that is not Gaussian. So several are only
admitted if any two of them have a gap between them that a cloud without gaps would not have, if bootstrap resamples
are clustered alike, and if no mode is made of a few outliers.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta, norm
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from step.config.modes import Clustering
from step.errors import InputError
from step.particles import error_of_mean, lineage_size
from step.posterior.descriptors.description import Description, Vectors
from step.posterior.gaps import gap_p
from step.progress import track
from step.seeds import derive_seed

SMALLEST_SPREAD = 1e-9
"""Coordinates that vary by less, relative to their size, are the same for all samples."""


@dataclass(frozen=True)
class Clusters:
    """The modes of a cloud of samples; mode 0 is the largest."""

    labels: np.ndarray  # (sample,) int
    representatives: np.ndarray  # (mode,) int: the sample nearest to the centre of its mode
    shares: np.ndarray  # (mode,)
    share_errors: np.ndarray  # (mode,) Monte Carlo standard errors
    share_low: np.ndarray  # (mode,) interval: bootstrap, or by the error where samples have weights
    share_high: np.ndarray
    scores: np.ndarray  # (candidate,) BIC of 1, 2, ... modes
    stability: np.ndarray  # (candidate,) mean adjusted Rand index over resamples; 1 of one mode
    truth: int | None  # the mode that the truth would be of


def reduce(description: Description, settings: Clustering) -> Vectors:
    """Return (sample, component): the principal components of what `description` says, and the truth's.

    The features are standardised, angles as cosine and sine. They and each of the vectors are then one group, whose
    first principal component is given the variance 1, so that none outweighs the others by the number of its
    coordinates (multiple factor analysis, Escofier and Pagès 1994). Raises `InputError` for fewer than 2 samples.
    """
    coordinates = [feature.coordinates() for feature in description.features.values()]
    groups = [_standardise(_join(coordinates))] if coordinates else []
    groups += [_centre(vectors) for vectors in description.vectors.values()]
    n_samples = len(groups[0].samples)
    if n_samples < 2:
        raise InputError(f"there is {n_samples} posterior sample; modes are of several, take more with `samples`")
    weighed = [_weigh(group) for group in groups if group.samples.size and group.samples.any()]
    if not weighed:
        return Vectors(np.zeros((n_samples, 1)), None if groups[0].truth is None else np.zeros(1))
    joined = _join(weighed)
    _, lengths, axes = np.linalg.svd(joined.samples, full_matrices=False)
    explained = np.cumsum(lengths**2) / (lengths**2).sum()
    wanted = int(np.searchsorted(explained, settings.explained_variance)) + 1
    n_kept = max(1, min(wanted, settings.max_components, n_samples // settings.samples_per_component))
    axes = axes[:n_kept].T
    return Vectors(joined.samples @ axes, None if joined.truth is None else joined.truth @ axes)


@dataclass(frozen=True)
class Weighting:
    """What samples of different weights count for, and which of them are of one origin."""

    weights: np.ndarray  # (sample,), their sum is 1
    lineages: np.ndarray  # (sample,) int: which start each goes back to

    @property
    def evidence_size(self) -> float:
        """How many independent samples that weigh the same are worth as much: those of one lineage are one."""
        return lineage_size(self.weights, self.lineages)


def find_modes(reduced: Vectors, settings: Clustering, seed: int, weighting: Weighting | None = None) -> Clusters:
    """Return the modes of the samples `reduced` (sample, component), and the truth's.

    With a `weighting` the modes are where samples are, whatever they weigh, and the shares are sums of weights, in an
    interval by the Monte Carlo error of the run (`step.particles.error_of_mean`).
    """
    points = reduced.samples
    n_candidates = max(1, min(settings.max_modes, len(points) // settings.fewest_samples))
    numbers = track(range(1, n_candidates + 1), "mixtures", "mixture")
    candidates = [_fit(points, n, settings, derive_seed(seed, n)) for n in numbers]
    scores = np.array([mixture.bic(points) for mixture in candidates])
    stability = np.array(
        [
            _stability(points, mixture, settings, derive_seed(seed, "resamples"))
            for mixture in track(candidates, "stability of mixtures", "mixture")
        ]
    )
    evident = (scores < scores[0] - settings.evidence) & (stability >= settings.least_stability)
    chosen = candidates[0]
    for number in np.argsort(scores):
        if evident[number] and _are_apart(points, candidates[number], settings, derive_seed(seed, "gaps")):
            chosen = candidates[number]
            break
    return _describe(reduced, chosen, scores, stability, settings, derive_seed(seed, "shares"), weighting)


def smallest_share(n_samples: float, settings: Clustering) -> float:
    """Return the share of a mode which `n_samples` would nearly always have held: with the probability `interval`.

    A mode is seen where it has `fewest_samples` or more, and gaps around it. Nearly always is how often a binomial
    number of samples is as large (the bound of Clopper and Pearson). It is 1 where there are too few for any.
    """
    fewest = settings.fewest_samples
    return float(beta.ppf(settings.interval, fewest, n_samples - fewest + 1)) if n_samples >= fewest else 1.0


def in_words(clusters: Clusters, settings: Clustering) -> str:
    """Return how many modes there are, and by which criterion, as one sentence."""
    n_samples, n_modes = len(clusters.labels), len(clusters.shares)
    found = "one mode" if n_modes == 1 else f"{n_modes} modes"
    tried = f"mixtures of 1 to {len(clusters.scores)} Gaussians"
    return (
        f"{found} among {n_samples} samples, by the lowest BIC of {tried}; several modes must be below one by "
        f"{settings.evidence:g}, have gaps at the level {settings.gap_level:g}, be found in resamples with an adjusted "
        f"Rand index of {settings.least_stability:g}, and have {settings.fewest_samples} samples each"
    )


def _describe(
    reduced: Vectors,
    mixture: GaussianMixture,
    scores: np.ndarray,
    stability: np.ndarray,
    settings: Clustering,
    seed: int,
    weighting: Weighting | None,
) -> Clusters:
    labels = mixture.predict(reduced.samples)
    weights: np.ndarray = np.ones(len(labels)) if weighting is None else weighting.weights
    counts: np.ndarray = np.bincount(labels, weights, len(mixture.weights_))
    order = np.argsort(-counts, kind="stable")
    rank = np.argsort(order)
    if weighting is None:
        shares = counts[order] / len(labels)
        errors = np.sqrt(shares * (1 - shares) / len(labels))
        resampled = np.random.default_rng(seed).multinomial(len(labels), shares, settings.share_resamples) / len(labels)
        low, high = np.quantile(resampled, [(1 - settings.interval) / 2, (1 + settings.interval) / 2], axis=0)
    else:
        shares = counts[order]
        members = [(labels == mode).astype(float) for mode in order]
        errors = np.array([error_of_mean(one, weighting.weights, weighting.lineages) for one in members])
        reach = norm.ppf((1 + settings.interval) / 2) * errors
        low, high = (shares - reach).clip(min=0), (shares + reach).clip(max=1)
    truth = None if reduced.truth is None else int(rank[mixture.predict(reduced.truth[None])[0]])
    middles = _middles(reduced.samples, mixture)[order]
    return Clusters(rank[labels], middles, shares, errors, low, high, scores, stability, truth)


def _fit(points: np.ndarray, n_modes: int, settings: Clustering, seed: int) -> GaussianMixture:
    """Return the mixture with the lower BIC of two: of Gaussians that share one covariance, or have one each."""
    shapes = ("tied", "full")[:n_modes]  # of one Gaussian they are the same
    mixtures = [_fit_shape(points, n_modes, shape, settings, seed) for shape in shapes]
    return min(mixtures, key=lambda mixture: mixture.bic(points))


def _fit_shape(points: np.ndarray, n_modes: int, shape: str, settings: Clustering, seed: int) -> GaussianMixture:
    """Return the likeliest mixture of Gaussians of a covariance `shape`, of several starts."""
    mixture = GaussianMixture(
        n_modes,
        covariance_type=shape,
        n_init=settings.starts,
        reg_covar=_floor(points, settings),
        random_state=seed % 2**32,
    )
    with warnings.catch_warnings():
        # More modes than there are do not settle; the criterion refuses them whether they have or not.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mixture.fit(points)


def _floor(points: np.ndarray, settings: Clustering) -> float:
    """Return the variance that is added, above 0 even where all samples are the same."""
    return max(settings.regularisation * points.var(axis=0).mean(), np.finfo(float).tiny ** 0.5)


def _stability(points: np.ndarray, mixture: GaussianMixture, settings: Clustering, seed: int) -> float:
    """Return how alike the samples are clustered by the mixtures of bootstrap resamples."""
    n_modes = len(mixture.weights_)
    if n_modes == 1:
        return 1.0
    labels, generator = mixture.predict(points), np.random.default_rng(seed)
    agreements = []
    for _ in track(range(settings.stability_resamples), "resamples", "resample"):
        resampled = points[generator.integers(len(points), size=len(points))]
        # Afresh, not from `mixture` on: from there a cloud cut in two anywhere would be cut there again.
        other = _fit_shape(resampled, n_modes, mixture.covariance_type, settings, int(generator.integers(2**32)))
        agreements.append(adjusted_rand_score(labels, other.predict(points)))
    return float(np.mean(agreements))


def _are_apart(points: np.ndarray, mixture: GaussianMixture, settings: Clustering, seed: int) -> bool:
    """Return whether each mode has samples enough, and a gap to each other one."""
    n_modes, labels = len(mixture.weights_), mixture.predict(points)
    if np.bincount(labels, minlength=n_modes).min() < settings.fewest_samples:
        return False
    return all(
        gap_p(points[np.isin(labels, [one, other])], mixture.means_[[one, other]], settings, seed) <= settings.gap_level
        for one in range(n_modes)
        for other in range(one)
    )


def _middles(points: np.ndarray, mixture: GaussianMixture) -> np.ndarray:
    """Return (mode,) which sample of each mode is nearest to its centre, as its own Gaussian measures distance."""
    labels = mixture.predict(points)
    middles = []
    for mode, mean in enumerate(mixture.means_):
        members, shared = np.flatnonzero(labels == mode), mixture.covariance_type == "tied"
        precision = mixture.precisions_ if shared else mixture.precisions_[mode]
        away = points[members] - mean
        middles.append(members[np.einsum("nc,cd,nd->n", away, precision, away).argmin()] if len(members) else -1)
    return np.array(middles)


def _join(vectors: list[Vectors]) -> Vectors:
    """Return the coordinates of all `vectors` side by side."""
    samples = np.concatenate([each.samples for each in vectors], axis=1)
    truths = [each.truth for each in vectors if each.truth is not None]
    return Vectors(samples, np.concatenate(truths) if truths else None)


def _centre(vectors: Vectors) -> Vectors:
    mean = vectors.samples.mean(axis=0)
    samples = vectors.samples - mean
    samples[:, samples.std(axis=0) <= SMALLEST_SPREAD * np.abs(vectors.samples).max(initial=0)] = 0
    return Vectors(samples, None if vectors.truth is None else vectors.truth - mean)


def _standardise(vectors: Vectors) -> Vectors:
    """Return `vectors` with the mean 0 and the variance 1 of each coordinate; those that never vary are 0."""
    mean, spread = vectors.samples.mean(axis=0), vectors.samples.std(axis=0)
    varies = spread > SMALLEST_SPREAD * np.abs(vectors.samples).max(axis=0)
    scale = np.where(varies, 1 / np.where(varies, spread, 1), 0)
    return Vectors((vectors.samples - mean) * scale, None if vectors.truth is None else (vectors.truth - mean) * scale)


def _weigh(vectors: Vectors) -> Vectors:
    """Return `vectors`, centred, scaled so that their first principal component has the variance 1."""
    first = np.linalg.norm(vectors.samples, 2) / np.sqrt(len(vectors.samples))
    return Vectors(vectors.samples / first, None if vectors.truth is None else vectors.truth / first)
