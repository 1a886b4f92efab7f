"""Estimate the optical flow of videos, which noise-warping methods move their noise with.

It is the flow of the measurement's naive inverse, or of the truth, an oracle. The file says which, by which
estimator, and how far that estimator is off where the motion is known.
"""

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from step.cli.files import add_measurements, add_truths
from step.config.sections import Section
from step.config.settings import modules_of_measurement
from step.config.study import Config
from step.config.tasks import Flow, MeasurementOfDomain
from step.errors import InputError
from step.metrics.caveats import ORACLE_FLOW

if TYPE_CHECKING:
    import numpy as np

    from step.optical_flow.estimators import Estimator

log = logging.getLogger(__name__)

SOURCES = {"truth": ORACLE_FLOW, "naive_inverse": "naive inverse"}
TV_L1 = "TV-L1"


class Settings(Section):
    """What the flow is estimated from and how."""

    flow: Flow
    measurement: MeasurementOfDomain | None  # null unless the flow is that of its naive inverse, and so the shape
    shape: tuple[int, int, int, int] | None  # time, channel, y, x
    display: Literal["magnitude", "unit_range"]


def select(config: Config, task: str) -> Settings:
    """Return the settings of the flow of `task`; raises `InputError` where it has none."""
    chosen = config.tasks[task]
    if chosen.flow is None:
        raise InputError(f"task {task} has no flow, which its methods move noise with; give it tasks.{task}.flow")
    video, inverse = config.video_format(chosen.domain), chosen.flow.source == "naive_inverse"
    return Settings(
        flow=chosen.flow,
        measurement=config.measurement_of(task) if inverse else None,
        shape=(video.frames, video.channels, video.resolution, video.resolution) if inverse else None,
        display=video.display,
    )


modules = modules_of_measurement


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    add_measurements(parser, required=False)
    add_truths(parser, required=False)
    parser.add_argument("--weights", type=Path, metavar="FILE", help="weights of RAFT, safetensors; without: TV-L1")
    parser.add_argument("--checksums", type=Path, metavar="CSV", help="table of the weights that are known")
    parser.add_argument("--output", required=True, type=Path, metavar="FILE", help="flows of all the videos, HDF5")


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write the flow of each video; raises `InputError` where the files are not given that the flow is taken from."""
    from step.io.flows import VideoFlow, write_flows
    from step.optical_flow.estimators import check_estimator, estimate_flow
    from step.progress import track

    name, estimator = _estimator(arguments, settings.flow)
    flows = []
    for path in track(_files(arguments, settings.flow), "optical flow", "video"):
        frames = _frames(path, settings)
        flows.append(VideoFlow(path.stem, *estimate_flow(frames, estimator)))
    size = min(frames.shape[1:])
    error = check_estimator(estimator, size)
    text = f"{SOURCES[settings.flow.source]}, {name}"
    log.info("flow of %d videos: %s", len(flows), text)
    log.info("end-point error on a rotated and shifted texture of %d x %d pixels: %.2f pixel", size, size, error)
    attributes = {
        "flow": text,
        "source": settings.flow.source,
        "estimator": "tvl1" if name.startswith(TV_L1) else "raft",
        "end_point_error_px": error,
    }
    write_flows(arguments.output, flows, attributes)


def _files(arguments: argparse.Namespace, flow: Flow) -> list[Path]:
    """Return the files that the flow is taken from: truths only where it is the truth's."""
    option, files = (
        ("--truths", arguments.truths) if flow.source == "truth" else ("--measurements", arguments.measurements)
    )
    if not files:
        raise InputError(f"flow.source is {flow.source}; give the files that it is taken from with {option}")
    return files


def _frames(path: Path, settings: Settings) -> "np.ndarray":
    """Return the frames (time, y, x) in [0, 1] whose motion is estimated, of the measurement or truth in `path`."""
    from step.io.reconstructions import read_measurement
    from step.io.truths import read_truth
    from step.physics.display import to_unit_range
    from step.physics.forward_models import build_forward_model, check_measurement, to_tensors

    if settings.measurement is None:
        video = read_truth(path, path.stem)
    else:
        forward_model = build_forward_model(settings.measurement, settings.shape)
        measured = to_tensors(read_measurement(path))
        check_measurement(measured, forward_model, settings.shape, path)
        video = forward_model.naive_inverse(measured)[0].numpy(force=True)
    return to_unit_range(video, video, settings.display)


def _estimator(arguments: argparse.Namespace, flow: Flow) -> "tuple[str, Estimator]":
    """Return the estimator and its name in tables, which says why it is not RAFT where it should be."""
    import torch

    from step.io.learned_weights import read_learned_weights
    from step.optical_flow.estimators import raft_estimator, tvl1_estimator

    if flow.estimator == "tvl1":
        return TV_L1, tvl1_estimator(flow.tvl1)
    reason = "no weights given"
    if arguments.weights is not None and arguments.checksums is None:
        raise InputError(f"--weights {arguments.weights} is not checked; give the table of known weights, --checksums")
    if arguments.weights is not None:
        weights = read_learned_weights(arguments.weights, "raft", arguments.checksums)
        reason = weights.missing
        if not reason:
            log.info("RAFT: %s", weights.description)
            return "RAFT", raft_estimator(weights.tensors, "cuda" if torch.cuda.is_available() else "cpu")
    log.warning("no RAFT: %s; the flow is estimated by TV-L1", reason)
    return f"{TV_L1} (no RAFT: {reason})", tvl1_estimator(flow.tvl1)
