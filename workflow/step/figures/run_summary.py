"""The summary of a study's run as a page: machine and versions, what its jobs took, and its configuration."""

import csv
import html
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from step.errors import InputError

PACKAGES = (
    "step-workflow",
    "snakemake",
    "torch",
    "diffusers",
    "numpy",
    "scipy",
    "h5py",
    "piq",
    "scikit-learn",
    "ehtim",
)
STYLE = """
body { font-family: sans-serif; margin: 1.5em; max-width: 70em; color: #222 }
table { border-collapse: collapse; margin: 0.5em 0 1.5em }
td, th { padding: 0.2em 0.8em; border-bottom: 1px solid #ddd; text-align: left }
td.number, th.number { text-align: right }
pre { background: #f5f5f5; padding: 1em; overflow-x: auto }
"""


@dataclass(frozen=True)
class JobTimes:
    """What the jobs of one stage took."""

    of: str  # the task, domain or measurement
    stage: str
    jobs: int
    seconds: float  # of all jobs together
    longest_s: float
    peak_memory_mb: float


def machine() -> dict[str, str]:
    """Return what this process runs on: operating system, processor, GPU, and the versions of packages."""
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    found = {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "GPU": gpu,
        "Python": platform.python_version(),
    }
    return found | {name: _version(name) for name in PACKAGES}


def read_job_times(folder: Path) -> list[JobTimes]:
    """Return what the jobs took whose benchmarks (snakemake's .tsv) are below `folder`, stage by stage.

    Raises `InputError` for a file that is no benchmark.
    """
    rows: dict[tuple[str, str], list[dict[str, str]]] = {}
    for path in sorted(folder.rglob("*.tsv")):
        with path.open(newline="") as file:
            found = list(csv.DictReader(file, delimiter="\t"))
        if not found or not {"s", "max_rss"} <= found[0].keys():
            raise InputError(f"{path} is no benchmark of snakemake; remove it")
        of, stage = _stage(path.relative_to(folder))
        rows.setdefault((of, stage), []).append(found[-1])
    return [_together(of, stage, jobs) for (of, stage), jobs in rows.items()]


def run_summary_page(machine: Mapping[str, str], times: Sequence[JobTimes], configuration: str) -> str:
    """Return the page (HTML): nothing in it is fetched from elsewhere."""
    total = sum(stage.seconds for stage in times)
    ordered = sorted(times, key=lambda stage: -stage.seconds)
    lines = [_row(stage.of, stage.stage, *_numbers(stage)) for stage in ordered]
    heads = ["of", "stage", "jobs", "minutes", "longest job [min]", "peak memory [GB]"]
    return "\n".join(
        [
            "<!DOCTYPE html><html><head><meta charset='utf-8'><title>Run summary</title>",
            f"<style>{STYLE}</style></head><body>",
            "<h1>Summary of the study's run</h1>",
            "<h2>Machine and versions</h2><table>",
            *(f"<tr><th>{html.escape(name)}</th><td>{html.escape(text)}</td></tr>" for name, text in machine.items()),
            "</table>",
            "<p>Of the job that wrote this page; jobs on a cluster may have run elsewhere.</p>",
            f"<h2>Run times</h2><p>{total / 60:.1f} minutes of all jobs together, one after the other; "
            "jobs that ran side by side took less.</p><table>",
            "<tr>" + "".join(f"<th{_class(n)}>{head}</th>" for n, head in enumerate(heads)) + "</tr>",
            *lines,
            "</table>",
            f"<h2>Configuration</h2><pre>{html.escape(configuration)}</pre>",
            "</body></html>",
        ]
    )


def _stage(path: Path) -> tuple[str, str]:
    """Return whose stage a benchmark is of: `posteriors/NAME/sample-000.tsv` and `blackhole/sample/bis-000.tsv`."""
    parts = [*path.parent.parts, path.stem]
    if parts[0] in ("posteriors", "observations", "ablations"):
        return f"{parts[0]}: {parts[1]}", parts[2].split("-")[0]
    return parts[0], "training of " + parts[2] if parts[1] == "train" else parts[1]


def _together(of: str, stage: str, jobs: Sequence[Mapping[str, str]]) -> JobTimes:
    seconds = [float(job["s"]) for job in jobs]
    # A job shorter than the time between two looks at it has no memory on record.
    memory = [float(job["max_rss"]) for job in jobs if job["max_rss"] not in ("-", "NA", "")]
    return JobTimes(of, stage, len(jobs), sum(seconds), max(seconds), max(memory, default=float("nan")))


def _numbers(stage: JobTimes) -> list[str]:
    memory = "–" if stage.peak_memory_mb != stage.peak_memory_mb else f"{stage.peak_memory_mb / 1000:.1f}"
    return [str(stage.jobs), f"{stage.seconds / 60:.1f}", f"{stage.longest_s / 60:.1f}", memory]


def _row(*cells: str) -> str:
    return "<tr>" + "".join(f"<td{_class(n)}>{html.escape(cell)}</td>" for n, cell in enumerate(cells)) + "</tr>"


def _class(column: int) -> str:
    return " class='number'" if column > 1 else ""


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    models = (
        [line.partition(":")[2].strip() for line in cpuinfo.open() if line.startswith("model name")]
        if cpuinfo.exists()
        else []
    )
    return models[0] if models else platform.processor() or "unknown"
