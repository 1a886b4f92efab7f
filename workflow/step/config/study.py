"""The whole configuration: read, merged, checked."""

import os
import re
import sysconfig
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from step.config.ablations import EPOCH, Ablation, with_value
from step.config.benchmark import Benchmark
from step.config.calibration import Calibration, Uncertainty
from step.config.data import VideoFormat, VideosByDomain
from step.config.figures import Figures
from step.config.generation import Generation
from step.config.methods import OURS, Method
from step.config.metrics import Evaluation, Weights
from step.config.modes import Modes
from step.config.observations import Observation
from step.config.posteriors import Posterior
from step.config.priors import DomainPriors
from step.config.sections import Name, Section
from step.config.tasks import MeasurementOfDomain, Task
from step.config.tuning import Tuning
from step.errors import InputError

_FILE = Path("config", "config.yaml")
_PLACES = (
    Path(__file__).resolve().parents[3] / _FILE,  # the project's folder
    Path(sysconfig.get_path("data"), "share/step-workflow") / _FILE,  # an installed copy
)
BASE_CONFIG = next((file for file in _PLACES if file.exists()), _FILE)
"""The paper's study, over which every other configuration file is laid."""


S = TypeVar("S", bound=BaseModel)


class Tour(Section):
    """What `snakemake tour` makes."""

    tasks: tuple[Name, ...] = Field(description="tasks of the tour")
    methods: tuple[Name, ...] = Field(description="methods of the tour, in the order of its tables and pictures")
    learned_metrics: bool = Field(
        description="whether its tables have LPIPS and FVD, which take as long as a sample; those of `all` do"
    )


class Targets(Section):
    """What `snakemake tour` and `snakemake all` make."""

    tour: Tour
    all: tuple[Name, ...] = Field(description="tasks of the whole study, with all methods")
    ablations: tuple[Name, ...] = Field(
        description="ablations of the whole study; `snakemake ablations` makes the others too"
    )

    def tasks_of(self, target: str) -> tuple[str, ...]:
        """Return the tasks that the report of a `target` shows, `tour` or `study`."""
        return self.tour.tasks if target == "tour" else self.all


