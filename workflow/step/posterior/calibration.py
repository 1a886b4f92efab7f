"""Whether posterior samples are calibrated: what one video says, with its truth and with each sample in its place.

All is measured in displayed brightness, 0 to 1. A video's `members` (member, time, y, x) are its truth, member 0, and
its L samples. What depends on where a member is bright, or on what it is compared with, depends on all members alike:
else the truth would be told apart from samples of the exact posterior.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from step.config.calibration import Judgement
from step.errors import InputError

PIXEL, REFERENCE_DISTANCE = "pixel", "reference_distance"


@dataclass(frozen=True)
class VideoCalibration:
    """What one video says with each member in the truth's place: arrays begin with (member,).

    The *others* are the L members that are not in the truth's place. Their squared spread is their unbiased variance
    times ``(L + 1) / L``, by which the mean of L samples errs more than that of many.
    """

    ranks: Mapping[str, np.ndarray]  # (member, rank): share of a quantity's places with 0 to L others below
    errors: np.ndarray  # (member,) mean squared error of the others' mean, over bright pixels
    spreads: np.ndarray  # (member,) mean squared spread of the others
    binned_errors: np.ndarray  # (member, bin) the same, in bins of equally many pixels by their spread
    binned_spreads: np.ndarray  # (member, bin)
    crps: np.ndarray  # (member,) mean continuous ranked probability score of the others
    correlations: np.ndarray  # (member,) of the others' standard deviation with the error of their mean
    bright_share: float  # of the video's pixels


def judge_video(
    members: np.ndarray, misfits: np.ndarray, reference_means: np.ndarray, judgement: Judgement, seed: int
) -> VideoCalibration:
    """Return what `members` (member, time, y, x) say; `misfits` (member,) are how far each is from the data.

    `reference_means` (video, time, y, x) are the means over members of other videos, between which the reference
    points of TARP lie; without one the test is left out. The spread, and the error that the spread is held against,
    are those of bright pixels. Raises `InputError` where a video is dark, not finite, or all samples are the same.
    """
    if not np.isfinite(members).all():
        raise InputError("truth or samples are not finite; sample again")
    bright = bright_pixels(members, judgement.bright_fraction)
    values = members[:, bright]
    squared_errors, variances = compare_with_others(values)
    if not variances.mean(axis=1).all():
        raise InputError("all samples are the same, so they have no spread; sample them with different seeds")
    generator = np.random.default_rng(seed)
    quantities = {PIXEL: values, **scalar_quantities(members), "data_misfit": misfits[:, None]}
    if len(reference_means):
        n_points = judgement.reference_points
        quantities[REFERENCE_DISTANCE] = reference_distances(members, reference_means, n_points, generator)
    binned_spreads, binned_errors = bin_by_spread(variances, squared_errors, judgement.spread_bins)
    return VideoCalibration(
        ranks={name: rank_shares(places, generator) for name, places in quantities.items()},
        errors=squared_errors.mean(axis=1),
        spreads=variances.mean(axis=1),
        binned_errors=binned_errors,
        binned_spreads=binned_spreads,
        crps=fair_crps(values),
        correlations=correlations(np.sqrt(variances), np.sqrt(squared_errors)),
        bright_share=float(bright.mean()),
    )


def bright_pixels(members: np.ndarray, fraction: float) -> np.ndarray:
    """Return where (time, y, x) the mean over `members` exceeds `fraction` of its largest value in the video.

    Where all are dark there is nothing to say, and intervals of width zero would count as right. A rule by the truth
    alone would pick pixels where the truth is high among the members, and an exact posterior would look biased.
    """
    average = members.mean(axis=0)
    if not average.max() > 0:
        raise InputError("truth and samples are dark everywhere; leave the video out")
    return average > fraction * average.max()


def scalar_quantities(members: np.ndarray) -> dict[str, np.ndarray]:
    """Return by name the quantities (member, place) of `members` (member, time, y, x) whose ranks are tested.

    The mean brightness of each frame; and of the whole video its brightness, its contrast (standard deviation over
    pixels and time) and its motion (mean absolute difference of successive frames).
    """
    frames = members.mean(axis=(2, 3), dtype=np.float64)
    return {
        "frame_brightness": frames,
        "brightness": frames.mean(axis=1, keepdims=True),
        "contrast": members.std(axis=(1, 2, 3), dtype=np.float64)[:, None],
        "motion": np.abs(np.diff(members, axis=1)).mean(axis=(1, 2, 3), dtype=np.float64)[:, None],
    }


def reference_distances(
    members: np.ndarray, reference_means: np.ndarray, n_points: int, generator: np.random.Generator
) -> np.ndarray:
    """Return squared distances (member, point) of `members` from random points, less what all members share.

    A point lies anywhere between two of `reference_means` (video, time, y, x), picked at random (TARP, Lemos et al.
    2023, with references that do not depend on the video itself). With m the members' mean, a member x is at
    ``|x - m|^2 - 2 (x - m) (r - m) + |r - m|^2`` from the point r; the last term is left out.
    """
    centre = members.mean(axis=0)
    offsets = (members - centre).reshape(len(members), -1)
    along = offsets @ (reference_means - centre).reshape(len(reference_means), -1).T
    first, second = generator.integers(len(reference_means), size=(2, n_points))
    share = generator.random(n_points)
    towards = share * along[:, first] + (1 - share) * along[:, second]
    return np.square(offsets).sum(axis=1, dtype=np.float64)[:, None] - 2 * towards


def rank_shares(values: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return the shares (member, rank) of the places of `values` (member, place) with 0 to L others below a member.

    Equal values are ordered at random, so that a share of ties is spread over ranks as calibration expects.
    """
    order = np.lexsort((generator.random(values.shape, dtype=np.float32), values), axis=0)
    return np.stack([(order == member).mean(axis=1) for member in range(len(values))])


