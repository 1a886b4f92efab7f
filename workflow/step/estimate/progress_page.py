"""The progress of a run as a page that loads itself anew, and as lines."""

import html
from collections.abc import Iterable, Sequence
from datetime import datetime

from step.estimate.progress import JobAtWork, StudyProgress, TrainingSoFar
from step.progress import in_words

REFRESH_S = 60

QUIET_S = 300.0
"""A job says how far it is every half minute; one that was silent for so long is marked."""

STYLE = """
body { font-family: sans-serif; margin: 1.5em; max-width: 70em; color: #222 }
table { border-collapse: collapse; margin: 0.5em 0 1.5em }
td, th { padding: 0.2em 0.8em; border-bottom: 1px solid #ddd; text-align: left }
td.number, th.number { text-align: right }
td.quiet { color: #b00 }
polyline { fill: none; stroke-width: 1.5 }
"""

CURVE = (160.0, 32.0)
"""Width and height of a curve of losses, in pixels."""


def headline(progress: StudyProgress) -> str:
    """Return jobs done, the time so far and the time left as one line."""
    n_jobs, n_done = sum(progress.jobs.values()), sum(progress.done.values())
    so_far = in_words(progress.at_s - progress.began_s)
    if progress.is_complete:
        return f"all {n_jobs:,} jobs are done"
    left = f"{in_words(progress.left_s)} left by the estimate"
    unknown = f", {progress.unknown:,} jobs of stages that were not measured left out" if progress.unknown else ""
    return f"{n_done:,} of {n_jobs:,} jobs are done after {so_far}, {left}{unknown}"


def as_lines(progress: StudyProgress) -> list[str]:
    """Return the progress as lines: the headline, stages, losses, and what is at work."""
    width = max((len(stage) for stage in progress.jobs), default=0)
    stages = [f"  {stage:<{width}}  {progress.done[stage]:>5,} of {n:,}" for stage, n in progress.jobs.items()]
    trainings = [f"  {training.name}: {_losses(training)}" for training in progress.trainings]
    at_work = [f"  {job.log}: {job.last_line} ({_age(job)})" for job in progress.at_work]
    sections = (("losses", trainings), ("at work, or stopped", at_work))
    return [headline(progress), *stages, *(line for name, lines in sections if lines for line in (name, *lines))]


def as_page(progress: StudyProgress) -> str:
    """Return the progress as a page (HTML) that fetches nothing but itself, every `REFRESH_S` seconds until the end."""
    refresh = "" if progress.is_complete else f"<meta http-equiv='refresh' content='{REFRESH_S}'>"
    stages = [
        [stage, f"{progress.done[stage]:,} of {n:,}", f"<progress value='{progress.done[stage]}' max='{n}'></progress>"]
        for stage, n in progress.jobs.items()
    ]
    trainings = [
        [html.escape(training.name), html.escape(_losses(training)), _curves(training)]
        for training in progress.trainings
    ]
    at_work = [[html.escape(job.log), html.escape(job.last_line), _age(job)] for job in progress.at_work]
    quiet = [job.quiet_s > QUIET_S for job in progress.at_work]
    return "\n".join(
        [
            f"<!DOCTYPE html><html><head><meta charset='utf-8'>{refresh}<title>Progress of the study</title>",
            f"<style>{STYLE}</style></head><body><h1>Progress of the study</h1>",
            f"<p>{html.escape(headline(progress))}.</p>",
            f"<p>As of {datetime.fromtimestamp(progress.at_s):%Y-%m-%d %H:%M:%S}; the run began at "
            f"{datetime.fromtimestamp(progress.began_s):%Y-%m-%d %H:%M:%S}.</p>",
            *_table("Jobs", ["stage", "done", ""], stages),
            *_table("Losses", ["network", "up to where its state was saved", "training, validation"], trainings),
            *_table("At work, or stopped", ["log", "last line", "written"], at_work, quiet),
            "</body></html>",
        ]
    )


def _table(
    title: str, heads: Sequence[str], rows: Iterable[Sequence[str]], quiet: Sequence[bool] | None = None
) -> list[str]:
    """Return a table of cells that are HTML already, under its title; nothing where there is no row."""
    lines = []
    for number, row in enumerate(rows):
        mark = " class='quiet'" if quiet and quiet[number] else ""
        lines.append("<tr>" + "".join(f"<td{mark}>{cell}</td>" for cell in row) + "</tr>")
    if not lines:
        return []
    head = "<tr>" + "".join(f"<th>{html.escape(name)}</th>" for name in heads) + "</tr>"
    return [f"<h2>{html.escape(title)}</h2><table>", head, *lines, "</table>"]


def _losses(training: TrainingSoFar) -> str:
    last = training.rows[-1]
    end = ", done" if training.is_done else ""
    losses = f"loss {last['loss']:.4g}, of validation {last['validation_loss']:.4g}"
    return f"step {last['step']:,.0f}, epoch {last['epoch']:.4g}, {losses}{end}"


def _curves(training: TrainingSoFar) -> str:
    """Return the losses over the steps as a drawing, the smallest and the largest at its edges."""
    steps = [row["step"] for row in training.rows]
    columns = {"loss": "#1f77b4", "validation_loss": "#ff7f0e"}
    values = [row[column] for row in training.rows for column in columns]
    (width, height), lowest = CURVE, min(values)
    across, up = max(steps[-1] - steps[0], 1), max(values) - lowest or 1.0
    lines = ""
    for column, colour in columns.items():
        points = " ".join(
            f"{width * (row['step'] - steps[0]) / across:.1f},{height * (1 - (row[column] - lowest) / up):.1f}"
            for row in training.rows
        )
        lines += f"<polyline points='{points}' stroke='{colour}'/>"
    return (
        f"<svg width='{width:.0f}' height='{height:.0f}' viewBox='-1 -1 {width + 2:.0f} {height + 2:.0f}'>{lines}</svg>"
    )


def _age(job: JobAtWork) -> str:
    return f"{in_words(job.quiet_s)} ago"
