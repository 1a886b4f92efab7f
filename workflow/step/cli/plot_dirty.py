"""Draw a video beside its dirty video, which has no measurement errors and no prior (the paper's Fig. 8)."""

import argparse
from pathlib import Path

from step.cli.files import add_pictures, add_truth
from step.cli.settings import modules_of_measurement
from step.config.sections import Section
from step.config.study import Config
from step.config.tasks import MeasurementOfDomain
from step.errors import InputError


class Settings(Section):
    """How the task measures."""

    measurement: MeasurementOfDomain


def select(config: Config, task: str) -> Settings:
    """Return how `task` measures the videos of its domain."""
    return Settings(measurement=config.measurement_of(task))


modules = modules_of_measurement


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    parser.add_argument("--measurement", required=True, type=Path, metavar="FILE", help="the video's measurement, HDF5")
    add_truth(parser)
    add_pictures(parser)
    parser.add_argument("--movie", required=True, type=Path, metavar="FILE", help="the same as a movie: .mp4, or .gif")
    parser.add_argument("--data", required=True, type=Path, metavar="NPZ", help="the frames that are drawn")


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write picture, movie and numbers; raises `InputError` unless the task is interferometry and the truth known."""
    from step.figures.dirty import FRAMES_SHOWN, animate_dirty, draw_dirty, see_dirty, write_dirty_data
    from step.figures.movies import write_movie
    from step.figures.scales import evenly_spaced
    from step.figures.style import save_figure
    from step.io.reconstructions import read_measurement
    from step.io.truths import read_truth
    from step.physics.forward_models import build_forward_model, check_measurement, to_tensors
    from step.physics.vlbi import ClosureImaging

    measurement = read_measurement(arguments.measurement)
    truth = read_truth(arguments.truth, arguments.measurement.stem)
    forward_model = build_forward_model(settings.measurement, truth.shape)
    if not isinstance(forward_model, ClosureImaging):
        raise InputError(f"the measurement is of model {settings.measurement.model}; only vlbi has a dirty video")
    measured = to_tensors(measurement)
    check_measurement(measured, forward_model, truth.shape, arguments.measurement)
    video = see_dirty(forward_model, truth, measured)
    shown = video[evenly_spaced(len(truth), FRAMES_SHOWN)]
    save_figure(draw_dirty(shown), arguments.output)
    write_dirty_data(shown, arguments.data)
    write_movie(animate_dirty(video), arguments.movie)
