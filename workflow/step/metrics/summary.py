"""From one row per video to one row per method."""

import logging
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from step.config.metrics import Evaluation
from step.errors import InputError
from step.io.features import VideoFeatures
from step.io.tables import write_table
from step.metrics.catalogue import AUTHORS, METRICS, OF_SOME_MEASUREMENTS
from step.metrics.caveats import ORACLE_MARK, ORACLE_NOTE, fvd_bias, is_oracle
from step.metrics.frechet import bootstrap_interval, frechet_distance
from step.metrics.metric import Metric
from step.metrics.significance import holm, sign_flip_p
from step.seeds import derive_seed

log = logging.getLogger(__name__)

VideoScores = Mapping[str, Mapping[str, float | None]]
"""The metrics of each video, by the video's name; None where a metric could not be obtained."""

Row = dict[str, Any]
"""What the table says of one method; None is an empty cell."""


@dataclass(frozen=True)
class MethodScores:
    """What the videos of one method score, and with what."""

    videos: VideoScores
    optical_flow: str = ""  # the optical flow that moved the noise, in words; '' for none
    lpips_weights: str = ""
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Distance:
    """The Fréchet video distance of one method to the truth; None where it could not be obtained."""

    value: float | None
    low: float | None
    high: float | None
    weights: str
    remark: str


def read_scores(rows: Sequence[Mapping[str, str]], source: str, own: Sequence[Metric] = ()) -> MethodScores:
    """Return what the text `rows` of a per-video table say, with metrics of your own if there are any.

    Raises `InputError` naming `source` for an empty table, a missing column, a text that is no number, or an
    empty cell of a metric that needs no learned weights.
    """
    if not rows:
        raise InputError(f"{source} has no videos; evaluate at least one")
    always = (*METRICS, *own)
    columns = ("video", *(metric.name for metric in always), "optical_flow", "lpips_weights", "remark")
    missing = [column for column in columns if column not in rows[0]]
    if missing:
        raise InputError(f"{source} has no column {missing[0]}; it has {list(rows[0])}: evaluate again")
    metrics = [*always, *(metric for metric in OF_SOME_MEASUREMENTS if metric.name in rows[0])]
    try:
        videos = {
            row["video"]: {metric.name: _read_score(row[metric.name], metric) for metric in metrics} for row in rows
        }
    except (TypeError, ValueError) as error:
        raise InputError(f"{source}: {error}; evaluate again") from None
    return _with_origin(videos, rows)


def method_scores(rows: Sequence[Mapping[str, Any]], own: Sequence[Metric] = ()) -> MethodScores:
    """Return what the `rows` of `evaluation.score_files` say, with metrics of your own if there are any."""
    metrics = [*METRICS, *own, *(metric for metric in OF_SOME_MEASUREMENTS if metric.name in rows[0])]
    videos = {row["video"]: {metric.name: row[metric.name] for metric in metrics} for row in rows}
    return _with_origin(videos, rows)


def _with_origin(videos: VideoScores, rows: Sequence[Mapping[str, Any]]) -> MethodScores:
    """Return the scores of `videos` with what their `rows` say of optical flow and weights."""
    optical_flow, weights = (_together(row[column] for row in rows) for column in ("optical_flow", "lpips_weights"))
    remarks = tuple(dict.fromkeys(row["remark"] for row in rows if row["remark"]))
    return MethodScores(videos, optical_flow, weights, remarks)


def measure_distance(
    features: VideoFeatures, truth: VideoFeatures, videos: Collection[str], evaluation: Evaluation, seed: int
) -> Distance:
    """Return how far the `features` of a method's videos are from those of the `truth`, with its interval.

    The interval resamples `videos`, the same ones for all methods that are given one `seed`. Raises `InputError`
    unless both are of these videos.
    """
    reason = features.missing or truth.missing
    if reason:
        return Distance(None, None, None, "", f"no FVD: {reason}")
    for described in (features, truth):
        if set(described.videos) != set(videos):
            differing = sorted(set(described.videos) ^ set(videos))
            raise InputError(f"features and metrics differ in the videos {differing}; describe the same ones")
    if len(videos) < 2:
        return Distance(None, None, None, features.weights, "no FVD: a single video has no covariance")
    array, true_array = _in_order(features, videos), _in_order(truth, videos)
    value = frechet_distance(array, true_array)
    low, high = bootstrap_interval(array, true_array, evaluation.bootstrap_resamples, evaluation.interval, seed)
    return Distance(value, low, high, features.weights, fvd_bias(*array.shape))


def summarise(
    scores: Mapping[str, MethodScores],
    distances: Mapping[str, Distance],
    references: Collection[str],
    paired_with: str | None,
    frames: int,
    seed: int,
) -> list[Row]:
    """Return one row per method of `scores`, in its order.

    A row has the `method`; for each metric its mean over videos and, as `<metric>_std`, the sample standard
    deviation (n - 1); so it has for those of `OF_SOME_MEASUREMENTS` that were measured. If `paired_with` names a method
    it has too, for each metric, `<metric>_minus_<paired_with>`:
    the mean over videos of the difference, with its standard error `_se`, the p of `sign_flip_p` as `_p` and, of
    the methods that are not `references`, `_p_holm`, corrected for their number. Then `fvd`, `fvd_low` and
    `fvd_high`, the numbers of `videos` and of their `frames`, and texts: `optical_flow`, `lpips_weights`,
    `fvd_weights`, `remarks`.

    A metric that could not be obtained for one video is None, an empty cell; one that is nan for one video is nan in
    the mean, since a mean over the others would not be comparable with the other rows. Spreads of a single video
    are nan, and where nothing is tested p is None. Raises `InputError` where the methods were evaluated on
    different videos.
    """
    _check_same_videos(scores)
    for name in [*references, *([paired_with] if paired_with is not None else [])]:
        if name not in scores:
            raise InputError(f"there is no method {name} to compare with; the table has {list(scores)}")
    rows: list[Row] = [{"method": method, **_mean_and_spread(of_method.videos)} for method, of_method in scores.items()]
    if paired_with is not None:
        partial = {metric.name for metric in OF_SOME_MEASUREMENTS}
        for name in next(iter(next(iter(scores.values())).videos.values())):
            if name not in partial:
                _add_differences(rows, scores, name, references, paired_with, seed)
    for row in rows:
        of_method, distance = scores[row["method"]], distances[row["method"]]
        remarks = dict.fromkeys([*of_method.remarks, *([distance.remark] if distance.remark else [])])
        row |= {"fvd": distance.value, "fvd_low": distance.low, "fvd_high": distance.high}
        row |= {"videos": len(of_method.videos), "frames": frames, "optical_flow": of_method.optical_flow}
        row |= {"lpips_weights": of_method.lpips_weights, "fvd_weights": distance.weights}
        row["remarks"] = "; ".join(remarks)
    return rows


