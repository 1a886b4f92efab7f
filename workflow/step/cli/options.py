"""The options of a figure or a table: one for each field of its `Files`, whose type says what it takes."""

import argparse
from collections.abc import Sequence
from typing import Any, get_args

from step.errors import InputError
from step.products import FileField, file_fields


def add_file_arguments(parser: argparse.ArgumentParser, files: type) -> None:
    """Declare the fields of `files`, a module's ``Files``."""
    for field in file_fields(files):
        help_, required = field.about.help, field.required
        if field.kind is bool:
            parser.add_argument(field.option, dest=field.name, action="store_true", help=help_)
            continue
        parser.add_argument(
            field.option,
            dest=field.name,
            required=required,
            action="append" if field.is_repeated else "store",
            nargs=_number(field),
            metavar=_metavar(field),
            help=help_,
        )


def read_files(arguments: argparse.Namespace, files: type) -> Any:
    """Return the `files` that the arguments give; raises `InputError` where an entry is given twice or has no file."""
    given = {field: getattr(arguments, field.name) for field in file_fields(files)}
    return files(**{field.name: _value(words, field) for field, words in given.items() if words is not None})


def _number(field: FileField) -> int | str | None:
    """Return how many words the option takes."""
    if field.is_repeated:
        key, value = get_args(field.kind)
        return "+" if _is_open(value) else len(_kinds(key)) + len(_kinds(value))
    if _is_open(field.kind):
        return "+" if field.required else "*"
    return None


def _metavar(field: FileField) -> str | tuple[str, ...] | None:
    """Return what the help calls the words of the option."""
    if len(field.about.words) == 1:
        return field.about.words[0]
    return field.about.words or (None if field.kind is str else "FILE")


def _value(words: Any, field: FileField) -> Any:
    """Return the value of a field whose option has `words`: a word, several, or several for each time it is given."""
    if field.is_repeated:
        return _mapping(words, field)
    return _read(words, field.kind) if get_args(field.kind) else field.kind(words)


def _mapping(groups: list[list[str]], field: FileField) -> dict[Any, Any]:
    """Return the values by the name or names before them, in the order in which they are given."""
    key, value = get_args(field.kind)
    n_names = len(_kinds(key))
    names = [" ".join(group[:n_names]) for group in groups]
    if len(set(names)) < len(names):
        raise InputError(f"{field.option} names {', '.join(names)}; give each {field.option.removeprefix('--')} once")
    alone = [name for name, group in zip(names, groups, strict=True) if len(group) <= n_names]
    if alone:
        raise InputError(f"{field.option} {alone[0]} has no file; give at least one")
    return {_read(group[:n_names], key): _read(group[n_names:], value) for group in groups}


def _read(words: Sequence[str], kind: Any) -> Any:
    """Return the value of `kind` that `words` are: a tuple, or one that a word names."""
    if _is_open(kind):
        return tuple(map(get_args(kind)[0], words))
    values = tuple(one(word) for one, word in zip(_kinds(kind), words, strict=True))
    return values if get_args(kind) else values[0]


def _kinds(kind: Any) -> tuple[Any, ...]:
    """Return what each word of a `kind` is that takes so many words as it has parts."""
    return get_args(kind) or (kind,)


def _is_open(kind: Any) -> bool:
    """Return whether `kind` is a tuple of any length."""
    return Ellipsis in get_args(kind)
