"""Figures and tables: what a module says of itself that makes one, and how it names its files.

A figure is one module, in `step.figures` or anywhere; a table is one in `step.tables`. It offers

* ``Settings``, a section of what it uses of the configuration, and ``select(config, ...)``, which cuts that out of a
  study: further parameters are called `task`, `domain`, `observation` or `table`;
* ``Files``, a frozen dataclass of the files that it reads and writes: each field is an option of the command line, its
  type one of those below, or another one `Annotated` with `About`; that of a mapping is given once for each entry;
* ``plot(files, settings)`` if it is a figure, ``tabulate(files, settings)`` if it is a table: they write the files;
* ``modules(settings)``, if it imports modules by name: their dotted names;
* ``CAPTION``, if it is a figure of your own that has one in the report: a file of reStructuredText.

Nothing heavy is imported at its top: the workflow reads what it needs before any job runs.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Protocol, Union, get_args, get_origin, get_type_hints

from step.config.sections import Section
from step.errors import InputError


@dataclass(frozen=True)
class About:
    """What is said of a field of ``Files``."""

    help: str
    words: tuple[str, ...] = ()  # what it is given in, if not a file or files, such as ("NAME", "FILE")
    makes: tuple[str, ...] = ()  # suffixes of the files that the workflow asks for, of one that is written


Measurement = Annotated[Path, About(help="the measurement of the video, HDF5")]
Truth = Annotated[Path, About(help="the true video, HDF5")]
Truths = Annotated[tuple[Path, ...], About(help="true videos, one HDF5 file per video, named after it")]
Samples = Annotated[tuple[Path, ...], About(help="posterior samples of the measurement, HDF5")]
Summary = Annotated[Path, About(help="mean, standard deviation and quantiles of the samples, HDF5")]
Methods = Annotated[
    Mapping[str, tuple[Path, ...]],
    About(
        help="a method and the files of its reconstructions; once per method, in the order in which they are shown",
        words=("NAME", "FILE"),
    ),
]
Benchmarks = Annotated[tuple[Path, ...], About(help="tables of benchmarks, CSV, in their order")]
Paper = Annotated[Path, About(help="what the paper prints, CSV", words=("CSV",))]
PairedWith = Annotated[
    str, About(help="also give each method's metrics minus this one's, video by video", words=("NAME",))
]
Pictures = Annotated[
    tuple[Path, ...],
    About(help="the picture; the suffix (.png, .pdf, .svg) names the format", makes=(".png", ".pdf")),
]
Movie = Annotated[Path, About(help="the movie: .mp4 (H.264), or an animation, .webp or .gif", makes=(".mp4",))]
Numbers = Annotated[Path, About(help="the numbers that are plotted", makes=(".npz",))]
Rows = Annotated[Path, About(help="the numbers that are plotted, CSV", makes=(".csv",))]
OfTasks = Annotated[
    Mapping[str, Path], About(help="a task and its file; once per task, in order", words=("TASK", "FILE"))
]
Page = Annotated[Path, About(help="the page, HTML", makes=(".html",))]
Sheet = Annotated[Path, About(help="the table, CSV", words=("CSV",), makes=(".csv",))]
Documents = Annotated[
    tuple[Path, ...],
    About(
        help="the table; the suffix names the format: .md, .tex and .html to read, .csv with one value a row",
        makes=(".csv", ".md", ".tex", ".html"),
    ),
]


class Figure(Protocol):
    """A module that plots one figure."""

    Settings: type[Section]
    Files: type

    def plot(self, files: Any, settings: Any) -> None:
        """Write the files of the figure; raises `InputError` where those that it reads do not fit together."""
        ...


class Table(Protocol):
    """A module that writes one table."""

    Settings: type[Section]
    Files: type

    def tabulate(self, files: Any, settings: Any) -> None:
        """Write the files of the table; raises `InputError` where those that it reads do not fit together."""
        ...


@dataclass(frozen=True)
class FileField:
    """One field of a module's ``Files``."""

    name: str
    kind: Any  # its type, such as `Path` or `tuple[Path, ...]`
    about: About
    required: bool

    @property
    def is_repeated(self) -> bool:
        """Whether it is given once for each of its entries: a mapping."""
        return get_origin(self.kind) is Mapping

    @property
    def option(self) -> str:
        """What it is called on the command line; a field of several entries, each given by itself, in the singular."""
        return f"--{(self.name.removesuffix('s') if self.is_repeated else self.name).replace('_', '-')}"


def file_fields(files: type) -> tuple[FileField, ...]:
    """Return the fields of a module's ``Files``, in their order."""
    hints = get_type_hints(files, include_extras=True)
    return tuple(_field(one.name, hints[one.name], one.default is MISSING) for one in fields(files))


def _field(name: str, hint: Any, required: bool) -> FileField:
    """Return the field of the type `hint`, which is annotated itself, or is one of a union with None."""
    if get_origin(hint) in (Union, UnionType):
        [hint] = [one for one in get_args(hint) if one is not type(None)]
    kind, about = get_args(hint)
    return FileField(name, kind, about, required)


@dataclass(frozen=True)
class Given:
    """Something that the workflow has, and can give to a figure of your own."""

    inputs: Sequence[Path]  # what its job waits for
    groups: Sequence[Sequence[object]]  # the words after the option, for each time that it is given


def written_files(files: type, stem: str) -> dict[str, list[str]]:
    """Return the files that a module writes, by the fields of its ``Files``: `stem` with the suffixes of each."""
    return {
        one.name: [f"{stem}{suffix}" for suffix in one.about.makes] for one in file_fields(files) if one.about.makes
    }


def awaited_files(files: type, given: Mapping[str, Given], source: str) -> list[Path]:
    """Return what a job waits for whose module reads those of `given` that its ``Files`` ask for by their names.

    Raises `InputError`, naming `source`, where it asks for something else.
    """
    return [file for field in _read_fields(files, given, source) for file in given[field.name].inputs]


def arguments_of(files: type, given: Mapping[str, Given], stem: str, source: str) -> list[str]:
    """Return the options of such a job, which writes files that begin with `stem`; raises as `awaited_files`."""
    options = [
        (field.option, *group) for field in _read_fields(files, given, source) for group in given[field.name].groups
    ]
    options += [(f"--{name}", *made) for name, made in written_files(files, stem).items()]
    return [str(word) for option in options for word in option]


def _read_fields(files: type, known: Collection[str], source: str) -> list[FileField]:
    fields_read = [one for one in file_fields(files) if not one.about.makes]
    unknown = [one.name for one in fields_read if one.name not in known]
    if unknown:
        raise InputError(f"{source} asks for {unknown[0]!r}; what it can ask for is {', '.join(known)}")
    return fields_read