def write_summary(
    path: Path,
    scores: Mapping[str, MethodScores],
    distances: Mapping[str, Distance],
    references: Collection[str],
    paired_with: str | None,
    frames: int,
    seed: int,
) -> None:
    """Write what `summarise` returns as the table `path`, and log it with its remarks; raises what that does."""
    rows = summarise(scores, distances, references, paired_with, frames, seed)
    write_table(path, rows)
    log.info("mean ± standard deviation over videos\n%s", format_table(rows))
    for remark in dict.fromkeys(row["remarks"] for row in rows if row["remarks"]):
        log.warning(remark)


def format_table(rows: Sequence[Row]) -> str:
    """Return the rows of `summarise` as aligned text, each metric as ``mean ± standard deviation``.

    The authors' metrics are shown where one method has them. Methods whose noise moved with the truth's own optical
    flow have a dagger, which a line below explains.
    """
    partial = {f"{metric.name}_std" for metric in OF_SOME_MEASUREMENTS}
    spreads = [name for name in rows[0] if name.endswith("_std") and name not in partial and "_minus_" not in name]
    names = [name.removesuffix("_std") for name in spreads]
    authors = {metric.name for metric in AUTHORS}
    shown = [name for name in names if name not in authors or any(row[name] is not None for row in rows)]
    lines = [["method", *shown, "fvd", "videos"]]
    for row in rows:
        name = f"{row['method']}{ORACLE_MARK if is_oracle(str(row['optical_flow'])) else ''}"
        cells = [_format_cell(row[metric], row[f"{metric}_std"]) for metric in shown]
        lines.append([name, *cells, _format_cell(row["fvd"], None), str(row["videos"])])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    if any(is_oracle(str(row["optical_flow"])) for row in rows):
        text.append(f"{ORACLE_MARK} {ORACLE_NOTE}")
    return "\n".join(text)


def _format_cell(mean: float | None, std: float | None) -> str:
    if mean is None:
        return "-"
    return f"{mean:.4g}" if std is None else f"{mean:.4g} ± {std:.2g}"


def _read_score(text: str, metric: Metric) -> float | None:
    return None if text == "" and metric.may_be_missing else float(text)


def _together(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(text for text in texts if text))


def _in_order(features: VideoFeatures, videos: Collection[str]) -> np.ndarray:
    return features.features[[features.videos.index(video) for video in sorted(videos)]]


def _mean_and_spread(scores: VideoScores) -> Row:
    columns: Row = {}
    for metric in next(iter(scores.values())):
        values = _values(scores, metric)
        columns[metric] = None if values is None else float(values.mean())
        columns[f"{metric}_std"] = None if values is None else _sample_std(values)
    return columns


def _add_differences(
    rows: Sequence[Row],
    scores: Mapping[str, MethodScores],
    metric: str,
    references: Collection[str],
    paired_with: str,
    seed: int,
) -> None:
    """Give each row the columns of one metric's difference to that of `paired_with`."""
    column = f"{metric}_minus_{paired_with}"
    others = scores[paired_with].videos
    for row in rows:
        method = row["method"]
        differences = _differences(scores[method].videos, others, metric)
        row[column] = row[f"{column}_se"] = row[f"{column}_p"] = None
        if differences is not None:
            row[column] = float(differences.mean())
            row[f"{column}_se"] = _sample_std(differences) / math.sqrt(len(differences))
            if method != paired_with:
                row[f"{column}_p"] = sign_flip_p(differences, derive_seed(seed, "signs"))
    corrected = holm({row["method"]: row[f"{column}_p"] for row in rows if row["method"] not in references})
    for row in rows:
        row[f"{column}_p_holm"] = corrected.get(row["method"])


def _differences(scores: VideoScores, others: VideoScores, metric: str) -> np.ndarray | None:
    """Return (video,) differences, sorted by video so that their order in a file does not matter."""
    ours, theirs = _values(scores, metric), _values(others, metric)
    return None if ours is None or theirs is None else ours - theirs


def _values(scores: VideoScores, metric: str) -> np.ndarray | None:
    """Return (video,) values in the order of the videos' names; None where one of them could not be obtained."""
    values = [scores[video][metric] for video in sorted(scores)]
    return None if None in values else np.array(values)


def _sample_std(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else math.nan


def _check_same_videos(scores: Mapping[str, MethodScores]) -> None:
    names = {method: set(of_method.videos) for method, of_method in scores.items()}
    for method, videos in names.items():
        first = next(iter(names))
        if videos != names[first]:
            raise InputError(
                f"{first} and {method} differ in the videos {sorted(videos ^ names[first])}; "
                f"evaluate all methods on the same ones"
            )
