"""The package eht-imaging, silent, repaired and reproducible."""

import contextlib
import hashlib
import io
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from types import GeneratorType, ModuleType

import numpy as np


@cache
def eht_imaging() -> ModuleType:
    """Return the package `ehtim`, which greets on standard output when it is loaded.

    With numpy 2 its `Obsdata.tlist` fails where all times have equally many visibilities, and with it closure
    quantities and station errors; here it is made to work.
    """
    with silent():
        import ehtim

    grouped = ehtim.obsdata.Obsdata.tlist

    def tlist(self, conj: bool = False, t_gather: float = 0.0, scan_gather: bool = False) -> np.ndarray:
        if t_gather > 0 or scan_gather:
            return grouped(self, conj, t_gather, scan_gather)
        return _by_time(self.data_conj() if conj else self.data)

    ehtim.obsdata.Obsdata.tlist = tlist
    return ehtim


def eht_imaging_module(name: str) -> ModuleType:
    """Return a module of the package `ehtim` by its dotted name within it, loaded silently.

    With numpy 2.4, which takes the sum of no generator, dynamical imaging fails; here its module has one that does.
    """
    eht_imaging()
    with silent():
        module = import_module(f"ehtim.{name}")
    if vars(module).get("np") is np:
        vars(module)["np"] = _NumpyOfGenerators("numpy")
    return module


class _NumpyOfGenerators(ModuleType):
    """The package numpy, whose `sum` takes generators too."""

    def __getattr__(self, name: str):
        return getattr(np, name)

    @staticmethod
    def sum(values, *arguments, **options):
        """Return the sum of an array, or of what a generator yields."""
        if isinstance(values, GeneratorType):
            return sum(values)
        return np.sum(values, *arguments, **options)


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Keep what eht-imaging prints inside this block from standard output and error."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[str]:
    """Yield the seed to give to eht-imaging, whose random numbers inside this block are the same in every process.

    It seeds numpy's global generator with Python's hash of a text, which differs from process to process. Here it
    takes a hash that does not, and the generator is put back afterwards.
    """
    helpers = eht_imaging().observing.obs_helpers
    state = np.random.get_state()  # noqa: NPY002
    helpers.hash = lambda text: int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
    np.random.seed(seed % 2**32)  # noqa: NPY002
    try:
        yield str(seed)
    finally:
        del helpers.hash
        np.random.set_state(state)  # noqa: NPY002


def _by_time(data: np.ndarray) -> np.ndarray:
    """Return one array of visibilities per time, as an array of objects."""
    times = np.unique(data["time"])
    groups = np.empty(len(times), object)
    for number, time in enumerate(times):
        groups[number] = data[data["time"] == time]
    return groups
