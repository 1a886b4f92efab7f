"""Score the reconstructions of one method against the truth, one row per video.

The metrics are those of the first posterior sample, the data misfit with the measurement's own noise level.
LPIPS is left empty where its weights are missing, and a remark says why.
"""

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from step.cli.files import add_measurements, add_reconstructions, add_weights
from step.cli.settings import modules_of_measurement
from step.config.sections import Section
from step.config.study import Config
from step.config.tasks import MeasurementOfDomain
from step.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from step.evaluation.scores import FrameDistance
    from step.io.learned_weights import LearnedWeights

log = logging.getLogger(__name__)


class Settings(Section):
    """What the evaluation uses of the configuration."""

    measurement: MeasurementOfDomain
    display: Literal["magnitude", "unit_range"]


def select(config: Config, task: str) -> Settings:
    """Return the part of `config` that the evaluation of `task` uses."""
    chosen = config.tasks[task]
    return Settings(measurement=config.measurement_of(task), display=config.video_format(chosen.domain).display)


modules = modules_of_measurement


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    add_measurements(parser)
    add_reconstructions(parser, "one method's reconstructions of these videos")
    add_weights(parser, "LPIPS")
    parser.add_argument("--output", required=True, type=Path, metavar="CSV", help="the metrics, one row per video")


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write the table; raises `InputError` where a video lacks its truth or its reconstruction."""
    from step.io.learned_weights import read_learned_weights
    from step.io.reconstructions import read_measurement, read_reconstructions
    from step.io.tables import write_table

    weights = read_learned_weights(arguments.weights, "vgg16", arguments.checksums)
    lpips = _build_lpips(weights)
    origin = {"flow": _flow_of(arguments.reconstructions), "lpips_weights": weights.description}
    origin["remark"] = f"no LPIPS: {weights.missing}" if weights.missing else ""
    if origin["remark"]:
        log.warning(origin["remark"])
    reconstructions = read_reconstructions(arguments.reconstructions)
    rows = []
    for path in arguments.measurements:
        measurement, truth = read_measurement(path)
        if truth is None:
            raise InputError(f"{path} holds no truth to compare with; evaluate simulated measurements")
        if path.stem not in reconstructions:
            raise InputError(f"{path.stem} is not among the reconstructed videos {list(reconstructions)}; sample it")
        sample = reconstructions[path.stem].samples[0]
        if sample.shape != truth.shape:
            raise InputError(f"{path.stem} was reconstructed as {sample.shape}, it is {truth.shape}; sample it again")
        scores = _score(path, sample, measurement, truth, settings, lpips)
        log.info("%s: PSNR %.2f dB", path.stem, scores["psnr"])
        rows.append({"video": path.stem, **scores, **origin})
    write_table(arguments.output, rows)


def _build_lpips(weights: "LearnedWeights") -> "FrameDistance | None":
    if weights.missing:
        return None
    from step.evaluation.lpips import Lpips

    return Lpips(weights.tensors)


def _flow_of(reconstructions: list[Path]) -> str:
    """Return which flow the reconstructions moved their noise with, in words; '' for none."""
    from step.io.reconstructions import read_attributes

    flows = {str(read_attributes(path).get("flow", "")) for path in reconstructions}
    return "; ".join(sorted(flows - {""}))


def _score(
    path: Path,
    sample: "np.ndarray",
    measurement: dict[str, "np.ndarray"],
    truth: "np.ndarray",
    settings: Settings,
    lpips: "FrameDistance | None",
) -> dict[str, float | None]:
    """Return the metrics of one `sample` (time, channel, y, x); `path` is where its measurement lies."""
    import torch

    from step.evaluation.scores import score_video
    from step.physics.display import to_unit_range
    from step.physics.forward_models import fit_to_data

    video, reference = torch.from_numpy(sample), torch.from_numpy(truth)
    [misfit], _ = fit_to_data(sample[None], measurement, settings.measurement, path)
    frames, true_frames = (to_unit_range(one, reference, settings.display) for one in (video, reference))
    return score_video(frames, true_frames, float(misfit), lpips)
