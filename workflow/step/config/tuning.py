"""The `tuning` section: how settings of the sampler and of classical rows are searched on validation videos."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from step.config.sections import Count, Key, ModuleName, Name, Section

Below = Annotated[float, Field(gt=0, le=1)]
Above = Annotated[float, Field(ge=1, allow_inf_nan=False)]
OWN = "own."
"""What the names of the values begin with that are of a sampler of your own."""

Damping = Annotated[float, Field(ge=0, lt=1)]


class Space(Section):
    """Where values are searched: around the task's own ones, which every range holds. Null leaves a value as it is."""

    step_size_squared: tuple[Below, Above] | None = Field(
        description="eta: smallest and largest multiple of the task's own value; multiples are searched on a "
        "logarithmic scale"
    )
    damping: tuple[Damping, Damping] | None = Field(
        description="gamma: smallest and largest value, which the task's own one must be between; on a linear scale"
    )
    noise_level: tuple[Below, Above] | None = Field(
        description="the likelihood's: smallest and largest multiple of the task's own value"
    )
    step_decay: tuple[Below, Above] | None = Field(
        description="r: smallest and largest multiple of the task's own value"
    )
    gradient_bound: tuple[Below, Above] | None = Field(
        description="smallest and largest multiple of the task's own value; without effect where the task has none"
    )
    own: dict[Key, tuple[Below, Above]] = Field(
        description="for a sampler that is not `daps`: its settings that are searched, and the smallest and largest "
        "multiple of each; of the values above, noise level and gradient bound are searched too"
    )

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Where values are searched, by their names; those of a sampler of your own begin with `OWN`."""
        ours = {name: limits for name, limits in self if name != "own" and limits is not None}
        return ours | {OWN + name: limits for name, limits in self.own.items()}

    @model_validator(mode="after")
    def _something_is_searched(self) -> "Space":
        if not self.ranges:
            raise ValueError("all values are null; give one of them a range")
        _check_order(self.ranges)
        return self


class Multiples(Section):
    """Which settings of a classical reconstruction are searched: the smallest and largest multiple of each."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, tuple[Below, Above]]

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """The smallest and largest multiple of each setting, by its name."""
        return dict(self.__pydantic_extra__)

    @model_validator(mode="after")
    def _something_is_searched(self) -> "Multiples":
        if not self.ranges:
            raise ValueError("no setting has a range; give one of them the smallest and largest multiple of its value")
        _check_order(self.ranges)
        return self


def _check_order(ranges: Mapping[str, tuple[float, float]]) -> None:
    for name, (low, high) in ranges.items():
        if low >= high:
            raise ValueError(f"{name} goes from {low:g} to {high:g}; give the smaller one first")


class Pruning(Section):
    """When a trial is stopped before it has sampled all videos."""

    percentile: Annotated[float, Field(gt=0, lt=100)] = Field(
        description="a trial is stopped whose mean PSNR over its videos so far is below this percentile of that of the "
        "finished trials over the same videos (50: the median)"
    )
    startup_trials: Count = Field(description="finished trials before the first is stopped")
    videos: Count = Field(description="videos that every trial samples")


class Budget(Section):
    """How many sets of values a search tries."""

    trials: Count = Field(
        description="sets of values that are tried; the first is the task's own. A larger number goes on from what "
        "was tried"
    )
    startup_trials: Count = Field(
        description="trials before values are sampled near the good ones (tree-structured Parzen estimator); those "
        "after the first are sampled uniformly"
    )
    pruning: Pruning | None = Field(
        description="when a trial is stopped before it has sampled all videos; null where none is"
    )


class Search(Budget):
    """How settings of the sampler are searched."""

    space: Space


class Tuning(Search):
    """Settings that suit validation videos, apart from training and test: `snakemake tuning`."""

    tasks: tuple[Name, ...] = Field(description="tasks that are tuned")
    method: Name = Field(description="the method whose samples are scored")
    videos: Count = Field(
        description="validation videos that are sampled in a trial, from the first on (paper: 3), all where there are "
        "fewer; the score is the mean of their PSNR"
    )
    classical: dict[ModuleName, Multiples] = Field(
        description="for classical reconstructions, by the module's name: their settings that are searched, each with "
        "the smallest and largest multiple of the task's own value, on a logarithmic scale. Of the tasks above those "
        "rows are tuned that are among their `references`"
    )
