"""The optical flow of videos, from the files of their truths or of their measurements."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from step.config.sections import Section
from step.config.study import Config
from step.config.tasks import MeasurementOfDomain, OpticalFlow
from step.config.views import Display
from step.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from step.io.learned_weights import LearnedWeights
    from step.io.optical_flows import VideoOpticalFlow
    from step.optical_flow.estimators import Estimator

log = logging.getLogger(__name__)

TV_L1 = "TV-L1"


class OpticalFlowSettings(Section):
    """What the optical flow is estimated from and how."""

    optical_flow: OpticalFlow
    measurement: MeasurementOfDomain | None  # null unless its backprojection is followed, and so the shape
    shape: tuple[int, int, int, int] | None  # time, channel, y, x
    display: Display


def optical_flow_settings(config: Config, task: str) -> OpticalFlowSettings:
    """Return the settings of the optical flow of `task`; raises `InputError` where it has none."""
    chosen = config.tasks[task]
    if chosen.optical_flow is None:
        raise InputError(
            f"task {task} has no optical flow, which its methods move noise with; give it tasks.{task}.optical_flow"
        )
    video, inverse = config.video_format(chosen.domain), chosen.optical_flow.source == "backprojection"
    return OpticalFlowSettings(
        optical_flow=chosen.optical_flow,
        measurement=config.measurement_of(task) if inverse else None,
        shape=(video.frames, video.channels, video.resolution, video.resolution) if inverse else None,
        display=video.display,
    )


@dataclass(frozen=True)
class EstimatedOpticalFlows:
    """The optical flows of some videos, and what they were estimated by."""

    optical_flows: "list[VideoOpticalFlow]"
    estimator: str  # in the words of tables, which say why it is not RAFT where it should be
    end_point_error_px: float  # where the motion is known: on a rotated and shifted texture
    texture_side: int  # of that, pixels

    @property
    def is_raft(self) -> bool:
        """Whether they are estimated by RAFT, not by TV-L1."""
        return not self.estimator.startswith(TV_L1)


def optical_flows_of_files(
    files: Sequence[Path], weights: "LearnedWeights | None", settings: OpticalFlowSettings
) -> EstimatedOpticalFlows:
    """Return the optical flow of the video in each of `files`: truths, or measurements, then of their backprojection.

    Without `weights` of RAFT, None or missing, the estimator is TV-L1. Raises `InputError` for a file of something
    else, or a video of a single frame.
    """
    from step.io.optical_flows import VideoOpticalFlow
    from step.optical_flow.estimators import check_estimator, estimate_optical_flow
    from step.progress import track

    name, estimator = _estimator(weights, settings.optical_flow)
    optical_flows = []
    for path in track(files, "optical flow", "video"):
        frames = _frames(path, settings)
        optical_flows.append(VideoOpticalFlow(path.stem, *estimate_optical_flow(frames, estimator)))
    size = min(frames.shape[1:])
    return EstimatedOpticalFlows(optical_flows, name, check_estimator(estimator, size), size)


def _frames(path: Path, settings: OpticalFlowSettings) -> "np.ndarray":
    """Return the frames (time, y, x) in [0, 1] whose motion is estimated, of the measurement or truth in `path`."""
    from step.io.reconstructions import read_measurement
    from step.io.truths import read_truth
    from step.physics.display import to_unit_range
    from step.physics.forward_models import build_forward_model, check_measurement, to_tensors

    if settings.measurement is None or settings.shape is None:
        video = read_truth(path, path.stem)
    else:
        forward_model = build_forward_model(settings.measurement, settings.shape)
        measured = to_tensors(read_measurement(path))
        check_measurement(measured, forward_model, settings.shape, path)
        video = forward_model.backprojection(measured)[0].numpy(force=True)
    return to_unit_range(video, video, settings.display)


def _estimator(weights: "LearnedWeights | None", optical_flow: OpticalFlow) -> "tuple[str, Estimator]":
    """Return the estimator and its name in tables, which says why it is not RAFT where it should be."""
    import torch

    from step.optical_flow.estimators import raft_estimator, tvl1_estimator

    if optical_flow.estimator == "tvl1":
        return TV_L1, tvl1_estimator(optical_flow.tvl1)
    reason = "no weights given" if weights is None else weights.missing
    if weights is not None and not reason:
        log.info("RAFT: %s", weights.description)
        return "RAFT", raft_estimator(weights.tensors, "cuda" if torch.cuda.is_available() else "cpu")
    log.warning("no RAFT: %s; the optical flow is estimated by TV-L1", reason)
    return f"{TV_L1} (no RAFT: {reason})", tvl1_estimator(optical_flow.tvl1)
