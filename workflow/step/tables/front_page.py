"""The page with which a report opens: of each task the animation, the table and the comparison, nothing to click."""

import base64
import html
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from step.config.sections import Name, Section
from step.config.study import Config
from step.errors import InputError
from step.io.atomic import whole_file
from step.io.tables import read_table
from step.metrics.catalogue import BY_NAME
from step.metrics.metric import Metric
from step.products import OfTasks, Page
from step.tables.document import NOTHING
from step.tables.paper import task_label
from step.tables.task_table import Row, arrange, decimals_of, format_value, name_of, number_of

SHOWN = tuple(
    BY_NAME[name] for name in ("psnr", "ssim", "lpips", "fvd", "d_psnr", "difference_correlation", "data_misfit")
)
KINDS = {".webp": "image/webp", ".gif": "image/gif", ".png": "image/png"}
LEGEND = (
    "Mean over the test videos, the best of the methods bold. Rows below the line have no learned prior, or know the "
    "truth; they are not ranked."
)
STYLE = "text-align: right; padding: 0.15em 0.8em"


class FrontPageSettings(Section):
    """Which rows of a table are methods, and what is measured."""

    methods: tuple[Name, ...]
    models: dict[Name, str]  # of the tasks


Settings = FrontPageSettings


def select(config: Config, target: str) -> FrontPageSettings:
    """Return the part of `config` that the page of a `target` uses, `tour` or `study`."""
    models = {name: config.tasks[name].measurement.model for name in config.targets.tasks_of(target)}
    return FrontPageSettings(methods=tuple(config.methods), models=models)


@dataclass(frozen=True)
class Files:
    """What the page shows of each task."""

    animation: OfTasks
    table: OfTasks
    comparison: OfTasks
    output: Page


def tabulate(files: Files, settings: FrontPageSettings) -> None:
    """Write the page, which needs nothing next to itself; raises `InputError` for a task without one of its files."""
    blocks = []
    for task, table in files.table.items():
        animation, comparison = (
            _of(task, given, option)
            for given, option in ((files.animation, "--animation"), (files.comparison, "--comparison"))
        )
        label = task_label(task)
        blocks += [
            f"<h2>{html.escape(label)}</h2>",
            picture(animation, f"{label}: the truth, what was measured, and the reconstructions"),
            score_table(task, table, settings),
            picture(comparison, f"{label}: one frame, its error, and the course of a line over time"),
        ]
    with whole_file(files.output) as part:
        part.write_text("\n".join(blocks) + "\n", encoding="utf-8")


def picture(path: Path, description: str) -> str:
    """Return the picture in `path` as HTML that holds it; raises `InputError` unless it is one of `KINDS`."""
    if path.suffix not in KINDS:
        raise InputError(f"{path} is no picture that a page can hold; give one of {', '.join(KINDS)}")
    data = base64.b64encode(path.read_bytes()).decode()
    source = f"data:{KINDS[path.suffix]};base64,{data}"
    return f'<p><img src="{source}" alt="{html.escape(description)}" style="max-width: 100%"></p>'


def score_table(task: str, path: Path, settings: FrontPageSettings) -> str:
    """Return the table of a task in `path` as HTML, methods first."""
    rows = read_table(path)
    shown = {row["method"] for row in rows}
    methods = [method for method in settings.methods if method in shown]
    table = arrange(task, settings.models[task], rows, methods, str(path))
    shown_metrics = [metric for metric in SHOWN if any(number_of(row, metric.name) is not None for row in table.rows)]
    heads = "".join(f'<th style="{STYLE}">{html.escape(metric.heading)}</th>' for metric in shown_metrics)
    lines = [f'<tr><th style="text-align: left">method</th>{heads}</tr>']
    best = {metric.name: _best(metric, table.methods) for metric in shown_metrics}
    for row in table.rows:
        above = "border-top: 1px solid #888; " if table.references and row is table.references[0] else ""
        cells = "".join(_cell(row, metric, best[metric.name], above) for metric in shown_metrics)
        lines.append(f'<tr><td style="{above}">{html.escape(name_of(row))}</td>{cells}</tr>')
    return f'<table style="border-collapse: collapse">{"".join(lines)}</table><p>{LEGEND}</p>'


def _cell(row: Row, metric: Metric, best: float | None, above: str) -> str:
    value = number_of(row, metric.name)
    text = NOTHING if value is None else format_value(value, decimals_of(metric, value))
    is_best = best is not None and value == best and not above
    return f'<td style="{above}{STYLE}">{f"<b>{text}</b>" if is_best else text}</td>'


def _best(metric: Metric, rows: tuple[Row, ...]) -> float | None:
    """Return the best value of some rows, None of a metric that is not ranked."""
    values = [value for row in rows if (value := number_of(row, metric.name)) is not None and value == value]
    if metric.better is None or not values:
        return None
    return max(values) if metric.better == "higher" else min(values)


def _of(task: str, given: Mapping[str, Path], option: str) -> Path:
    if task not in given:
        raise InputError(f"{option} names no file of the task {task}; it names {', '.join(given)}")
    return given[task]
