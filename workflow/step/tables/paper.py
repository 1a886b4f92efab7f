"""The paper's own figures, as its tables print them, for rows and columns next to ours."""

from collections.abc import Mapping, Sequence

from step.errors import InputError

IN_THE_PAPER = "in the paper"
"""What every row or column of the paper's is called."""

TASK_LABELS = {"blackhole": "Black hole", "mri8": "MRI (8×)", "mri6": "MRI (6×)"}
DOMAIN_LABELS = {"blackhole": "Black hole", "mri": "Dynamic MRI"}

Score = tuple[str, str]
"""Mean and standard deviation, as texts; '' where the paper has none."""


def task_label(task: str) -> str:
    """Return the paper's name of `task`; another task is called as it is."""
    return TASK_LABELS.get(task, task.replace("_", " "))


def domain_label(domain: str) -> str:
    """Return the paper's name of `domain`; another domain is called as it is."""
    return DOMAIN_LABELS.get(domain, domain.replace("_", " "))


def read_paper_scores(rows: Sequence[Mapping[str, str]], source: str) -> dict[tuple[str, str], dict[str, Score]]:
    """Return the paper's Tables 1 and 4 by task and method, then metric; raises `InputError` for a missing column."""
    _check(rows, ("task", "method", "metric", "mean", "std"), source)
    scores: dict[tuple[str, str], dict[str, Score]] = {}
    for row in rows:
        scores.setdefault((row["task"], row["method"]), {})[row["metric"]] = (row["mean"], row["std"])
    return scores


def read_paper_settings(rows: Sequence[Mapping[str, str]], table: str, source: str) -> dict[tuple[str, str], str]:
    """Return the values of the paper's `table` by domain and row, as texts; raises `InputError` as above."""
    _check(rows, ("table", "domain", "row", "value", "unit"), source)
    return {(row["domain"], row["row"]): row["value"] for row in rows if row["table"] == table}


def _check(rows: Sequence[Mapping[str, str]], columns: Sequence[str], source: str) -> None:
    missing = [column for column in columns if rows and column not in rows[0]]
    if missing or not rows:
        raise InputError(f"{source} has no {missing[0] if missing else 'rows'}; give the workflow's own file")
