"""The points of an ablation: what each is in the study's terms, and what of the study it can share.

A point is the study with one value changed. Where that changes nothing of what a stage is told, the stage's result is
the study's own, and no job makes it again.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from step.config.ablations import EPOCH, Ablation
from step.config.files import StudyFiles
from step.config.methods import Method
from step.config.sections import Section
from step.config.settings import dump_settings
from step.config.study import Config, varied
from step.errors import InputError

SelectOf = Callable[[str], Callable[..., Section]]
"""From the name of a stage to the function that cuts its settings out of a study, given also what it is about."""


@dataclass(frozen=True)
class Point:
    """One value of the key of the ablation `ablation` of `study`; `name` is that of its folder."""

    study: Config
    ablation: str
    name: str
    value: bool | int | float | str
    select_of: SelectOf

    @cached_property
    def config(self) -> Config:
        """The study in which the ablation's key has the value; raises `InputError` where it cannot have it."""
        return varied(self.study, self.ablation, self.value)

    @property
    def chosen(self) -> Ablation:
        """The section of the ablation."""
        return self.study.ablations[self.ablation]

    @property
    def method(self) -> Method:
        """The method of the point."""
        return self.config.methods[self.chosen.method]

    @property
    def epoch(self) -> str:
        """The folder, below that of the model, of the epoch that the point is; nothing for the last one."""
        training = getattr(self.study.priors[self._domain], self.method.prior)
        of_epoch = self.chosen.key == EPOCH and self.value != training.optimisation.epochs
        return f"epochs/{self.value:g}" if of_epoch else ""

    @cached_property
    def has_study_split(self) -> bool:
        """Whether the point learns from the videos that the study learns from."""
        return self._as_study("split", domain=self._domain)

    @cached_property
    def has_study_prior(self) -> bool:
        """Whether the prior of the point is the study's own, perhaps as it was after some epochs."""
        return self.has_study_split and self._as_study("train", domain=self._domain, prior=self.method.prior)

    @cached_property
    def is_study(self) -> bool:
        """Whether the point is the study itself."""
        same_samples = self._as_study("sample", task=self.chosen.task, method=self.chosen.method)
        return same_samples and self.has_study_prior and not self.epoch

    @property
    def index(self) -> Path:
        """The index of the point's videos: the study's own, where the split is."""
        folder = self.study.results / self._domain if self.has_study_split else self._folder
        return folder / "index.csv"

    @property
    def prior(self) -> Path:
        """The model folder of the point: the study's own, or one that is trained for it.

        Raises `InputError` where the study's is pretrained, and the point needs another one, or an earlier epoch.
        """
        pretrained = self.study.priors[self._domain].pretrained
        if pretrained is not None and (self.epoch or not self.has_study_prior):
            raise InputError(
                f"ablations.{self.ablation} needs a training, and priors.{self._domain}.pretrained is {pretrained!r}; "
                "leave it out of targets.ablations, or set that to null"
            )
        if self.has_study_prior:
            return StudyFiles(self.study).prior_folder(self.chosen.task, self.chosen.method)
        return self._folder / "prior"

    @property
    def samples(self) -> list[Path]:
        """The reconstructions of the point; those of the study where nothing differs."""
        study = self.study.results / self.chosen.task / "samples" / self.chosen.method
        folder = study if self.is_study else self._folder / "samples"
        return [folder / f"{shard}.h5" for shard in StudyFiles(self.study).shards_of_ablation(self.ablation)]

    @property
    def _domain(self) -> str:
        return self.study.tasks[self.chosen.task].domain

    @property
    def _folder(self) -> Path:
        return self.study.results / "ablations" / self.ablation / self.name

    def _as_study(self, stage: str, **selectors: str) -> bool:
        """Return whether a stage is told for the point what it is told for the study."""
        select = self.select_of(stage)
        return dump_settings(select(self.config, **selectors)) == dump_settings(select(self.study, **selectors))


def points_of(study: Config, ablation: str, select_of: SelectOf) -> dict[str, Point]:
    """Return the points of an ablation by the names of their folders, in the order of its values.

    `select_of` gives the functions by which the stages `split`, `train` and `sample` are told what to do.
    """
    names = {f"{number:02d}": value for number, value in enumerate(study.ablations[ablation].values)}
    return {name: Point(study, ablation, name, value, select_of) for name, value in names.items()}


def point_arguments(points: Iterable[Point], files: Iterable[Path]) -> list[tuple[str, object, Path]]:
    """Return label, number ("-" of a word, and of a seed, which is a name) and metrics of each point of an axis."""
    return [
        (label_of(point.value), point.value if is_number(point.value) and not point.chosen.of_seeds else "-", file)
        for point, file in zip(points, files, strict=True)
    ]


def study_arguments(points: Sequence[Point]) -> list[str]:
    """Return ``--study LABEL`` of the point of an axis that is the study's own, if one is."""
    own = [label_of(point.value) for point in points if point.is_study]
    return ["--study", own[0]] if own else []


def is_number(value: object) -> bool:
    """Return whether a value of an axis is a number, and not true or false."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def label_of(value: object) -> str:
    """Return how a value of an axis is written in tables and plots."""
    return f"{value:g}" if is_number(value) else str(value)
