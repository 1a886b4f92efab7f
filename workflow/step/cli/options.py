"""The options of a figure or a table: one for each field of its `Files`, whose type says what it takes."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from step.errors import InputError
from step.products import FileField, file_fields


def add_file_arguments(parser: argparse.ArgumentParser, files: type) -> None:
    """Declare the fields of `files`, a module's ``Files``."""
    for field in file_fields(files):
        help_, required = field.about.help, field.required
        if field.kind is bool:
            parser.add_argument(field.option, dest=field.name, action="store_true", help=help_)
            continue
        metavar = field.about.words or (None if field.kind is str else "FILE")
        parser.add_argument(
            field.option,
            dest=field.name,
            required=required,
            action="append" if field.is_repeated else "store",
            nargs=_number(field),
            metavar=metavar,
            help=help_,
        )


def read_files(arguments: argparse.Namespace, files: type) -> Any:
    """Return the `files` that the arguments give; raises `InputError` where an entry is given twice or has no file."""
    given = {field.name: _value(getattr(arguments, field.name), field) for field in file_fields(files)}
    return files(**given)


def _number(field: FileField) -> int | str | None:
    """Return how many words the option takes."""
    inner = get_args(field.kind)
    if get_origin(field.kind) is Mapping:
        return 2 if inner[1] is Path else "+"
    return "+" if inner else None


def _value(words: Any, field: FileField) -> Any:
    """Return the value of a field whose option has `words`: a word, several, or several for each time it is given."""
    inner = get_args(field.kind)
    if words is None:
        return None
    if get_origin(field.kind) is Mapping:
        return _mapping(words, field.option, inner[1])
    if field.is_repeated:
        return tuple(tuple(group) for group in words)
    if inner:
        return tuple(inner[0](word) for word in words)
    return field.kind(words)


def _mapping(groups: list[list[str]], option: str, kind: Any) -> dict[str, Any]:
    """Return the files by the name before them, in the order in which they are given."""
    names = [name for name, *_ in groups]
    if len(set(names)) < len(names):
        raise InputError(f"{option} names {', '.join(names)}; give each {option.removeprefix('--')} once")
    alone = [name for name, *files in groups if not files]
    if alone:
        raise InputError(f"{option} {alone[0]} has no file; give at least one")
    if kind is Path:
        return {name: Path(file) for name, file in groups}
    return {name: tuple(map(Path, files)) for name, *files in groups}
