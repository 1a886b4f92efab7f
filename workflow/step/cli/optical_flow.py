"""Estimate the optical flow of videos, which noise-warping methods move their noise with.

It is the optical flow of the measurement's backprojection, or of the truth, an oracle. The file says which, by which
estimator, and how far that estimator is off where the motion is known.
"""

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from step.cli.files import add_measurements, add_truths
from step.config.settings import modules_of_measurement
from step.config.tasks import OpticalFlow
from step.errors import InputError
from step.metrics.caveats import ORACLE_OPTICAL_FLOW
from step.sampling.video_optical_flows import OpticalFlowSettings, optical_flow_settings

if TYPE_CHECKING:
    from step.io.learned_weights import LearnedWeights

log = logging.getLogger(__name__)

SOURCES = {"truth": ORACLE_OPTICAL_FLOW, "backprojection": "backprojection"}

Settings = OpticalFlowSettings
select = optical_flow_settings
modules = modules_of_measurement


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    add_measurements(parser, required=False)
    add_truths(parser, required=False)
    parser.add_argument("--weights", type=Path, metavar="FILE", help="weights of RAFT, safetensors; without: TV-L1")
    parser.add_argument("--checksums", type=Path, metavar="CSV", help="table of the weights that are known")
    parser.add_argument(
        "--output", required=True, type=Path, metavar="FILE", help="optical flows of all the videos, HDF5"
    )


def run(arguments: argparse.Namespace, settings: OpticalFlowSettings) -> None:
    """Write the optical flow of each video; raises `InputError` where the files that it is taken from are not given."""
    from step.io.optical_flows import write_optical_flows
    from step.sampling.video_optical_flows import optical_flows_of_files

    weights = _weights(arguments, settings.optical_flow)
    found = optical_flows_of_files(_files(arguments, settings.optical_flow), weights, settings)
    side, error = found.texture_side, found.end_point_error_px
    text = f"{SOURCES[settings.optical_flow.source]}, {found.estimator}"
    log.info("optical flow of %d videos: %s", len(found.optical_flows), text)
    log.info("end-point error on a rotated and shifted texture of %d x %d pixels: %.2f pixel", side, side, error)
    attributes = {
        "optical_flow": text,
        "source": settings.optical_flow.source,
        "estimator": "raft" if found.is_raft else "tvl1",
        "end_point_error_px": error,
    }
    write_optical_flows(arguments.output, found.optical_flows, attributes)


def _files(arguments: argparse.Namespace, optical_flow: OpticalFlow) -> list[Path]:
    """Return the files that the optical flow is taken from: truths only where it is the truth's."""
    option, files = (
        ("--truths", arguments.truths) if optical_flow.source == "truth" else ("--measurements", arguments.measurements)
    )
    if not files:
        raise InputError(
            f"optical_flow.source is {optical_flow.source}; give the files that it is taken from with {option}"
        )
    return files


def _weights(arguments: argparse.Namespace, optical_flow: OpticalFlow) -> "LearnedWeights | None":
    """Return the weights of RAFT, None where none are given or none are needed."""
    from step.io.learned_weights import read_learned_weights

    if optical_flow.estimator == "tvl1" or arguments.weights is None:
        return None
    if arguments.checksums is None:
        raise InputError(f"--weights {arguments.weights} is not checked; give the table of known weights, --checksums")
    return read_learned_weights(arguments.weights, "raft", arguments.checksums)
