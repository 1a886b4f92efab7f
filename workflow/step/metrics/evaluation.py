"""The scores of one method's reconstructions against the truth, video by video: from their files."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from step.config.sections import ModuleName, Section
from step.config.study import Config
from step.config.tasks import MeasurementOfDomain
from step.config.views import Display
from step.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from step.io.learned_weights import LearnedWeights
    from step.io.reconstructions import Reconstruction
    from step.metrics.metric import FrameDistance

log = logging.getLogger(__name__)


class EvaluationSettings(Section):
    """What the evaluation uses of the configuration."""

    measurement: MeasurementOfDomain
    display: Display
    metrics: tuple[ModuleName, ...]  # of your own, next to the library's


def evaluation_settings(config: Config, task: str) -> EvaluationSettings:
    """Return the part of `config` that the evaluation of `task` uses."""
    chosen = config.tasks[task]
    return EvaluationSettings(
        measurement=config.measurement_of(task),
        display=config.video_format(chosen.domain).display,
        metrics=config.evaluation.metrics,
    )


@dataclass(frozen=True)
class Scores:
    """What one method's reconstructions score, and what they look like."""

    rows: list[dict[str, object]]  # one per video: name, metrics, which optical flow and weights they are by, remark
    videos: "dict[str, np.ndarray]"  # the first samples as they are shown, by video: (time, y, x) in [0, 1]


def score_files(
    pairs: Sequence[tuple[Path, Path]],
    reconstructions: list[Path],
    weights: "LearnedWeights",
    settings: EvaluationSettings,
) -> Scores:
    """Return the scores of the first sample of each video; LPIPS is None, and a remark says why, without `weights`.

    `pairs` are the files of each video's measurement and truth. Raises `InputError` where a video is not among
    `reconstructions`, or is of another shape than its truth.
    """
    from step.io.reconstructions import read_reconstructions
    from step.metrics.catalogue import METRICS, OF_SOME_MEASUREMENTS, own_metrics
    from step.metrics.metric import ScoredVideo
    from step.physics.display import to_unit_range
    from step.physics.forward_models import fit_to_data
    from step.progress import track

    lpips = _build_lpips(weights)
    origin = {"optical_flow": _optical_flow_of(reconstructions), "lpips_weights": weights.description}
    origin["remark"] = f"no LPIPS: {weights.missing}" if weights.missing else ""
    if origin["remark"]:
        log.warning(origin["remark"])
    reconstructed = read_reconstructions(reconstructions)
    metrics = (*METRICS, *own_metrics(settings.metrics))
    rows: list[dict[str, object]] = []
    videos: dict[str, np.ndarray] = {}
    for path, true_path in track(pairs, "scores", "video"):
        measurement, truth, sample = _read(path, true_path, reconstructed)
        frames, true_frames = (to_unit_range(video, truth, settings.display) for video in (sample, truth))
        [misfit], chi_squares = fit_to_data(sample[None], measurement, settings.measurement, path)
        fits = {kind: float(of_sample) for kind, [of_sample] in chi_squares.items()}
        scored = ScoredVideo(frames, true_frames, sample, truth, settings.display, float(misfit), fits, lpips)
        scores = {metric.name: metric.score(scored) for metric in metrics}
        log.info("%s: PSNR %.2f dB", path.stem, scores["psnr"])
        of_some = {metric.name: metric.score(scored) for metric in OF_SOME_MEASUREMENTS}
        measured = {name: value for name, value in of_some.items() if value is not None}
        rows.append({"video": path.stem, **scores, **measured, **origin})
        videos[path.stem] = frames
    return Scores(rows, videos)


def _build_lpips(weights: "LearnedWeights") -> "FrameDistance | None":
    if weights.missing:
        return None
    from step.metrics.lpips import Lpips

    return Lpips(weights.tensors)


def _optical_flow_of(reconstructions: list[Path]) -> str:
    """Return which optical flow the reconstructions moved their noise with, in words; '' for none."""
    from step.io.reconstructions import read_attributes

    optical_flows = {str(read_attributes(path).get("optical_flow", "")) for path in reconstructions}
    return "; ".join(sorted(optical_flows - {""}))


def _read(
    path: Path, true_path: Path, reconstructions: Mapping[str, "Reconstruction"]
) -> tuple[dict[str, "np.ndarray"], "np.ndarray", "np.ndarray"]:
    """Return the measurement in `path`, its truth and its first sample, both (time, channel, y, x)."""
    from step.io.reconstructions import read_measurement
    from step.io.truths import read_truth

    measurement, truth = read_measurement(path), read_truth(true_path, path.stem)
    if path.stem not in reconstructions:
        raise InputError(f"{path.stem} is not among the reconstructed videos {list(reconstructions)}; sample it")
    sample = reconstructions[path.stem].equal_samples[0]
    if sample.shape != truth.shape:
        raise InputError(f"{path.stem} was reconstructed as {sample.shape}, it is {truth.shape}; sample it again")
    return measurement, truth, sample
