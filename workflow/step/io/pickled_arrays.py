"""Pickles of numpy arrays in dicts, read without running what else a pickle may ask for."""

import pickle
from pathlib import Path

import numpy as np

from step.errors import InputError

_RECONSTRUCT = np.empty(0).__reduce__()[0]
_ADMITTED = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    # Numpy 2 renamed the module; older files have the older name.
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
}


def read_pickled_arrays(path: Path) -> dict:
    """Return the dict of arrays, or of such dicts, that the pickle `path` holds.

    Nothing is looked up for it but what makes numpy arrays. Raises `InputError` naming the file and what it
    asked for beyond that, or that it is no pickle, or holds something else.
    """
    with path.open("rb") as file:
        try:
            content = _ArrayUnpickler(file).load()
        except _Refused as error:
            raise InputError(
                f"{path} asks for {error}, which numpy arrays do not need; it was not read: get the file that "
                f"resources/weights.csv describes"
            ) from None
        except Exception as error:  # a damaged pickle fails in whatever way its bytes happen to
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise InputError(f"{path} is not a whole pickle ({reason}); copy it again") from None
    if not _is_tree_of_arrays(content):
        raise InputError(f"{path} holds a {type(content).__name__}, not a dict of arrays; copy it again")
    return content


class _Refused(Exception):
    """A name that no array needs."""


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in _ADMITTED:
            raise _Refused(f"{module}.{name}")
        return _ADMITTED[module, name]

    def persistent_load(self, pid: object) -> object:
        raise _Refused(f"the persistent object {pid!r}")


def _is_tree_of_arrays(content: object) -> bool:
    if not isinstance(content, dict):
        return False
    return all(_is_tree_of_arrays(value) or _is_array(value) for value in content.values())


def _is_array(value: object) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "fiu"
