"""Put the metrics of all points of one axis together, one row per point and video."""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

from step.config.sections import ModuleName, Section
from step.config.study import Config
from step.errors import InputError


class Settings(Section):
    """Which metrics there are beside the library's."""

    metrics: tuple[ModuleName, ...]


def select(config: Config) -> Settings:
    """Return the part of `config` that the table uses."""
    return Settings(metrics=config.evaluation.metrics)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    parser.add_argument("--axis", required=True, help="name of the axis, e.g. epochs")
    parser.add_argument(
        "--point",
        required=True,
        dest="points",
        action="append",
        nargs=3,
        metavar=("LABEL", "VALUE", "CSV"),
        help="a value as text, as a number ('-' where it is a word), and its metrics per video; once per point, in the "
        "order of the picture",
    )
    parser.add_argument("--study", metavar="LABEL", help="the point that is the study's own, if one is")
    parser.add_argument("--output", required=True, type=Path, metavar="CSV", help="one row per point and video")


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write the table; raises `InputError` unless all points have the same videos, and `--study` is one of them."""
    from step.io.tables import write_table

    labels = [label for label, _, _ in arguments.points]
    if len(set(labels)) < len(labels):
        raise InputError(f"--point has the labels {', '.join(labels)}; give each point once")
    if arguments.study is not None and arguments.study not in labels:
        raise InputError(f"--study is {arguments.study!r}; the points are {', '.join(labels)}")
    rows = []
    for label, value, file in arguments.points:
        if value != "-" and not _is_number(value):
            raise InputError(f"--point {label} has the value {value!r}; give a finite number, or '-' for a word")
        own = "yes" if label == arguments.study else ""
        number = "" if value == "-" else value
        point = {"axis": arguments.axis, "label": label, "value": number, "is_study": own}
        rows += [point | scores for scores in _read_scores(Path(file), settings.metrics)]
    _check_videos(rows, labels)
    write_table(arguments.output, rows)


def _read_scores(path: Path, own: Sequence[str]) -> list[dict[str, str]]:
    """Return the metrics of each video in `path`; those of your own are of the modules `own`."""
    from step.io.tables import read_table
    from step.metrics.catalogue import METRICS, own_metrics

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
