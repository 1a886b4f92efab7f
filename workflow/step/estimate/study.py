"""What the jobs of a study take together: hours by stage, hours of GPUs, and the time to the end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from step.config.study import Config
from step.estimate.graph import Job
from step.estimate.schedule import makespan
from step.estimate.unit_costs import BEYOND, ESTIMATED, PROCESSOR, Estimate, Machine
from step.estimate.work import OF_NETWORKS, StudyWork
from step.io.tables import read_table
from step.progress import in_words


@dataclass(frozen=True)
class StageEstimate:
    """The jobs of one stage."""

    stage: str
    jobs: int
    seconds: float  # of all together, those that are not known left out
    unknown: int  # jobs of a stage that was not measured on such a machine
    beyond: int  # jobs that were not measured, but far smaller ones or others
    sources: tuple[str, ...]  # what it is taken from; those that are no measurement say so

    @property
    def runs_network(self) -> bool:
        """Whether its jobs run on a GPU where there is one."""
        return self.stage in OF_NETWORKS


@dataclass(frozen=True)
class StudyEstimate:
    """What jobs of a study take on one kind of machine."""

    machine: str
    slots: int
    gpus: int | None
    stages: tuple[StageEstimate, ...]
    makespan_s: float

    @property
    def jobs(self) -> int:
        """The number of jobs."""
        return sum(stage.jobs for stage in self.stages)

    def hours(self, of_networks: bool) -> float:
        """Return the hours of all jobs that run networks, or of all others."""
        return sum(stage.seconds for stage in self.stages if stage.runs_network == of_networks) / 3600


def estimate_study(
    config: Config, jobs: Sequence[Job], machine: Machine, slots: int, gpus: int | None = None
) -> StudyEstimate:
    """Return what `jobs` take where `slots` of them run at once, `gpus` of those on GPUs; None for all."""
    work = study_work(config)
    estimates = [machine.estimate(job.stage, work.of(job)) if job.stage else Estimate(0.0) for job in jobs]
    stages: dict[str, list[Estimate]] = {}
    for job, estimate in zip(jobs, estimates, strict=True):
        if job.stage:
            stages.setdefault(job.stage, []).append(estimate)
    whole = makespan(jobs, [estimate.seconds or 0.0 for estimate in estimates], slots, gpus)
    return StudyEstimate(
        machine.name, slots, gpus, tuple(_stage(name, each) for name, each in sorted(stages.items())), whole
    )


def study_work(config: Config) -> StudyWork:
    """Return the work of the jobs of `config`, with the training data that there are."""
    return StudyWork(config, {domain: training_data(config, domain) for domain in config.priors})


def training_data(config: Config, domain: str) -> tuple[int, int]:
    """Return how many videos and images of `domain` are trained on: those of its index, or all that are allowed."""
    video, index = config.video_format(domain), config.results / domain / "index.csv"
    if not index.is_file():
        return video.videos, video.images
    used = [row for row in read_table(index) if row["split"] == "train" and row["use"] != "unused"]
    images = sum(video.frames if row["kind"] == "video" else 1 for row in used)
    return sum(row["use"] == "video" for row in used), min(video.images, images)


def without_missing_data(config: Config) -> tuple[Config, list[str]]:
    """Return `config` with simulated raw data where its own are not there, and the domains of which that is so."""
    missing = [
        domain
        for domain in config.priors
        if not (video := config.video_format(domain)).is_simulated
        and not video.root.exists()
        and {"source", "simulation"} <= set(type(video).model_fields)
    ]
    simulated: Mapping[str, object] = {
        domain: config.video_format(domain).model_copy(
            update={"source": "simulation", "root": Path(config.results, domain, "raw")}
        )
        for domain in missing
    }
    return config.model_copy(update={"data": {**config.data, **simulated}}), missing


def in_one_line(estimate: StudyEstimate) -> str:
    """Return jobs, hours and the time to the end as one line."""
    networks, others = _hours(estimate.hours(True)), _hours(estimate.hours(False))
    unknown = sum(stage.unknown for stage in estimate.stages)
    parts = [
        f"estimate for {estimate.machine}: {estimate.jobs:,} jobs",
        f"{networks} of networks and {others} of other work",
        f"{in_words(estimate.makespan_s)} to the end with {_places(estimate)}",
    ]
    parts += [f"{unknown:,} jobs of stages that were not measured there left out"] if unknown else []
    beyond = sum(stage.beyond for stage in estimate.stages)
    parts += [f"{beyond:,} counted by far smaller or other jobs"] if beyond else []
    return ", ".join(parts) + "; `step describe --costs` has the stages"


def as_lines(estimate: StudyEstimate) -> list[str]:
    """Return the estimate as a table of stages, where it is from, and the sums."""
    width = max(len(stage.stage) for stage in estimate.stages)
    lines = [f"{'stage':<{width}}  {'jobs':>6}  {'hours':>8}"]
    for stage in estimate.stages:
        remarks = [f"{stage.unknown:,} not measured there, left out"] if stage.unknown else []
        remarks += [f"{stage.beyond:,} by far smaller or other jobs"] if stage.beyond else []
        line = f"{stage.stage:<{width}}  {stage.jobs:>6,}  {stage.seconds / 3600:>8.3g}  {'; '.join(remarks)}"
        lines.append(line.rstrip())
    lines.append(f"{'together':<{width}}  {estimate.jobs:>6,}")
    where = "on processors" if estimate.machine == PROCESSOR else "on GPUs"
    lines.append(f"networks, {where}: {_hours(estimate.hours(True))}; all else: {_hours(estimate.hours(False))}")
    lines.append(f"to the end with {_places(estimate)}: {in_words(estimate.makespan_s)}, by a simulated schedule")
    sources: dict[str, list[str]] = {}
    for stage in estimate.stages:
        for source in stage.sources:
            sources.setdefault(source, []).append(stage.stage)
    return [*lines, "taken from", *(f"  {source}: {', '.join(stages)}" for source, stages in sources.items())]


def _stage(name: str, estimates: Sequence[Estimate]) -> StageEstimate:
    known = [estimate for estimate in estimates if estimate.seconds is not None]
    sources = dict.fromkeys(
        f"estimated, not measured: {estimate.source}" if estimate.basis == ESTIMATED else estimate.source
        for estimate in known
    )
    seconds = sum(estimate.seconds or 0.0 for estimate in known)
    beyond = sum(estimate.basis == BEYOND for estimate in known)
    return StageEstimate(name, len(estimates), seconds, len(estimates) - len(known), beyond, tuple(sources))


def _places(estimate: StudyEstimate) -> str:
    gpus = "" if estimate.gpus is None else f", {estimate.gpus} of them on a GPU"
    return f"{estimate.slots:,} jobs at once{gpus}"


def _hours(hours: float) -> str:
    return f"{hours:.3g} h"