def compare_with_others(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return squared errors of the others' mean and their squared spreads, both as `values` (member, place).

    The spread is the unbiased variance of the L others times ``(L + 1) / L``: what the squared error is on average
    if all members are sampled from one distribution.
    """
    n_others = len(values) - 1
    average = values.mean(axis=0, dtype=np.float64)
    offsets = values - average
    # The mean of the others lies as far on the other side of the average as L times less.
    squared_errors = np.square(offsets * (len(values) / n_others))
    sums = np.square(offsets).sum(axis=0) - np.square(offsets) * (len(values) / n_others)
    return squared_errors, np.maximum(sums, 0) / (n_others - 1) * (len(values) / n_others)


def bin_by_spread(variances: np.ndarray, squared_errors: np.ndarray, n_bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the means (member, bin) of `variances` and `squared_errors` (member, place), by increasing variance."""
    order = np.argsort(variances, axis=1)
    edges = np.linspace(0, order.shape[1], min(n_bins, order.shape[1]) + 1).astype(int)
    ordered = [np.take_along_axis(one, order, axis=1) for one in (variances, squared_errors)]
    spreads, errors = (np.add.reduceat(one, edges[:-1], axis=1) / np.diff(edges) for one in ordered)
    return spreads, errors


def fair_crps(values: np.ndarray) -> np.ndarray:
    """Return (member,): the mean over places of the fair CRPS of the others, in the units of `values` (member, place).

    ``mean |x_i - y| - sum |x_i - x_j| / (2 L (L - 1))``: unbiased, the same on average for any number of samples
    (Ferro 2014).
    """
    n_others = len(values) - 1
    distances = np.zeros((len(values), len(values)))
    for one in range(len(values)):
        for other in range(one):
            distances[one, other] = distances[other, one] = np.abs(values[one] - values[other]).mean(dtype=np.float64)
    to_others = distances.sum(axis=1)
    among_others = distances.sum() - 2 * to_others
    return to_others / n_others - among_others / (2 * n_others * (n_others - 1))


def correlations(spreads: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Return Pearson's correlations (member,) of `spreads` with `errors` (member, place); 0 where one is constant."""
    spreads, errors = (one - one.mean(axis=1, keepdims=True) for one in (spreads, errors))
    norms = np.linalg.norm(spreads, axis=1) * np.linalg.norm(errors, axis=1)
    return np.divide((spreads * errors).sum(axis=1), norms, out=np.zeros(len(norms)), where=norms > 0)
