"""From what each video says of its samples to the tables of calibration, and to a verdict."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from step.config.calibration import Judgement
from step.errors import InputError
from step.metrics.significance import holm
from step.posterior.calibration import PIXEL, REFERENCE_DISTANCE, VideoCalibration
from step.posterior.exchange import Finding, Resamples, examine, mean, resample, root_of_ratio, smallest_p

Row = dict[str, Any]

OVER_CONFIDENT = "over-confident"
UNDER_CONFIDENT = "under-confident"
UNEVEN = "not calibrated: uneven ranks"
CONSISTENT = "consistent with calibrated"
UNDECIDED = "too few videos to tell"


def tabulate(videos: Sequence[VideoCalibration], judgement: Judgement, seed: int) -> tuple[list[Row], list[Row]]:
    """Return the tables of calibration and of ranks, one row per number.

    Rows of the first have a `statistic` (with `quantity` and `level` where there are several), its `value` with a
    bootstrap interval over videos, `low` and `high`, and what calibration leads to expect, `expected`, between
    `expected_low` and `expected_high`, both with the coverage `interval`; `p` of the exchange of truths for samples;
    and the numbers of `videos` and of `samples` of each. The first row has the `verdict`; its level is the
    significance. Levels of coverage are those of intervals between order statistics, which a calibrated posterior
    reaches exactly. Each row of the ranks is the share of one `rank`.

    All videos weigh alike. Raises `InputError` without a video, and where they differ in their number of samples.
    """
    n_members = _count_members(videos)
    resamples = resample(len(videos), n_members, judgement.resamples, seed)
    common = {"interval": judgement.interval, "videos": len(videos), "samples": n_members - 1}
    bright_share = np.mean([video.bright_share for video in videos])
    ratio = examine(_stack(videos, "errors", "spreads"), root_of_ratio, resamples, judgement.interval)
    by_quantity = {name: np.stack([video.ranks[name] for video in videos]) for name in videos[0].ranks}
    unevenness = {name: _unevenness(name, shares, resamples, judgement) for name, shares in by_quantity.items()}
    uneven = find_uneven({name: row["p"] for name, row in unevenness.items()}, judgement.significance)
    verdict = reach_verdict(ratio, uneven, len(videos), n_members, judgement)
    rows = [
        _row("error_over_spread", ratio, level=judgement.significance, expected=1.0, verdict=verdict),
        _row("crps", _examine_mean(videos, "crps", resamples, judgement)),
        _row("spread_error_correlation", _examine_mean(videos, "correlations", resamples, judgement)),
        _cells("bright_pixels", level=judgement.bright_fraction, value=bright_share),
    ]
    rows += _coverage(videos, resamples, judgement)
    rows += _spread_against_error(videos, resamples, judgement)
    ranks: list[Row] = []
    for quantity, shares in by_quantity.items():
        rows.append(unevenness[quantity])
        if quantity == REFERENCE_DISTANCE:
            rows += _expected_coverage(shares, resamples, judgement)
        ranks += _rank_rows(quantity, shares, resamples, judgement)
    return [row | common for row in rows], [row | common for row in ranks]


def reach_verdict(ratio: Finding, uneven: Sequence[str], n_videos: int, n_members: int, judgement: Judgement) -> str:
    """Return in words what `ratio`, of rms error to rms spread over bright pixels and all videos, and the ranks say.

    Calibration is given up where the two-sided p of the exchange of truths for samples is at most the significance:
    an exact posterior is called over- or under-confident that often and no more. A bias of the samples is
    over-confidence too: they err farther than they spread. Where the spread is as large as the errors, the ranks of a
    quantity can still be `uneven`, of an exact posterior's too as often as the significance says.
    """
    if smallest_p(n_videos, n_members, judgement.resamples) > judgement.significance:
        return UNDECIDED
    if ratio.p <= judgement.significance:
        return OVER_CONFIDENT if ratio.p_above < ratio.p_below else UNDER_CONFIDENT
    return UNEVEN if uneven else CONSISTENT


def find_uneven(p_values: Mapping[str, float], significance: float) -> list[str]:
    """Return the quantities whose ranks are not uniform, with p corrected for their number (Holm)."""
    return [name for name, p in holm(p_values).items() if p is not None and p <= significance]


def _count_members(videos: Sequence[VideoCalibration]) -> int:
    if not videos:
        raise InputError("there are no videos to judge; give at least one")
    counts = {len(video.crps) for video in videos}
    if len(counts) > 1:
        found = ", ".join(str(count - 1) for count in sorted(counts))
        raise InputError(f"videos have {found} samples; sample equally many of each")
    return counts.pop()


def _coverage(videos: Sequence[VideoCalibration], resamples: Resamples, judgement: Judgement) -> list[Row]:
    """Return how often the truth is between the k-th smallest and the k-th largest sample of its pixel."""
    shares = np.stack([video.ranks[PIXEL] for video in videos])
    n_members = shares.shape[-1]
    rows = []
    for k in range(1, (n_members + 1) // 2):
        finding = examine(shares[..., k : n_members - k].sum(axis=-1), mean, resamples, judgement.interval)
        level = (n_members - 2 * k) / n_members
        rows.append(_row("coverage", finding, level=level, expected=level))
    return rows[::-1]


def _expected_coverage(shares: np.ndarray, resamples: Resamples, judgement: Judgement) -> list[Row]:
    """Return the curve of TARP: how often fewer than k of the samples are nearer to a random point than the truth."""
    finding = examine(shares.cumsum(axis=-1)[..., :-1], mean, resamples, judgement.interval)
    levels = np.arange(1, shares.shape[-1]) / shares.shape[-1]
    return [
        _row("tarp", _at(finding, place), level=float(level), expected=float(level))
        for place, level in enumerate(levels)
    ]


def _spread_against_error(videos: Sequence[VideoCalibration], resamples: Resamples, judgement: Judgement) -> list[Row]:
    """Return the rms error in each bin of pixels; `level` is their rms spread.

    What is expected is not the spread itself: that of few samples is uncertain, and where it is small by chance the
    error is larger.
    """
    together = _stack(videos, "binned_errors", "binned_spreads")
    finding = examine(together, root_of_ratio, resamples, judgement.interval)
    spreads = np.sqrt(together[:, 0, 1].mean(axis=0))
    return [
        _row("error_of_spread", _at(finding, place, scale=spread), level=float(spread))
        for place, spread in enumerate(spreads)
    ]


def _unevenness(quantity: str, shares: np.ndarray, resamples: Resamples, judgement: Judgement) -> Row:
    """Return how far the ranks are from uniform: half the sum of the differences of their shares, 0 to 1."""
    n_ranks = shares.shape[-1]
    finding = examine(
        shares, lambda by_truth: np.abs(mean(by_truth) - 1 / n_ranks).sum(axis=-1) / 2, resamples, judgement.interval
    )
    return _row("rank_unevenness", finding, quantity=quantity) | {"p": float(finding.p_above)}


def _rank_rows(quantity: str, shares: np.ndarray, resamples: Resamples, judgement: Judgement) -> list[Row]:
    finding = examine(shares, mean, resamples, judgement.interval)
    rows = []
    for rank in range(shares.shape[-1]):
        one = _row("", _at(finding, rank), expected=1 / shares.shape[-1])
        intervals = {name: one[name] for name in ("low", "high", "expected", "expected_low", "expected_high")}
        rows.append({"quantity": quantity, "rank": rank, "share": one["value"], **intervals})
    return rows


def _examine_mean(videos: Sequence[VideoCalibration], name: str, resamples: Resamples, judgement: Judgement) -> Finding:
    return examine(_stack(videos, name)[:, :, 0], mean, resamples, judgement.interval)


def _stack(videos: Sequence[VideoCalibration], *names: str) -> np.ndarray:
    """Return (video, member, name, ...)."""
    return np.stack([np.stack([getattr(video, name) for name in names], axis=1) for video in videos])


def _at(finding: Finding, place: int, scale: float = 1.0) -> Finding:
    """Return one of several statistics, its values and intervals times `scale`."""
    scaled = ("value", "low", "high", "expected", "expected_low", "expected_high")
    factors = {name: scale if name in scaled else 1.0 for name in Finding.__dataclass_fields__}
    return Finding(**{name: getattr(finding, name)[place] * factor for name, factor in factors.items()})


def _row(
    statistic: str,
    finding: Finding,
    quantity: str | None = None,
    level: float | None = None,
    expected: float | None = None,
    verdict: str | None = None,
) -> Row:
    """Return a row; what is `expected` is known exactly, or is the mean over exchanges."""
    return _cells(
        statistic,
        quantity=quantity,
        level=level,
        value=finding.value,
        low=finding.low,
        high=finding.high,
        expected=finding.expected if expected is None else expected,
        expected_low=finding.expected_low,
        expected_high=finding.expected_high,
        p=finding.p,
        verdict=verdict,
    )


def _cells(statistic: str, **cells: object) -> Row:
    columns = ("quantity", "level", "value", "low", "high", "expected", "expected_low", "expected_high", "p", "verdict")
    values = {name: cells.get(name) for name in columns}
    numbers = {name: float(value) for name, value in values.items() if isinstance(value, np.generic | np.ndarray)}
    return {"statistic": statistic, **values, **numbers}
