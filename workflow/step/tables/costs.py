"""The sampler's settings and what sampling took, next to the paper's (Table 2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from step.config.plan import compared_method
from step.config.sections import Name, Section
from step.config.study import Config
from step.config.tasks import Sampler
from step.errors import InputError
from step.figures import style
from step.io.tables import read_table
from step.products import About, Documents, Paper
from step.tables.document import NOTHING, Cell, Document, Part, write_document
from step.tables.paper import IN_THE_PAPER, read_paper_settings, task_label
from step.tables.settings import (
    PaperSettings,
    Setting,
    number_in,
    setting_columns,
    setting_lines,
    short_text,
    tidy_row,
    tidy_settings,
)

CostRow = Mapping[str, str]
"""The row of one job's table of costs, as text."""

COST_COLUMNS = (
    "videos",
    "samples",
    "seconds",
    "peak_memory_gb",
    "device",
    "threads",
    "decoder_evaluations",
    "denoiser_evaluations",
)

SAMPLING = (
    Setting("ode_steps", "number of steps", "PF-ODE related"),
    Setting("hmc_steps", "number of steps", "HMC related"),
    Setting("damping", "scaling factor γ"),
    Setting("step_size_squared", "step size square η"),
    Setting("noise_level", "observation noise level τ"),
    Setting("annealing_levels", "number of steps K", "Decoupled annealing related"),
    Setting("final_time", "final time"),
    Setting("decoder_evaluations", "decoder NFE, counted", "Inference related"),
    Setting("ode_evaluations", "diffusion model NFE, PF-ODE alone"),
    Setting("denoiser_evaluations", "diffusion model NFE, all, counted"),
    Setting("seconds_per_sample", "time per sample [s]"),
    Setting("memory", "memory [GB]"),
    Setting("device", "device"),
)
"""The rows of Table 2, and of ours what the paper does not count."""


class SamplerOfTask(Section):
    """The sampler of one task."""

    task: Name
    domain: Name
    sampler: Sampler


class CostsTableSettings(Section):
    """The samplers of the whole study's tasks, in their order, and the method whose costs stand next to the paper's."""

    tasks: tuple[SamplerOfTask, ...]
    method: Name


Settings = CostsTableSettings


def select(config: Config) -> CostsTableSettings:
    """Return the samplers of the tasks of the whole study."""
    tasks = {task: config.tasks[task] for task in config.targets.all}
    return CostsTableSettings(
        tasks=tuple(
            SamplerOfTask(task=name, domain=chosen.domain, sampler=chosen.sampler) for name, chosen in tasks.items()
        ),
        method=compared_method(config),
    )


@dataclass(frozen=True)
class Files:
    """The costs of the sampling jobs, and their table."""

    costs: Annotated[
        Mapping[tuple[str, str], tuple[Path, ...]],
        About(
            help="a task, a method and the costs of its sampling jobs; once per task and method",
            words=("TASK METHOD CSV", "CSV"),
        ),
    ]
    paper: Paper
    output: Documents


def tabulate(files: Files, settings: CostsTableSettings) -> None:
    """Write the table; raises `InputError` where costs are of another task, or a task has none."""
    files_of = _files_by_task(files.costs, settings)
    tasks = []
    for of in settings.tasks:
        costs = {
            method: add_costs([row for path in paths for row in read_table(path)], f"the cost of {method} in {of.task}")
            for method, paths in files_of[of.task].items()
        }
        tasks.append(SampledTask(of.task, of.domain, of.sampler, costs))
    paper = read_paper_settings(read_table(files.paper), "table2", str(files.paper))
    write_document(cost_document("Table 2: sampling", tasks, settings.method, paper), files.output)


@dataclass(frozen=True)
class Cost:
    """What one method's sampling took, over all its jobs."""

    seconds_per_sample: float
    memory_gb: float  # of the job that took most
    device: str
    decoder_evaluations: float  # per sample
    denoiser_evaluations: float  # per sample


@dataclass(frozen=True)
class SampledTask:
    """One task: what its sampler is set to, and what each method took."""

    task: str
    domain: str
    sampler: Sampler
    costs: Mapping[str, Cost]


def add_costs(rows: Sequence[CostRow], source: str) -> Cost:
    """Return what the jobs in `rows` took together; raises `InputError`, naming `source`, for a missing column."""
    missing = [column for column in COST_COLUMNS if any(column not in row for row in rows)]
    if missing or not rows:
        raise InputError(f"{source} has no {missing[0] if missing else 'rows'}; sample again")
    sampled = [number_in(row, "videos", source) * number_in(row, "samples", source) for row in rows]
    counts = {}
    for column in ("decoder_evaluations", "denoiser_evaluations"):
        total = sum(n * number_in(row, column, source) for n, row in zip(sampled, rows, strict=True))
        counts[column] = total / sum(sampled)
    return Cost(
        seconds_per_sample=sum(number_in(row, "seconds", source) for row in rows) / sum(sampled),
        memory_gb=max(number_in(row, "peak_memory_gb", source) for row in rows),
        device="; ".join(dict.fromkeys(f"{row['device']}, threads: {row['threads']}" for row in rows)),
        **counts,
    )


