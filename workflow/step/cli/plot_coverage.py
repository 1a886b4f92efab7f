"""Draw which baselines of an interferometer measure at which time, and the number of data in each frame."""

import argparse
from pathlib import Path

from step.cli.files import add_pictures
from step.config.sections import Positive, Section
from step.config.study import Config
from step.config.tasks import Vlbi
from step.errors import InputError


class Settings(Section):
    """What names the stations of a measurement, and what parts its frames."""

    array: Path
    cadence_s: Positive


def select(config: Config, task: str) -> Settings:
    """Return the array of `task` and the time between its frames; raises `InputError` where it has no baselines."""
    chosen = config.tasks[task]
    if not isinstance(chosen.measurement, Vlbi):
        raise InputError(f"the measurement of {task!r} is of model {chosen.measurement.model}; only vlbi has baselines")
    geometry = config.video_format(chosen.domain).geometry
    return Settings(array=chosen.measurement.array, cadence_s=geometry["cadence_s"])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    parser.add_argument("--measurement", required=True, type=Path, metavar="FILE", help="the measurement, HDF5")
    add_pictures(parser)
    parser.add_argument("--data", required=True, type=Path, metavar="CSV", help="the baselines that are drawn")


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write the picture and its numbers."""
    from step.figures.coverage import cover, draw_coverage, write_coverage_data
    from step.figures.style import save_figure
    from step.io.reconstructions import read_measurement
    from step.physics.array import read_array

    measurement = read_measurement(arguments.measurement)
    coverage = cover(measurement, settings.cadence_s, arguments.measurement)
    codes = [station.station for station in read_array(settings.array)]
    if coverage.stations.max() >= len(codes):
        raise InputError(
            f"{arguments.measurement} has a station number {coverage.stations.max()}, counted from 0, but "
            f"{settings.array} has {len(codes)} stations; measure it again with this array"
        )
    save_figure(draw_coverage(coverage), arguments.output)
    write_coverage_data(coverage, codes, arguments.data)
