"""The table of a task in the tour without learned metrics: all rows are scored here, by one process."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from step.config.sections import Count, Section
from step.config.settings import modules_of_measurement
from step.config.study import Config
from step.io.truths import pair_truths
from step.metrics.catalogue import own_metrics
from step.metrics.evaluation import EvaluationSettings, evaluation_settings, score_files
from step.metrics.summary import Distance, method_scores, write_summary
from step.plugins import metric_name
from step.products import About, Methods, PairedWith, Sheet, Truths
from step.progress import track

LEFT_OUT = "the tour leaves learned metrics to `snakemake all`"


class TourTableSettings(Section):
    """How rows are scored and tested."""

    seed: int
    frames: Count
    evaluation: EvaluationSettings


Settings = TourTableSettings


def select(config: Config, task: str) -> TourTableSettings:
    """Return the part of `config` that the table of `task` uses."""
    frames = config.video_format(config.tasks[task].domain).frames
    return TourTableSettings(seed=config.seed, frames=frames, evaluation=evaluation_settings(config, task))


def modules(settings: TourTableSettings) -> list[str]:
    """Return the modules that are imported by name: of the measurement, and of metrics of your own."""
    return [*modules_of_measurement(settings.evaluation), *map(metric_name, settings.evaluation.metrics)]


@dataclass(frozen=True)
class Files:
    """The reconstructions of some rows with what they are scored against, and their table."""

    measurements: Annotated[
        tuple[Path, ...], About(help="measurements of the videos, one HDF5 file per video, named after it")
    ]
    truths: Truths
    methods: Methods
    output: Sheet
    references: Annotated[
        tuple[str, ...],
        About(help="those of the methods that are reference rows, which tests do not count", words=("NAME",)),
    ] = ()
    paired_with: PairedWith | None = None


def tabulate(files: Files, settings: TourTableSettings) -> None:
    """Write the table, with LPIPS and FVD empty, and log it; raises `InputError` where files do not fit together."""
    from step.io.learned_weights import LearnedWeights

    pairs = pair_truths(files.measurements, files.truths)
    weights, distance = LearnedWeights({}, "", LEFT_OUT), Distance(None, None, None, "", f"no FVD: {LEFT_OUT}")
    own = own_metrics(settings.evaluation.metrics)
    scores = {
        name: method_scores(score_files(pairs, list(paths), weights, settings.evaluation).rows, own)
        for name, paths in track(list(files.methods.items()), "scores of all rows", "row")
    }
    distances = dict.fromkeys(scores, distance)
    write_summary(files.output, scores, distances, files.references, files.paired_with, settings.frames, settings.seed)
