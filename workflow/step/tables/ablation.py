"""The metrics of all points of one axis, one row per point and video."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from step.config.sections import ModuleName, Section
from step.config.study import Config
from step.errors import InputError
from step.io.tables import read_table, write_table
from step.metrics.catalogue import METRICS, own_metrics
from step.products import About, Sheet


class AblationTableSettings(Section):
    """Which metrics there are next to the library's."""

    metrics: tuple[ModuleName, ...]


Settings = AblationTableSettings


def select(config: Config) -> AblationTableSettings:
    """Return the part of `config` that the table uses."""
    return AblationTableSettings(metrics=config.evaluation.metrics)


@dataclass(frozen=True)
class Files:
    """The metrics of the points of one axis, and their table."""

    axis: Annotated[str, About(help="name of the axis, e.g. epochs")]
    points: Annotated[
        Mapping[str, tuple[str, Path]],
        About(
            help="a value as text, as a number ('-' where it is a word), and its metrics per video; once per point, "
            "in the order of the picture",
            words=("LABEL", "VALUE", "CSV"),
        ),
    ]
    output: Sheet
    study: Annotated[str, About(help="the point that is the study's own, if one is", words=("LABEL",))] | None = None


def tabulate(files: Files, settings: AblationTableSettings) -> None:
    """Write the table; raises `InputError` unless all points have the same videos, and `study` is one of them."""
    if files.study is not None and files.study not in files.points:
        raise InputError(f"--study is {files.study!r}; the points are {', '.join(files.points)}")
    rows = []
    for label, (value, file) in files.points.items():
        if value != "-" and not _is_number(value):
            raise InputError(f"--point {label} has the value {value!r}; give a finite number, or '-' for a word")
        own = "yes" if label == files.study else ""
        number = "" if value == "-" else value
        point = {"axis": files.axis, "label": label, "value": number, "is_study": own}
        rows += [point | scores for scores in _read_scores(file, settings.metrics)]
    _check_videos(rows, list(files.points))
    write_table(files.output, rows)


def _read_scores(path: Path, own: Sequence[str]) -> list[dict[str, str]]:
    """Return the metrics of each video in `path`; those of your own are of the modules `own`."""
    rows = read_table(path)
    columns = ("video", *(metric.name for metric in (*METRICS, *own_metrics(own))))
    missing = [column for column in columns if not rows or column not in rows[0]]
    if missing:
        raise InputError(f"{path} has no {missing[0]}; give the metrics per video of the evaluate stage")
    return [{column: row[column] for column in columns} for row in rows]


def _check_videos(rows: list[dict[str, str]], labels: list[str]) -> None:
    """Raise `InputError` unless the points have the same videos: their differences are taken video by video."""
    videos = {label: sorted(row["video"] for row in rows if row["label"] == label) for label in labels}
    for label in labels:
        if videos[label] != videos[labels[0]]:
            raise InputError(
                f"point {label} has the videos {videos[label]}, {labels[0]} has {videos[labels[0]]}; evaluate the same"
            )


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
