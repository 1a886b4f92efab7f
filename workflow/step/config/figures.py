"""The `figures` section: what pictures show that more than one task has."""

from pydantic import Field

from step.config.sections import Name, Section


class Figures(Section):
    """What the pictures of a task show."""

    deltas: tuple[Name, ...] = Field(
        min_length=1, description="methods whose averaged delta frames are drawn (Fig. 7a), in the order of the rows"
    )
