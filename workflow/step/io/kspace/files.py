"""Which format a file of raw k-space has, told by its content."""

from importlib import import_module
from pathlib import Path
from typing import cast

from step.errors import InputError
from step.io.kspace.recording import KspaceFormat, KspaceSlice, Selection

FORMATS = ("ismrmrd", "bart", "npz", "matlab")
"""Modules of `step.io.kspace`, in the order in which they are asked; each is a `KspaceFormat`."""

KINDS = "ISMRMRD (.h5), MATLAB (.mat), BART (.cfl with .hdr) or numpy (.npz)"


def format_of(path: Path, remedy: str) -> KspaceFormat:
    """Return the module that reads `path`; raises `InputError` with `remedy` where there is no such file or format."""
    if not path.is_file():
        raise InputError(f"no file {path}; {remedy}")
    for name in FORMATS:
        module = cast(KspaceFormat, import_module(f"step.io.kspace.{name}"))
        if module.recognises(path):
            return module
    raise InputError(f"{path} is no file of k-space: {KINDS} is read; {remedy}")


def read_kspace(path: Path, selection: Selection) -> KspaceSlice:
    """Return what `selection` asks for of the file `path`, of whichever format."""
    return format_of(path, selection.remedy).read(path, selection)
