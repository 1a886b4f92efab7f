"""Files and folders that appear whole or not at all."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a path next to `path` to write to; it takes the place of `path` once the block has ended well.

    An error in the block, a full disk among them, removes what was written and leaves an older `path` as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        _flush(part)
        part.replace(path)
    except Exception as error:
        _raise_system_error(error, path)
        raise
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder next to `path`; it takes the place of `path` once the block has ended well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    try:
        yield part
        for file in part.rglob("*"):
            if file.is_file():
                _flush(file)
        if path.exists():
            shutil.rmtree(path)
        part.replace(path)
    except Exception as error:
        _raise_system_error(error, path)
        raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _raise_system_error(error: Exception, path: Path) -> None:
    """Raise the `OSError` of which safetensors, in an error of its own, gives the number in words."""
    number = re.search(r"\(os error (\d+)\)", str(error))
    if number:
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from None


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