def cost_document(title: str, tasks: Sequence[SampledTask], method: str, paper: PaperSettings) -> Document:
    """Return Table 2: settings and costs of `method`, then the time that every method takes."""
    values = {of.task: _sampling_values(of, method) for of in tasks}
    domains = {of.task: of.domain for of in tasks}
    names = {of.task: task_label(of.task) for of in tasks}
    name = _label(method)
    settings = Part(
        f"Sampling: settings, and costs of {name}",
        setting_columns(names),
        setting_lines(SAMPLING, values, domains, paper),
        (
            "Costs are measured: evaluations are of a whole video and per sample, times without the start of a job, "
            "memory is the peak of the job that took most.",
            f"Columns “{IN_THE_PAPER}” are the paper's own values, of its data, sizes and machine.",
        ),
    )
    rows = tidy_settings(SAMPLING, values, domains, paper, method)
    rows += [
        tidy_row(of.task, other, "seconds_per_sample", f"{cost.seconds_per_sample}", "")
        for of in tasks
        for other, cost in of.costs.items()
        if other != method
    ]
    return Document(title, (settings, _time_part(tasks, method, paper)), tuple(rows))


def _files_by_task(
    given: Mapping[tuple[str, str], tuple[Path, ...]], settings: CostsTableSettings
) -> dict[str, dict[str, tuple[Path, ...]]]:
    """Return the files of each task and method.

    Raises `InputError` unless they are of just the tasks of `settings`, the method that is shown among them.
    """
    tasks = [of.task for of in settings.tasks]
    files: dict[str, dict[str, tuple[Path, ...]]] = {task: {} for task in tasks}
    for (task, method), paths in given.items():
        if task not in files:
            raise InputError(f"--cost {task} {method}: give costs of the tasks {tasks}")
        files[task][method] = paths
    missing = [task for task, of_task in files.items() if not of_task]
    if missing:
        raise InputError(f"there are no costs of {missing[0]}; give them with --cost {missing[0]} METHOD FILE")
    missing = [task for task, of_task in files.items() if settings.method not in of_task]
    if missing:
        raise InputError(f"there are no costs of {settings.method} in {missing[0]}; give them with --cost")
    return files


def _sampling_values(of: SampledTask, method: str) -> dict[str, str]:
    sampler, cost = of.sampler, of.costs[method]
    return {
        "ode_steps": str(sampler.ode.steps),
        "hmc_steps": str(sampler.mcmc.steps),
        "damping": short_text(sampler.mcmc.damping),
        "step_size_squared": short_text(sampler.mcmc.step_size_squared),
        "noise_level": short_text(sampler.likelihood.noise_level),
        "annealing_levels": str(sampler.annealing.levels),
        "final_time": short_text(sampler.annealing.sigma_max),
        "decoder_evaluations": short_text(cost.decoder_evaluations),
        "ode_evaluations": str(sampler.annealing.levels * sampler.ode.steps),
        "denoiser_evaluations": short_text(cost.denoiser_evaluations),
        "seconds_per_sample": f"{cost.seconds_per_sample:.4g}",
        "memory": f"{cost.memory_gb:.3g}",
        "device": cost.device,
    }


def _time_part(tasks: Sequence[SampledTask], method: str, paper: PaperSettings) -> Part:
    """Return the time that each method takes; the paper tells it of its own method alone."""
    lines = []
    for other in dict.fromkeys(name for of in tasks for name in of.costs):
        cells = [Cell(_label(other))]
        for of in tasks:
            ours = f"{of.costs[other].seconds_per_sample:.4g}" if other in of.costs else NOTHING
            theirs = paper.get((of.domain, "seconds_per_sample"), NOTHING) if other == method else NOTHING
            cells += [Cell(ours), Cell(theirs, "paper")]
        lines.append(tuple(cells))
    names = {of.task: task_label(of.task) for of in tasks}
    return Part("Time per sample [s] of every method", setting_columns(names), tuple(lines), _devices(tasks))


def _devices(tasks: Sequence[SampledTask]) -> tuple[str, ...]:
    devices = dict.fromkeys(cost.device for of in tasks for cost in of.costs.values())
    return (f"On: {'; '.join(devices)}.",)


def _label(method: str) -> str:
    return " ".join(style.label(method).split())
