"""A pickle of arrays is read, one that asks for anything else is not, and runs nothing."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from step.errors import InputError
from step.io.pickled_arrays import read_pickled_arrays


def pickled(path: Path, content: object, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


@pytest.mark.parametrize("protocol", [3, 4])
def test_dicts_of_arrays_are_read(tmp_path, protocol):
    kernel = np.random.default_rng(0).standard_normal((3, 3, 2, 4)).astype(np.float32)
    content = {"Conv_0": {"kernel": kernel, "bias": np.arange(4.0)}, "steps": np.array([7])}
    read = read_pickled_arrays(pickled(tmp_path / "a.ckpt", content, protocol))
    assert np.array_equal(read["Conv_0"]["kernel"], kernel)
    assert read["steps"].tolist() == [7]


def test_names_of_an_older_numpy_are_known(tmp_path):
    data = pickle.dumps({"a": np.arange(3.0)}, protocol=3).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    (tmp_path / "a.ckpt").write_bytes(data)
    assert read_pickled_arrays(tmp_path / "a.ckpt")["a"].tolist() == [0, 1, 2]


class Malicious:
    """Runs a command where it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple:
        return os.system, (self.command,)


def test_a_malicious_pickle_runs_nothing(tmp_path):
    command = f"touch {tmp_path / 'ran'}"
    file = pickled(tmp_path / "evil.ckpt", {"kernel": np.ones(3), "bias": Malicious(command)})
    with pytest.raises(InputError, match=r"evil\.ckpt asks for (posix|nt)\.system") as error:
        read_pickled_arrays(file)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "ran").exists()
    pickle.loads(file.read_bytes())  # so that this would have been seen
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "name", ["builtins.eval", "numpy.load", "numpy.core.multiarray.ndarray", "numpy.ndarray.tofile"]
)
def test_other_functions_of_known_modules_are_refused(tmp_path, name):
    module, function = name.rsplit(".", 1)
    (tmp_path / "a.ckpt").write_bytes(f"c{module}\n{function}\n.".encode())
    with pytest.raises(InputError, match=f"asks for {name}"):
        read_pickled_arrays(tmp_path / "a.ckpt")


def test_a_file_that_is_cut_short_is_one_line(tmp_path):
    file = pickled(tmp_path / "a.ckpt", {"kernel": np.ones(1000)})
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"a\.ckpt is not a whole pickle"):
        read_pickled_arrays(file)


@pytest.mark.parametrize("content", [[np.ones(3)], {"a": 3}, {"a": np.array([None])}, {"a": {"b": "text"}}])
def test_a_pickle_of_something_else_is_refused(tmp_path, content):
    with pytest.raises(InputError, match="not a dict of arrays"):
        read_pickled_arrays(pickled(tmp_path / "a.ckpt", content))
