"""The `figures` section: what pictures show that more than one task has, and figures of your own."""

from pydantic import Field, field_validator

from step.config.sections import ModuleName, Name, Section


class Figures(Section):
    """What the pictures of a task show."""

    deltas: tuple[Name, ...] = Field(
        min_length=1, description="methods whose averaged delta frames are plotted (Fig. 7a), in the order of the rows"
    )
    plug_ins: tuple[ModuleName, ...] = Field(
        description="figures of your own, plotted for every task: modules by their dotted names, which say as those of "
        "`step.figures` do what they need and make (`step.products`); the last part is the name of their files"
    )

    @field_validator("plug_ins")
    @classmethod
    def _told_apart(cls, modules: tuple[str, ...]) -> tuple[str, ...]:
        names = [name.rpartition(".")[2] for name in modules]
        if len(set(names)) < len(names):
            raise ValueError(f"the figures {', '.join(modules)} write files of one name; rename one of the modules")
        return modules
