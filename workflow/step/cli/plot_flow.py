"""Draw the optical flow of one video: its directions, lengths, and where there and back do not agree."""

import argparse
from pathlib import Path

from step.cli.files import add_pictures, add_truth
from step.cli.settings import DisplaySettings, display_of_task
from step.errors import InputError

Settings = DisplaySettings
select = display_of_task


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    add_truth(parser)
    parser.add_argument("--flow", required=True, type=Path, metavar="FILE", help="flows, the video's among them, HDF5")
    add_pictures(parser)
    parser.add_argument("--data", required=True, type=Path, metavar="NPZ", help="the numbers that are drawn")


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write the picture and its numbers; raises `InputError` where truth or flow lacks, or they do not fit."""
    from step.figures.flow import draw_flow, see_flow, write_flow_data
    from step.figures.style import save_figure
    from step.io.flows import read_flow_attributes, read_flows
    from step.io.truths import read_truth
    from step.physics.display import to_unit_range

    name = arguments.truth.stem
    truth = read_truth(arguments.truth, name)
    flow, attributes = read_flows(arguments.flow, [name])[name], read_flow_attributes(arguments.flow)
    n_frames, _, height, width = truth.shape
    if flow.forward.shape != (n_frames - 1, 2, height, width):
        shapes = f"{flow.forward.shape}, its video {truth.shape}"
        raise InputError(f"{arguments.flow}: the flow of {name} is {shapes}; run the flow stage again")
    frames = to_unit_range(truth, truth, settings.display)
    picture = see_flow(frames, flow, attributes["flow"], attributes["end_point_error_px"])
    save_figure(draw_flow(picture, settings.display), arguments.output)
    write_flow_data(picture, arguments.data)
