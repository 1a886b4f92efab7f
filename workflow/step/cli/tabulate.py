"""Write the table of a task: one row per method, averaged over videos."""

import argparse
import logging
from pathlib import Path

from step.config.metrics import Evaluation
from step.config.sections import Count, Section
from step.config.study import Config
from step.errors import InputError

log = logging.getLogger(__name__)


class Settings(Section):
    """What decides the intervals and the tests; methods and their order are in the arguments."""

    seed: int
    frames: Count
    evaluation: Evaluation


def select(config: Config, task: str) -> Settings:
    """Return the part of `config` that the table of `task` uses."""
    frames = config.video_format(config.tasks[task].domain).frames
    return Settings(seed=config.seed, frames=frames, evaluation=config.evaluation)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    parser.add_argument(
        "--inputs",
        required=True,
        type=Path,
        nargs="+",
        metavar="CSV",
        help="metrics per video, one file per method",
    )
    parser.add_argument(
        "--features",
        required=True,
        type=Path,
        nargs="+",
        metavar="FILE",
        help="features of the videos, one file per method in the order of --inputs, HDF5",
    )
    parser.add_argument(
        "--true-features", required=True, type=Path, metavar="FILE", help="features of the true videos, HDF5"
    )
    parser.add_argument(
        "--methods", required=True, nargs="+", metavar="NAME", help="the methods, in the order of --inputs"
    )
    parser.add_argument(
        "--references",
        nargs="*",
        default=[],
        metavar="NAME",
        help="those of the methods that are reference rows, which tests do not count as comparisons",
    )
    parser.add_argument(
        "--paired-with", metavar="NAME", help="also give each method's metrics minus this one's, video by video"
    )
    parser.add_argument("--output", required=True, type=Path, metavar="CSV", help="the table")


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write the table and log it; raises `InputError` where names and files do not match."""
    from step.io.features import read_features
    from step.io.tables import read_table, write_table
    from step.metrics.catalogue import own_metrics
    from step.metrics.summary import format_table, measure_distance, read_scores, summarise
    from step.progress import track
    from step.seeds import derive_seed

    names = arguments.methods
    for files, option in ((arguments.inputs, "tables"), (arguments.features, "files of features")):
        if len(names) != len(files) or len(set(names)) != len(names):
            raise InputError(
                f"{len(files)} {option} for the methods {names}; give --methods one name per file, each once"
            )
    own = own_metrics(settings.evaluation.metrics)
    scores = {
        name: read_scores(read_table(file), str(file), own) for name, file in zip(names, arguments.inputs, strict=True)
    }
    truth = read_features(arguments.true_features)
    seed = derive_seed(settings.seed, "fvd")
    distances = {
        name: measure_distance(read_features(file), truth, scores[name].videos, settings.evaluation, seed)
        for name, file in track(list(zip(names, arguments.features, strict=True)), "FVD", "method")
    }
    rows = summarise(scores, distances, arguments.references, arguments.paired_with, settings.frames, settings.seed)
    write_table(arguments.output, rows)
    log.info("mean ± standard deviation over videos\n%s", format_table(rows))
    for remark in dict.fromkeys(row["remarks"] for row in rows if row["remarks"]):
        log.warning(remark)
