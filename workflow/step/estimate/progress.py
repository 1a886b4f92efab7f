"""How far a run of a study is, from its files alone: jobs done, time left, what is at work, losses so far."""

import csv
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from step.config.study import Config
from step.errors import InputError
from step.estimate.graph import REPORT, Job, job_from_json
from step.estimate.schedule import makespan
from step.estimate.study import study_work
from step.estimate.unit_costs import PROCESSOR, Machine, UnitCost, measured_costs
from step.estimate.work import OF_NETWORKS
from step.io.atomic import whole_file
from step.io.tables import read_table

PLANNED_RUN = Path("logs", "progress.json")
"""Where in the folder of results the jobs of the last run are."""

CLOCKS_DIFFER_S = 60.0
"""By so much the clock of a file server may be behind: a file counts as new that is so much older than the run."""

POSITION = re.compile(r": \w+ (\d+) of (\d+)\b")
"""Which item a job is at, in the lines of `step.progress`."""


@dataclass(frozen=True)
class PlannedRun:
    """All jobs of a run as they were planned at its beginning."""

    began_s: float  # seconds since the epoch
    machine: str
    slots: int
    jobs: tuple[Job, ...]


@dataclass(frozen=True)
class JobAtWork:
    """A job that has begun in this run and is not done: it runs, or it failed."""

    log: str
    last_line: str
    quiet_s: float  # since that was written
    done_share: float


@dataclass(frozen=True)
class TrainingSoFar:
    """The losses of a training, up to where its state was last saved."""

    name: str  # the folder of its network, below that of the results
    is_done: bool
    rows: tuple[Mapping[str, float], ...]  # columns of losses.csv


@dataclass(frozen=True)
class StudyProgress:
    """How far a run is."""

    at_s: float
    began_s: float
    done: Mapping[str, int]  # jobs by stage
    jobs: Mapping[str, int]
    left_s: float
    unknown: int  # jobs that are to come, of stages that were not measured: they count for nothing
    at_work: tuple[JobAtWork, ...]
    trainings: tuple[TrainingSoFar, ...]

    @property
    def is_complete(self) -> bool:
        """Whether all jobs are done."""
        return sum(self.done.values()) == sum(self.jobs.values())


def write_planned_run(path: Path, run: PlannedRun) -> None:
    """Write `run` to `path` as JSON."""
    with whole_file(path) as part:
        part.write_text(json.dumps(asdict(run)))


def read_planned_run(path: Path) -> PlannedRun:
    """Return the run that `write_planned_run` wrote; raises `InputError` where there is none, or none that is whole."""
    if not path.is_file():
        raise InputError(f"no run's jobs in {path}; snakemake writes them as it begins to run a study")
    try:
        values: dict[str, Any] = json.loads(path.read_text())
        return PlannedRun(**values | {"jobs": tuple(map(job_from_json, values["jobs"]))})
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path} is no run's jobs ({error}); delete it, snakemake writes it anew") from None


def study_progress(
    config: Config, run: PlannedRun, costs: Sequence[UnitCost], folder: Path, now_s: float
) -> StudyProgress:
    """Return how far `run` of the study `config` is at `now_s`, seconds since the epoch.

    `folder` is the one that snakemake runs in. The time left is that of a simulated schedule of the jobs that are not
    done, by what jobs of their stages took in this run, else by `costs`.
    """
    return _Look(config, run, costs, folder, now_s).progress


