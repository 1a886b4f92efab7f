"""The raw files below a folder, and which of them the configuration leaves out."""

import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath


def walk_files(root: Path) -> Iterator[Path]:
    """Yield all files under `root` in sorted order, through linked folders too, each folder once."""
    seen = set()
    for folder, subfolders, files in os.walk(root, followlinks=True):
        # A link to a folder above would otherwise be followed round and round.
        identity = os.path.realpath(folder)
        if identity in seen:
            subfolders.clear()
            continue
        seen.add(identity)
        subfolders.sort()
        yield from (Path(folder, name) for name in sorted(files))


def is_excluded(file: str, patterns: Sequence[str]) -> bool:
    """Return whether `file`, a path relative to the root, is left out by one of the glob `patterns`."""
    return any(fnmatch(file, pattern) or PurePosixPath(file).match(pattern) for pattern in patterns)
