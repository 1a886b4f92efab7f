"""From one row per video to one row per method."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from step.errors import InputError
from step.evaluation.scores import METRICS

VideoScores = Mapping[str, Mapping[str, float]]
"""The metrics of each video, by the video's name."""


def read_scores(rows: Sequence[Mapping[str, str]], source: str) -> dict[str, dict[str, float]]:
    """Return the metrics in the text `rows` of a per-video table, by video.

    Raises `InputError` naming `source` for an empty table, a missing column or a text that is no number.
    """
    if not rows:
        raise InputError(f"{source} has no videos; evaluate at least one")
    missing = [column for column in ("video", *METRICS) if column not in rows[0]]
    if missing:
        raise InputError(f"{source} has no column {missing[0]}; it has {list(rows[0])}: evaluate again")
    try:
        return {row["video"]: {metric: float(row[metric]) for metric in METRICS} for row in rows}
    except (TypeError, ValueError) as error:
        raise InputError(f"{source}: {error}; evaluate again") from None


def summarise(scores: Mapping[str, VideoScores], paired_with: str | None) -> list[dict[str, object]]:
    """Return one row per method of `scores`, in its order.

    A row has the `method`; for each metric its mean over videos and, as `<metric>_std`, the sample standard
    deviation (n - 1); the number of `videos`; and, if `paired_with` names a method, the mean over videos of
    ``psnr - psnr(paired_with)`` and, as `..._se`, its standard error. A metric that is nan for one video is
    nan in the mean, since a mean over the others would not be comparable with the other rows. Spreads of a
    single video are nan. Raises `InputError` where the methods were evaluated on different videos.
    """
    _check_same_videos(scores)
    if paired_with is not None and paired_with not in scores:
        raise InputError(f"there is no method {paired_with} to compare with; the table has {list(scores)}")
    rows = []
    for method, of_method in scores.items():
        row = {"method": method, **_mean_and_spread(of_method), "videos": len(of_method)}
        if paired_with is not None:
            row |= _paired_difference(of_method, scores[paired_with], "psnr", f"psnr_minus_{paired_with}")
        rows.append(row)
    return rows


def format_table(rows: Sequence[Mapping[str, object]]) -> str:
    """Return the rows of `summarise` as aligned text, each metric as ``mean ± standard deviation``."""
    lines = [["method", *METRICS, "videos"]]
    for row in rows:
        cells = [f"{row[metric]:.4g} ± {row[f'{metric}_std']:.2g}" for metric in METRICS]
        lines.append([str(row["method"]), *cells, str(row["videos"])])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def _mean_and_spread(scores: VideoScores) -> dict[str, float]:
    columns = {}
    for metric in METRICS:
        values = np.array([of_video[metric] for of_video in scores.values()])
        columns[metric] = float(values.mean())
        columns[f"{metric}_std"] = _sample_std(values)
    return columns


def _paired_difference(scores: VideoScores, others: VideoScores, metric: str, column: str) -> dict[str, float]:
    differences = np.array([scores[video][metric] - others[video][metric] for video in scores])
    standard_error = _sample_std(differences) / math.sqrt(len(differences))
    return {column: float(differences.mean()), f"{column}_se": standard_error}


def _sample_std(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else math.nan


def _check_same_videos(scores: Mapping[str, VideoScores]) -> None:
    names = {method: set(of_method) for method, of_method in scores.items()}
    for method, videos in names.items():
        first = next(iter(names))
        if videos != names[first]:
            raise InputError(
                f"{first} and {method} differ in the videos {sorted(videos ^ names[first])}; "
                f"evaluate all methods on the same ones"
            )