@dataclass(frozen=True)
class _Look:
    """One look at the files of a run."""

    config: Config
    run: PlannedRun
    costs: Sequence[UnitCost]
    folder: Path
    now_s: float

    @cached_property
    def done(self) -> list[bool]:
        """Whether each job is done; of one without files, whether all that it waits for is."""
        done: list[bool] = []
        for job in self.run.jobs:  # each behind those that it waits for
            done.append(self._is_there(job) if job.outputs else all(done[other] for other in job.needs))
        return done

    @property
    def progress(self) -> StudyProgress:
        """How far the run is."""
        working = [(job, ended) for job, ended in zip(self.run.jobs, self.done, strict=True) if job.stage]
        stages = dict.fromkeys(job.stage for job, _ in working)
        at_work = {number: found for number, job in self._to_come if (found := self._at_work(job))}
        left_s, unknown = self._left({number: found.done_share for number, found in at_work.items()})
        return StudyProgress(
            self.now_s,
            self.run.began_s,
            {stage: sum(ended for job, ended in working if job.stage == stage) for stage in stages},
            {stage: sum(job.stage == stage for job, _ in working) for stage in stages},
            left_s,
            unknown,
            tuple(sorted(at_work.values(), key=lambda found: found.quiet_s)),
            tuple(filter(None, (self._training(job, ended) for job, ended in working if job.stage == "train"))),
        )

    @property
    def _to_come(self) -> list[tuple[int, Job]]:
        return [(number, job) for number, job in enumerate(self.run.jobs) if not self.done[number]]

    def _is_there(self, job: Job) -> bool:
        """Return whether the files of `job` are there, and written in this run if it was planned to write them."""
        try:
            oldest = min((self.folder / file).stat().st_mtime for file in job.outputs)
        except FileNotFoundError:
            return False
        return not job.is_planned or oldest > self.run.began_s - CLOCKS_DIFFER_S

    def _at_work(self, job: Job) -> JobAtWork | None:
        log = self.folder / job.log
        if not job.log or job.stage == REPORT or not log.is_file():
            return None
        written_s = log.stat().st_mtime
        if written_s < self.run.began_s:
            return None
        lines = log.read_text(errors="replace").splitlines()
        positions = [found for line in lines if (found := POSITION.search(line))]
        share = (int(positions[-1][1]) - 1) / max(1, int(positions[-1][2])) if positions else 0.0
        return JobAtWork(job.log, lines[-1] if lines else "", max(0.0, self.now_s - written_s), share)

    def _left(self, share_done: Mapping[int, float]) -> tuple[float, int]:
        """Return the seconds to the end, and the number of jobs of which nothing is known."""
        if not self._to_come:
            return 0.0, 0
        work = study_work(self.config)
        timed = [job for job, ended in zip(map(self._timed, self.run.jobs), self.done, strict=True) if ended]
        measured = [
            replace(cost, machine=self.run.machine if cost.stage in OF_NETWORKS else PROCESSOR)
            for cost in measured_costs(timed, work, self.run.machine, "this run")
        ]
        known = {(cost.machine, cost.stage, cost.of) for cost in measured}
        others = [cost for cost in self.costs if (cost.machine, cost.stage, cost.of) not in known]
        machine = Machine(self.run.machine, [*measured, *others])
        place = {number: new for new, (number, _) in enumerate(self._to_come)}
        jobs, seconds, unknown = [], [], 0
        for number, job in self._to_come:
            estimated = machine.estimate(job.stage, work.of(job)).seconds if job.stage else 0.0
            unknown += estimated is None
            jobs.append(replace(job, needs=tuple(place[other] for other in job.needs if other in place)))
            seconds.append((estimated or 0.0) * (1 - share_done.get(number, 0.0)))
        return makespan(jobs, seconds, self.run.slots), unknown

    def _timed(self, job: Job) -> Job:
        """Return `job` with the seconds that snakemake noted for it in this run; without any where there are none."""
        file = self.folder / job.benchmark
        rows: list[dict[str, str]] = []
        if job.benchmark and job.is_planned and file.is_file():
            with file.open(newline="") as table:
                rows = list(csv.DictReader(table, delimiter="\t"))
        return replace(job, began_s=0.0 if rows else None, ended_s=float(rows[-1]["s"]) if rows else None)

    def _training(self, job: Job, ended: bool) -> TrainingSoFar | None:
        """Return the losses of the training `job`; None where it has none yet."""
        network = self.folder / job.outputs[0]
        name = str(Path(job.outputs[0]).relative_to(self.config.results))
        if ended:
            table = read_table(network / "losses.csv")
            return TrainingSoFar(name, True, tuple({key: float(value) for key, value in row.items()} for row in table))
        if "ablation" in job.wildcards:
            root = self.folder / self.config.results / "ablations/.state"
            states = root.joinpath(job.wildcards["ablation"], job.wildcards["point"]).glob("*/*.safetensors")
        else:
            states = network.parent.joinpath(".state", network.name).glob("*.safetensors")
        newest = max(states, key=lambda file: file.stat().st_mtime, default=None)
        rows = _rows_of_state(newest) if newest else []
        return TrainingSoFar(name, False, tuple(rows)) if rows else None


def _rows_of_state(file: Path) -> list[dict[str, float]]:
    """Return the losses in a training's saved state, of which the header is read alone; none of a damaged one."""
    with file.open("rb") as state:
        size = int.from_bytes(state.read(8), "little")
        header = state.read(min(size, file.stat().st_size))
    try:
        return json.loads(json.loads(header)["__metadata__"]["rows"])
    except (ValueError, KeyError):
        return []
