"""What a unit of work costs on a kind of machine: a table of what was measured, and what follows from it for a job."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from step.config.study import BASE_CONFIG, Config
from step.errors import InputError
from step.estimate.graph import Job
from step.estimate.work import GFLOP, OF_NETWORKS, StudyWork, Work
from step.io.tables import read_table

UNIT_COSTS = BASE_CONFIG.parents[1] / "resources" / "unit_costs.csv"
"""The table that comes with the project."""

PROCESSOR = "cpu"
"""The machine whose jobs have one core each; on a GPU's machine it does what is not `OF_NETWORKS`."""

ALIKE = 2.0
"""Amounts of work that differ by a smaller factor have no slope of their own: noise would decide it."""

FAR = 100.0
"""Networks that were measured with so many times fewer operations spent their time on something else: their start."""

MEASURED, ESTIMATED, BEYOND = "measured", "estimated", "beyond"
"""What an estimate rests on: a measurement, an estimate of another kind, or jobs that were far smaller, or others."""


@dataclass(frozen=True)
class UnitCost:
    """What jobs of one stage, alike in their work, took."""

    machine: str
    stage: str
    of: str  # as in `Work`
    work: float
    unit: str
    seconds: float  # of one job, the median
    jobs: int
    basis: str  # `MEASURED` or `ESTIMATED`
    source: str


def read_unit_costs(path: Path = UNIT_COSTS) -> list[UnitCost]:
    """Return the rows of the table; raises `InputError` for a column that is missing or no number."""
    try:
        return [
            UnitCost(
                **row | {name: float(row[name]) for name in ("work", "seconds")} | {"jobs": int(row["jobs"])}  # type: ignore[arg-type]
            )
            for row in read_table(path)
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is no table of unit costs ({error}); step unit_costs writes one") from None


def measured_costs(jobs: Iterable[Job], work: StudyWork, machine: str, source: str) -> list[UnitCost]:
    """Return the unit costs of a run: medians of the jobs' seconds, where they are alike."""
    seconds: dict[tuple[str, Work], list[float]] = defaultdict(list)
    for job in jobs:
        if job.stage and job.seconds is not None:
            seconds[job.stage, work.of(job)].append(job.seconds)
    return [
        UnitCost(machine, stage, of.of, of.amount, of.unit, statistics.median(each), len(each), MEASURED, source)
        for (stage, of), each in sorted(
            seconds.items(), key=lambda item: (item[0][0], item[0][1].of, item[0][1].amount)
        )
    ]


def with_all_runs(job: Job, config: Config) -> Job:
    """Return `job` with the time of all runs that led to its network, if it trains one: the last may have gone on."""
    if job.stage != "train" or "ablation" in job.wildcards or job.ended_s is None:
        return job
    domain, prior = job.wildcards["domain"], job.wildcards.get("prior", "autoencoder")
    record = config.results / domain / "priors" / prior / "training.csv"
    if not record.is_file():
        return job
    seconds = 3600 * float(read_table(record)[0]["hours"])
    return replace(job, began_s=job.ended_s - max(seconds, job.seconds or 0.0))


def as_rows(costs: Iterable[UnitCost]) -> list[dict[str, object]]:
    """Return `costs` as rows of a table, with five digits."""
    return [asdict(cost) | {name: f"{getattr(cost, name):.5g}" for name in ("work", "seconds")} for cost in costs]


@dataclass(frozen=True)
class Estimate:
    """What one job will take, and what that is taken from; no seconds where nothing like it was measured."""

    seconds: float | None
    basis: str = MEASURED
    source: str = ""


class Machine:
    """A kind of machine, by what its jobs took."""

    def __init__(self, name: str, costs: Sequence[UnitCost]):
        """Take the rows of the table; raises `InputError` where none is of a machine `name`."""
        names = list(dict.fromkeys(cost.machine for cost in costs))
        if name not in names:
            raise InputError(f"no unit costs of a machine {name!r}; there are {', '.join(names)}")
        self.name = name
        self._costs: dict[tuple[str, str], list[UnitCost]] = defaultdict(list)
        for cost in costs:
            on_gpu = cost.stage in OF_NETWORKS
            if cost.machine == (name if on_gpu else PROCESSOR):
                self._costs[cost.stage, cost.of].append(cost)
                self._costs[cost.stage, "*"].append(cost)

    @property
    def has_gpu(self) -> bool:
        """Whether its networks run on a GPU."""
        return self.name != PROCESSOR

    def estimate(self, stage: str, work: Work) -> Estimate:
        """Return what a job of `stage` with so much `work` takes.

        A straight line through the two measured amounts of work nearest to it, never falling. Where there is one amount
        alone, operations of networks are in proportion to it; those of far more, or of a stage that was not measured,
        are as fast as samples. Another job of videos is taken to last as long as the measured one. Both are said to be
        `BEYOND` what was measured.
        """
        if not stage:
            return Estimate(0.0)
        rows = self._costs.get((stage, work.of)) or self._costs.get((stage, "*"))
        if not rows:
            return self._as_fast_as_samples(work) if stage in OF_NETWORKS else Estimate(None)
        points = _merged([(row.work, row.seconds) for row in rows])
        if len(points) == 1 and work.unit != GFLOP:
            basis = MEASURED if work.amount <= ALIKE * points[0][0] else BEYOND
            return Estimate(points[0][1], basis, rows[0].source)
        if len(points) == 1 and work.amount > FAR * points[0][0]:
            found = self._as_fast_as_samples(work)
            return replace(found, seconds=points[0][1] + (found.seconds or 0.0))
        nearest = min(rows, key=lambda row: abs(row.work - work.amount))
        return Estimate(_along_line(points, work), nearest.basis, nearest.source)

    def _as_fast_as_samples(self, work: Work) -> Estimate:
        """Return what so many operations take in samples of the same domain; no seconds where none was measured."""
        rows = self._costs.get(("sample", work.of.split(" ")[0])) or self._costs.get(("sample", "*"))
        if not rows:
            return Estimate(None)
        largest = max(rows, key=lambda row: row.work)
        return Estimate(work.amount * largest.seconds / largest.work, BEYOND, largest.source)


def _merged(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return amounts of work and seconds in ascending order, those of about the same work as one: their means."""
    groups: list[list[tuple[float, float]]] = []
    for point in sorted(points):
        if groups and point[0] <= ALIKE * groups[-1][0][0]:
            groups[-1].append(point)
        else:
            groups.append([point])
    return [(statistics.fmean(work for work, _ in group), statistics.fmean(s for _, s in group)) for group in groups]


def _along_line(points: Sequence[tuple[float, float]], work: Work) -> float:
    if len(points) == 1:
        amount, seconds = points[0]
        return seconds * work.amount / amount
    above = next((n for n, (amount, _) in enumerate(points) if amount >= work.amount), len(points) - 1)
    (low, at_low), (high, at_high) = points[max(above, 1) - 1 : max(above, 1) + 1]
    slope = max(0.0, (at_high - at_low) / (high - low))
    return max(0.0, at_low + slope * (work.amount - low))