class Config(Section):
    """The description of a study: config/config.yaml with anything overlaid on it."""

    seed: int = Field(ge=0, description="the study's seed; every random number derives from it")
    results: Path = Field(description="folder of all results, and of the state from which training goes on")
    targets: Targets
    data: VideosByDomain = Field(description="the raw files and videos of each domain")
    priors: dict[Name, DomainPriors] = Field(description="the priors of each domain")
    tasks: dict[Name, Task] = Field(description="the inverse problems; each has its folder of results")
    methods: dict[Name, Method] = Field(description="the ways to reconstruct, in the order of the tables")
    observations: dict[Name, Observation] = Field(description="measured data, each with its folder of results")
    posteriors: dict[Name, Posterior] = Field(
        description="simulated measurements of which many samples are taken, each with its folder of results"
    )
    modes: Modes
    uncertainty: Uncertainty
    calibration: Calibration
    generation: Generation
    figures: Figures
    ablations: dict[Name, Ablation] = Field(description="axes along which the study is varied, each with its folder")
    tuning: Tuning
    benchmark: Benchmark
    weights: Weights
    evaluation: Evaluation
    tables: dict[Name, tuple[Name, ...]] = Field(
        description="tables of all methods: the tasks of each, in their order (the paper's are `table1` and `table4`)"
    )

    @model_validator(mode="after")
    def _names_exist(self) -> "Config":
        domains = set(self.data)
        for name, task in self.tasks.items():
            if task.domain not in domains:
                raise ValueError(f"tasks.{name}.domain is {task.domain!r}; the domains are {sorted(domains)}")
        tasks_of = {"targets.tour.tasks": self.targets.tour.tasks, "targets.all": self.targets.all}
        tasks_of |= {f"tables.{name}": tasks for name, tasks in self.tables.items()}
        for key, names in tasks_of.items():
            for name in names:
                if name not in self.tasks:
                    raise ValueError(f"{key} names {name!r}; the tasks are {list(self.tasks)}")
        for name in self.targets.tour.methods:
            if name not in self.methods:
                raise ValueError(f"targets.tour.methods names {name!r}; the methods are {list(self.methods)}")
        for name, task in self.tasks.items():
            for row in task.references:
                if row in self.methods:
                    raise ValueError(f"tasks.{name}.references has {row!r}, as methods have; rename the method")
        warping = [name for name, method in self.methods.items() if method.uses_optical_flow]
        for name, task in self.tasks.items():
            if warping and task.optical_flow is None:
                raise ValueError(
                    f"tasks.{name}.optical_flow is null, and {warping[0]} moves its noise with it; give one"
                )
        for section in ("observations", "posteriors", "ablations"):
            for name, entry in getattr(self, section).items():
                for key, entries in (("task", self.tasks), ("method", self.methods)):
                    if (value := getattr(entry, key)) not in entries:
                        raise ValueError(f"{section}.{name}.{key} is {value!r}; the study has {list(entries)}")
        named: tuple[tuple[str, Sequence[str], Collection[str]], ...] = (
            ("targets.ablations", self.targets.ablations, self.ablations),
            ("calibration.tasks", self.calibration.tasks, self.tasks),
            ("calibration.methods", self.calibration.methods, self.methods),
            ("figures.deltas", self.figures.deltas, self.methods),
            ("tuning.tasks", self.tuning.tasks, self.tasks),
            ("tuning.method", [self.tuning.method], self.methods),
            ("benchmark.tasks", self.benchmark.tasks, self.tasks),
            ("benchmark.method", [self.benchmark.method], self.methods),
        )
        for key, used, known in named:
            for name in used:
                if name not in known:
                    raise ValueError(f"{key} names {name!r}; the study has {list(known)}")
        if (sampler := self.methods[self.benchmark.method].sampler) != OURS:
            raise ValueError(
                f"benchmark.method is {self.benchmark.method!r}, whose sampler is {sampler}; the parts that are timed "
                f"are those of {OURS}: take a method of that"
            )
        if self.methods[self.benchmark.method].uses_optical_flow:
            raise ValueError(
                f"benchmark.method is {self.benchmark.method!r}, which moves its noise with an optical flow; "
                "noise has none: take another one"
            )
        for name, observation in self.observations.items():
            optical_flow = self.tasks[observation.task].optical_flow
            if (
                self.methods[observation.method].uses_optical_flow
                and optical_flow is not None
                and optical_flow.source == "truth"
            ):
                raise ValueError(
                    f"observations.{name}.method is {observation.method!r}, which moves its noise with the optical "
                    f"flow of the truth (tasks.{observation.task}.optical_flow.source); a real measurement has none: "
                    "take another one"
                )
        for domain, priors in self.priors.items():
            if domain not in domains:
                raise ValueError(f"priors.{domain}: the domains are {sorted(domains)}")
            factor = priors.autoencoder.downsampling * priors.chosen_denoiser.downsampling
            resolution = self.video_format(domain).resolution
            if resolution % factor:
                raise ValueError(
                    f"data.{domain}.resolution is {resolution}; the networks of priors.{domain} need a "
                    f"multiple of {factor}"
                )
        return self

    @model_validator(mode="after")
    def _analyses_fit_the_study(self) -> "Config":
        for name, posterior in self.posteriors.items():
            domain = self.tasks[posterior.task].domain
            n_videos = self.video_format(domain).test_videos
            if int(posterior.video.removeprefix("video")) >= n_videos:
                raise ValueError(
                    f"posteriors.{name}.video is {posterior.video}, data.{domain}.test_videos is {n_videos}; "
                    "choose an earlier one"
                )
        for name, ablation in self.ablations.items():
            self._check_axis(name, ablation)
        for task in self.calibration.tasks:
            if self.calibration.samples <= self.tasks[task].samples:
                raise ValueError(
                    f"calibration.samples is {self.calibration.samples}, of which tasks.{task}.samples has "
                    f"{self.tasks[task].samples} already; raise it"
                )
        return self

    @model_validator(mode="after")
    def _priors_can_be_trained(self) -> "Config":
        for domain, priors in self.priors.items():
            video = self.video_format(domain)
            remedy = f"or name a trained prior in priors.{domain}.pretrained, which is null"
            if priors.pretrained is None and not video.videos:
                raise ValueError(f"data.{domain}.videos is 0, so that there is nothing to train on; raise it, {remedy}")
            n_held_out, n_simulated = video.split.n_held_out, len(video.simulated_subjects)
            of_subjects = video.is_simulated and video.split.unit == "subject"
            if priors.pretrained is None and of_subjects and n_held_out >= n_simulated:
                raise ValueError(
                    f"data.{domain}.split holds out {n_held_out} of {n_simulated} simulated subjects, so that there is "
                    f"nobody to train on; hold out fewer, simulate more, {remedy}"
                )
        return self

    def _check_axis(self, name: str, ablation: Ablation) -> None:
        domain, prior = self.tasks[ablation.task].domain, self.methods[ablation.method].prior
        if ablation.key == EPOCH:
            return
        may_change = [f"tasks.{ablation.task}.sampler.", f"methods.{ablation.method}."]
        if prior != "image":
            may_change += [f"priors.{domain}.{prior}.", f"data.{domain}.videos"]
        if not ablation.key.startswith(tuple(may_change)):
            raise ValueError(f"ablations.{name}.key is {ablation.key!r}; it may be epoch or begin with {may_change}")

    def video_format(self, domain: str) -> VideoFormat:
        """Return the `data` section of a domain."""
        return self.data[domain]

    def measurement_of(self, task: str) -> MeasurementOfDomain:
        """Return a task's measurement with the geometry of its domain's videos, as the stages use it."""
        chosen = self.tasks[task]
        geometry = self.video_format(chosen.domain).geometry
        return MeasurementOfDomain(**chosen.measurement.model_dump(), geometry=geometry)

    def latent_shape(self, domain: str) -> tuple[int, int, int, int]:
        """Return (time, latent_channel, latent_y, latent_x) of a domain's latent videos."""
        video, autoencoder = self.video_format(domain), self.priors[domain].autoencoder
        side = video.resolution // autoencoder.downsampling
        return video.frames, autoencoder.latent_channels, side, side


