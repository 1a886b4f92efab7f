"""What all sections of the configuration have in common."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Discriminator, Field


class Section(BaseModel):
    """A part of the configuration: unknown keys are refused, nothing has a default, nothing is changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class OpenSection(Section):
    """A section that names a module, whose own `Settings` check the keys besides the name."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())


class AnySettings(OpenSection):
    """The settings of a module from elsewhere, which that module's own `Settings` check."""


def paths_in(value: object) -> list[Path]:
    """Return the paths among the values of a section, however deep in sections, mappings and lists they lie."""
    if isinstance(value, Path):
        return [value]
    if isinstance(value, BaseModel):
        value = dict(value)
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else []
    return [path for one in inner for path in paths_in(one)]


def files_named_in(section: BaseModel) -> list[Path]:
    """Return the files that exist among all texts of a section, those of modules from elsewhere too, which are text."""
    return [Path(text) for text in _texts_in(section.model_dump(mode="json")) if Path(text).is_file()]


def _texts_in(values: object) -> Iterator[str]:
    """Yield all texts among `values`, however deep in lists and mappings they lie."""
    if isinstance(values, str):
        yield values
    elif isinstance(values, dict | list):
        for value in values.values() if isinstance(values, dict) else values:
            yield from _texts_in(value)


ModuleName = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*$")]
"""A module of one of the library's packages, or any importable one by its dotted name."""

Key = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")]
"""A key of a section that the library does not know."""

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
"""A name that becomes part of file names: lower-case letters, digits and underscores."""

Count = Annotated[int, Field(ge=1, strict=True)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]


def section_tag(names: Sequence[Sequence[str]], key: str) -> Discriminator:
    """Return which section checks a mapping, by the name under its `key`: each of `names` are those of one section.

    A section is tagged ``[first name]``, or ``[other]`` if it takes every other name.
    """
    tag_of = {name: f"[{group[0]}]" for group in names for name in group}

    def tag(section: object) -> str:
        name = section.get(key) if isinstance(section, dict) else getattr(section, key, None)
        return tag_of.get(name, "[other]") if isinstance(name, str) else "[other]"

    return Discriminator(tag)
