"""What jobs ask a cluster for, by their size."""

from collections.abc import Mapping, Sequence
from math import ceil

from step.config.study import Config
from step.estimate.graph import Job
from step.estimate.unit_costs import PROCESSOR, Machine, UnitCost
from step.estimate.work import StudyWork

START_MIN = 60
"""Minutes for a job to start and to load its networks, whatever it samples."""

SLOWER = 4
"""So many times longer than the measured GPU one may take. A job that is stopped goes on in its next try."""

UNMEASURED_MIN = 240
"""Minutes that a job asks for where no GPU was measured."""


def sampling_minutes(config: Config, wildcards: Mapping[str, str], costs: Sequence[UnitCost]) -> int:
    """Return the minutes that a sampling job with these `wildcards` asks for, by its samples and what one costs."""
    gpu = next((cost.machine for cost in costs if cost.machine != PROCESSOR), None)
    if gpu is None:
        return UNMEASURED_MIN
    machine, work = Machine(gpu, costs), StudyWork(config, {})
    # Of a shard of test videos there are the samples of the tables and, in another job, those of the calibration.
    rules = ("sample", "sample_calibration") if "task" in wildcards else ("sample",)
    jobs = [Job(rule, "sample", wildcards, (), True) for rule in rules]
    seconds = max(machine.estimate(job.stage, work.of(job)).seconds or 0.0 for job in jobs)
    return ceil(START_MIN + SLOWER * seconds / 60)