def load_config(*files: Path | str) -> Config:
    """Return the study that `files` describe, each overlaid on the ones before it and all over `BASE_CONFIG`.

    Raises `InputError` with one line for a file that is missing, is not YAML, or has an unknown key or a
    value out of range.
    """
    merged: dict[str, Any] = {}
    paths = [Path(file) for file in files]
    if BASE_CONFIG.exists() and BASE_CONFIG.resolve() not in [path.resolve() for path in paths]:
        paths.insert(0, BASE_CONFIG)
    for path in paths:
        merged = overlaid(merged, _read_yaml(path))
    return check_config(merged, source=", ".join(str(path) for path in paths))


def overlaid_on_base(values: dict[str, Any]) -> dict[str, Any]:
    """Return `BASE_CONFIG` with `values` overlaid on it, unchecked; raises `InputError` where it cannot be read."""
    return overlaid(_read_yaml(BASE_CONFIG), values)


def check_config(values: dict[str, Any], source: str) -> Config:
    """Return the checked configuration of `values`; raises `InputError` naming key, value and `source`.

    A relative path that leads nowhere from the working directory, but to a file of the project from the project's
    folder, such as ``resources/eht2017.csv``, is that of the project's file; see `own_path`.
    """
    try:
        return Config.model_validate(_with_own_files(_with_likes(values, source)))
    except ValidationError as error:
        raise InputError(f"{describe_problem(error)} (in {source})") from None


def _with_likes(values: dict[str, Any], source: str) -> dict[str, Any]:
    """Return `values` where each task that names another as `like` has that one's values below its own.

    Raises `InputError` where there is no such task, or tasks are like one another.
    """
    tasks = values.get("tasks")
    if not isinstance(tasks, dict):
        return values

    def whole(name: str, above: tuple[str, ...]) -> Any:
        task = tasks[name]
        other = task.get("like") if isinstance(task, dict) else None
        if not isinstance(other, str):
            return task
        if other not in tasks or other in (*above, name):
            fault = "which is like it" if other in tasks else f"the tasks are {list(tasks)}"
            raise InputError(f"tasks.{name}.like is {other!r}; {fault}: name another task (in {source})")
        below = whole(other, (*above, name))
        return overlaid(below, task) if isinstance(below, dict) else task

    return values | {"tasks": {name: whole(name, ()) for name in tasks}}


