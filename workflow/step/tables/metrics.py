"""The table of a task: one row per method, averaged over videos."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from step.config.metrics import Evaluation
from step.config.sections import Count, Section
from step.config.study import Config
from step.errors import InputError
from step.io.features import read_features
from step.io.tables import read_table
from step.metrics.catalogue import own_metrics
from step.metrics.summary import measure_distance, read_scores, write_summary
from step.products import About, PairedWith, Sheet
from step.progress import track
from step.seeds import derive_seed


class MetricsTableSettings(Section):
    """What decides the intervals and the tests; methods and their order are among the files."""

    seed: int
    frames: Count
    evaluation: Evaluation


Settings = MetricsTableSettings


def select(config: Config, task: str) -> MetricsTableSettings:
    """Return the part of `config` that the table of `task` uses."""
    frames = config.video_format(config.tasks[task].domain).frames
    return MetricsTableSettings(seed=config.seed, frames=frames, evaluation=config.evaluation)


@dataclass(frozen=True)
class Files:
    """The metrics and the features of some methods, and their table."""

    inputs: Annotated[tuple[Path, ...], About(help="metrics per video, one file per method", words=("CSV",))]
    features: Annotated[
        tuple[Path, ...], About(help="features of the videos, one file per method in the order of --inputs, HDF5")
    ]
    true_features: Annotated[Path, About(help="features of the true videos, HDF5")]
    methods: Annotated[tuple[str, ...], About(help="the methods, in the order of --inputs", words=("NAME",))]
    output: Sheet
    references: Annotated[
        tuple[str, ...],
        About(
            help="those of the methods that are reference rows, which tests do not count as comparisons",
            words=("NAME",),
        ),
    ] = ()
    paired_with: PairedWith | None = None


def tabulate(files: Files, settings: MetricsTableSettings) -> None:
    """Write the table and log it; raises `InputError` where names and files do not match."""
    names = files.methods
    for given, option in ((files.inputs, "tables"), (files.features, "files of features")):
        if len(names) != len(given) or len(set(names)) != len(names):
            raise InputError(
                f"{len(given)} {option} for the methods {list(names)}; give --methods one name per file, each once"
            )
    own = own_metrics(settings.evaluation.metrics)
    scores = {
        name: read_scores(read_table(file), str(file), own) for name, file in zip(names, files.inputs, strict=True)
    }
    truth = read_features(files.true_features)
    seed = derive_seed(settings.seed, "fvd")
    distances = {
        name: measure_distance(read_features(file), truth, scores[name].videos, settings.evaluation, seed)
        for name, file in track(list(zip(names, files.features, strict=True)), "FVD", "method")
    }
    write_summary(files.output, scores, distances, files.references, files.paired_with, settings.frames, settings.seed)
