"""The `ablations` section: what happens to the results as one value of the study changes."""

from typing import Annotated, Any

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr

from step.config.sections import Count, Name, Section

EPOCH = "epoch"
"""The key of the axis whose points are the prior as it was after some epochs."""


class Ablation(Section):
    """One axis: values of one key, and how well one method does with each of them."""

    task: Name = Field(description="the task")
    method: Name = Field(description="the method")
    videos: Count = Field(description="number of test videos, from the first on; all where there are fewer")
    key: Annotated[str, Field(pattern=r"^\w+(\.\w+)*$")] = Field(
        description="the key that changes, with dots, e.g. `tasks.blackhole.sampler.mcmc.steps`: of the task's "
        "sampler, of the method, of the training of its video or joint prior, or the number of videos that it learns "
        "from; a key `seed` gives replicates, whose spread is shown next to that of the videos; or `epoch`: the prior "
        "as it was after so many epochs (`kept_epochs`), which trains nothing"
    )
    values: tuple[StrictBool | StrictInt | StrictFloat | StrictStr, ...] = Field(
        min_length=1,
        description="values of the key, in the order of the plot; the study's own is worth having among them",
    )

    @property
    def of_seeds(self) -> bool:
        """Whether the points differ in a seed alone: they are replicates, whose order means nothing."""
        return self.key.rpartition(".")[2] == "seed"


def with_value(values: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """Return the configuration `values` with `value` under the dotted `key`; raises `KeyError` if there is none."""
    first, _, rest = key.partition(".")
    if first not in values:
        raise KeyError(first)
    return {**values, first: with_value(values[first], rest, value) if rest else value}