def check_section(section: type[S], values: dict[str, Any], where: str) -> S:
    """Return the checked section of `values`; raises `InputError` naming `where` they stand, key and value."""
    try:
        return section.model_validate(values)
    except ValidationError as error:
        raise InputError(f"{where}: {describe_problem(error)}") from None


def varied(config: Config, name: str, value: bool | int | float | str) -> Config:
    """Return `config` with `value` for the key of the ablation `name`; of epochs, `config` itself.

    Raises `InputError` where there is no such key, or it cannot have that value.
    """
    key = config.ablations[name].key
    if key == EPOCH:
        _check_epoch(config, name, value)
        return config
    # Without the ablations themselves, which need not fit a study that is varied.
    values = config.model_dump(mode="json") | {"ablations": {}}
    values["targets"]["ablations"] = []
    try:
        values = with_value(values, key, value)
    except KeyError as error:
        raise InputError(f"ablations.{name}.key is {key!r}; the configuration has no {error.args[0]!r} there") from None
    return check_config(values, source=f"ablations.{name}, value {value!r}")


def _check_epoch(config: Config, name: str, epoch: object) -> None:
    """Raise `InputError` unless the prior of the ablation `name` is kept as it is after `epoch`."""
    ablation = config.ablations[name]
    domain, prior = config.tasks[ablation.task].domain, config.methods[ablation.method].prior
    training = getattr(config.priors[domain], prior)
    last = training.optimisation.epochs
    kept = [*(kept for kept in getattr(training, "kept_epochs", ()) if kept <= last), last]
    if epoch not in kept:
        raise InputError(
            f"ablations.{name}.values has epoch {epoch}; of priors.{domain}.{prior} there are {_listed(kept)}: add it "
            "to kept_epochs, or change values"
        )


def _listed(numbers: list[float]) -> str:
    return ", ".join(f"{number:g}" for number in numbers)


def overlaid(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Return `below` with the values of `above` in their place, mapping by mapping."""
    merged = dict(below)
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            value = overlaid(merged[key], value)
        merged[key] = value
    return merged


def describe_problem(error: ValidationError) -> str:
    """Return the first problem of a pydantic error as one line: key, what is wrong, value, remedy."""
    problem = error.errors(include_url=False)[0]
    # Next to keys, pydantic names the member of a union that refused the value: `scale.constrained-float`.
    parts = [str(part) for part in problem["loc"] if not re.search(r"\[|constrained-", str(part))]
    key = ".".join(parts) or "configuration"
    more = f"; and {error.error_count() - 1} more" if error.error_count() > 1 else ""
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown key; remove it or correct its spelling, config/README.md lists the keys{more}"
    if problem["type"] == "missing":
        return f"{key}: missing; give it a value, config/README.md says which{more}"
    message = problem["msg"].removeprefix("Value error, ")
    value = "" if isinstance(problem["input"], dict) else f", not {problem['input']!r}"
    return f"{key}: {message}{value}{more}"


def own_path(path: str) -> str:
    """Return `path`, or the whole one of a file of the project or a folder of its resources that it leads to alone.

    That is where nothing lies there from the working directory: in another folder, and with an installed copy.
    """
    if "/" not in path or os.path.exists(path):
        return path
    own = BASE_CONFIG.parents[1] / path
    is_resource = path.startswith("resources/") and own.is_dir()
    return str(own) if is_resource or own.is_file() else path


def _with_own_files(values: Any) -> Any:
    """Return `values` with the whole path of what only the project's folder has."""
    if isinstance(values, dict):
        return {key: _with_own_files(value) for key, value in values.items()}
    if isinstance(values, list):
        return [_with_own_files(value) for value in values]
    return own_path(values) if isinstance(values, str) else values


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise InputError(f"no configuration file {path}; give an existing one") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise InputError(f"{path} holds {type(values).__name__}, not a mapping of keys to values")
    return values
