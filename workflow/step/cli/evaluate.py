"""Score the reconstructions of one method against the truth, one row per video.

The metrics are those of the first posterior sample, the data misfit with the measurement's own noise level.
LPIPS is left empty where its weights are missing, and a remark says why; PSNR and SSIM in the authors' convention are
left empty where that is ours. With `--features` the same samples are
described by the features of I3D, for the Fréchet video distance.
"""

import argparse
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from step.cli.files import add_measurements, add_reconstructions, add_truths, add_weights, pair_truths
from step.config.sections import ModuleName, Section
from step.config.settings import modules_of_measurement
from step.config.study import Config
from step.config.tasks import MeasurementOfDomain
from step.errors import InputError
from step.provenance import metric_name

if TYPE_CHECKING:
    import numpy as np

    from step.io.learned_weights import LearnedWeights
    from step.io.reconstructions import Reconstruction
    from step.metrics.metric import FrameDistance

log = logging.getLogger(__name__)


class Settings(Section):
    """What the evaluation uses of the configuration."""

    measurement: MeasurementOfDomain
    display: Literal["magnitude", "unit_range"]
    metrics: tuple[ModuleName, ...]  # of your own, beside the library's


def select(config: Config, task: str) -> Settings:
    """Return the part of `config` that the evaluation of `task` uses."""
    chosen = config.tasks[task]
    return Settings(
        measurement=config.measurement_of(task),
        display=config.video_format(chosen.domain).display,
        metrics=config.evaluation.metrics,
    )


def modules(settings: Settings) -> list[str]:
    """Return the modules that are imported by name: of the measurement, and of metrics of your own."""
    return [*modules_of_measurement(settings), *map(metric_name, settings.metrics)]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    add_measurements(parser)
    add_truths(parser)
    add_reconstructions(parser, "one method's reconstructions of these videos")
    add_weights(parser, "LPIPS")
    parser.add_argument("--output", required=True, type=Path, metavar="CSV", help="the metrics, one row per video")
    parser.add_argument("--features", type=Path, metavar="FILE", help="the features of I3D, HDF5; needs --i3d")
    parser.add_argument("--i3d", type=Path, metavar="FILE", help="the weights of I3D")


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write the table and the features; raises `InputError` where a video lacks its truth or its reconstruction."""
    from step.io.features import write_features
    from step.io.learned_weights import read_learned_weights
    from step.io.reconstructions import read_reconstructions
    from step.io.tables import write_table
    from step.metrics.catalogue import METRICS, OF_SOME_MEASUREMENTS, own_metrics
    from step.metrics.features import describe_videos
    from step.metrics.metric import ScoredVideo
    from step.physics.display import to_unit_range
    from step.physics.forward_models import fit_to_data
    from step.progress import track

    if (arguments.features is None) != (arguments.i3d is None):
        raise InputError("--features and --i3d belong together; give both or neither")
    weights = read_learned_weights(arguments.weights, "vgg16", arguments.checksums)
    lpips = _build_lpips(weights)
    origin = {"flow": _flow_of(arguments.reconstructions), "lpips_weights": weights.description}
    origin["remark"] = f"no LPIPS: {weights.missing}" if weights.missing else ""
    if origin["remark"]:
        log.warning(origin["remark"])
    reconstructions = read_reconstructions(arguments.reconstructions)
    metrics = (*METRICS, *own_metrics(settings.metrics))
    rows, videos = [], {}
    pairs = pair_truths(arguments.measurements, arguments.truths)
    for path, true_path in track(pairs, "scores", "video"):
        measurement, truth, sample = _read(path, true_path, reconstructions)
        frames, true_frames = (to_unit_range(video, truth, settings.display) for video in (sample, truth))
        [misfit], chi_squares = fit_to_data(sample[None], measurement, settings.measurement, path)
        fits = {kind: float(of_sample) for kind, [of_sample] in chi_squares.items()}
        scored = ScoredVideo(frames, true_frames, sample, truth, settings.display, float(misfit), fits, lpips)
        scores = {metric.name: metric.score(scored) for metric in metrics}
        log.info("%s: PSNR %.2f dB", path.stem, scores["psnr"])
        fits = {metric.name: metric.score(scored) for metric in OF_SOME_MEASUREMENTS}
        fits = {name: value for name, value in fits.items() if value is not None}
        rows.append({"video": path.stem, **scores, **fits, **origin})
        videos[path.stem] = frames
    write_table(arguments.output, rows)
    if arguments.features:
        i3d = read_learned_weights(arguments.i3d, "i3d", arguments.checksums)
        write_features(arguments.features, describe_videos(videos, i3d))


def _build_lpips(weights: "LearnedWeights") -> "FrameDistance | None":
    if weights.missing:
        return None
    from step.metrics.lpips import Lpips

    return Lpips(weights.tensors)


def _flow_of(reconstructions: list[Path]) -> str:
    """Return which flow the reconstructions moved their noise with, in words; '' for none."""
    from step.io.reconstructions import read_attributes

    flows = {str(read_attributes(path).get("flow", "")) for path in reconstructions}
    return "; ".join(sorted(flows - {""}))


def _read(
    path: Path, true_path: Path, reconstructions: Mapping[str, "Reconstruction"]
) -> tuple[dict[str, "np.ndarray"], "np.ndarray", "np.ndarray"]:
    """Return the measurement in `path`, its truth and its first sample, both (time, channel, y, x)."""
    from step.io.reconstructions import read_measurement
    from step.io.truths import read_truth

    measurement, truth = read_measurement(path), read_truth(true_path, path.stem)
    if path.stem not in reconstructions:
        raise InputError(f"{path.stem} is not among the reconstructed videos {list(reconstructions)}; sample it")
    sample = reconstructions[path.stem].samples[0]
    if sample.shape != truth.shape:
        raise InputError(f"{path.stem} was reconstructed as {sample.shape}, it is {truth.shape}; sample it again")
    return measurement, truth, sample
