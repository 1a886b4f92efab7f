"""The jobs of a study, as snakemake plans them."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from step.errors import InputError
from step.io.atomic import whole_file

STAGE = re.compile(r"python -m step ([\w.]+(?: [\w.]+)?) --")
"""What a job's command begins with: the words of its stage."""

REPORT = "report"
"""What the stage of the jobs is called that snakemake itself works in."""


@dataclass(frozen=True)
class Job:
    """One job: what it does, and the numbers of the jobs that it waits for."""

    rule: str
    stage: str  # such as `sample`, or `plot comparison`; '' for a target, which does nothing itself
    wildcards: Mapping[str, str]
    needs: tuple[int, ...]
    gpu: bool
    priority: int = 0
    began_s: float | None = None  # of its last run, seconds since the epoch
    ended_s: float | None = None
    is_planned: bool = True  # whether it is to be run; else its files are there and up to date
    outputs: tuple[str, ...] = ()
    log: str = ""
    benchmark: str = ""  # the file that snakemake writes its seconds to; '' for none

    @property
    def seconds(self) -> float | None:
        """What its last run took; None where there was none."""
        return None if self.began_s is None or self.ended_s is None else self.ended_s - self.began_s


def stage_of(command: str | None) -> str:
    """Return the words of the stage that a rule's `command` runs; '' for none."""
    if not command:
        return ""
    found = STAGE.search(command)
    return found[1] if found else REPORT if "snakemake" in command else ""


def planned_jobs(dag: Any, all_of_them: bool = False) -> list[Job]:
    """Return the jobs of snakemake's `dag` that it would run, or all of them, each behind those that it waits for.

    Those that a dry run has gone through, and takes for finished, are among them.
    """
    chosen = set(dag.jobs if all_of_them else dag.needrun_jobs(exclude_finished=False))
    ordered: list[Any] = []
    waiting, seen = [(job, False) for job in dag.jobs if job in chosen], set()
    while waiting:  # depth first, without recursion: chains of jobs are long
        job, is_ready = waiting.pop()
        if is_ready:
            ordered.append(job)
        elif job not in seen:
            seen.add(job)
            waiting.append((job, True))
            waiting += [(other, False) for other in dag.dependencies[job] if other in chosen]
    number = {job: n for n, job in enumerate(ordered)}
    planned = chosen if not all_of_them else set(dag.needrun_jobs(exclude_finished=False))
    needs = {job: sorted(number[other] for other in dag.dependencies[job] if other in chosen) for job in ordered}
    return [_planned_job(dag, job, tuple(needs[job]), job in planned) for job in ordered]


def _planned_job(dag: Any, job: Any, needs: tuple[int, ...], is_planned: bool) -> Job:
    began_s, ended_s = _times_of(dag, job)
    return Job(
        job.rule.name,
        stage_of(job.rule.shellcmd),
        dict(job.wildcards_dict),
        needs,
        "gpu" in job.rule.resources,
        job.rule.priority,
        began_s,
        ended_s,
        is_planned,
        outputs=tuple(map(str, job.output)),
        log=next(iter(map(str, job.log)), ""),
        benchmark=str(job.benchmark or ""),
    )


def write_graph(path: Path, jobs: Iterable[Job]) -> None:
    """Write `jobs` to `path` as JSON."""
    with whole_file(path) as part:
        part.write_text(json.dumps([asdict(job) for job in jobs]))


def job_from_json(values: Mapping[str, Any]) -> Job:
    """Return the job of which `asdict` gave `values`."""
    arguments: dict[str, Any] = {n: tuple(value) if isinstance(value, list) else value for n, value in values.items()}
    return Job(**arguments)


def read_graph(path: Path) -> list[Job]:
    """Return the jobs that `write_graph` wrote; raises `InputError` where there are none."""
    if not path.is_file():
        raise InputError(f"no graph of jobs {path}; snakemake -n writes it, with STEP_GRAPH={path}")
    return [job_from_json(job) for job in json.loads(path.read_text())]


def _times_of(dag: Any, job: Any) -> tuple[float | None, float | None]:
    """Return when the last run of `job` began and ended; None twice where there was none, or its files are lost."""
    if not job.output:
        return None, None
    record = dag.workflow.persistence.metadata(job.output[0])
    known = dict(record.items()) if record else {}
    return known.get("starttime"), known.get("endtime")
