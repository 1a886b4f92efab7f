"""Weights that others made are read without running anything, and written nowhere but where they belong."""

import os
import tarfile

import pytest
import torch
from step.errors import InputError
from step.io.learned_weights import KnownWeights, sha256
from step.io.original_weights import original_of, read_original


class Malicious:
    """Runs a command as soon as it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple:
        return os.system, (self.command,)


def known(member: str, member_sha256: str = "", archive: str = "", archive_sha256: str = "") -> KnownWeights:
    return KnownWeights("vgg16", "package", "1.0", archive, archive_sha256, member, member_sha256, "", "MIT")


def test_a_malicious_torch_file_runs_nothing(tmp_path):
    file = tmp_path / "evil.pth"
    torch.save({"weight": torch.ones(3), "bias": Malicious(f"touch {tmp_path / 'ran'}")}, file)
    with pytest.raises(InputError, match=r"cannot read .*evil\.pth") as error:
        read_original(file, known("evil.pth"))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "ran").exists()
    torch.load(file, weights_only=False)  # so that this would have been seen
    assert (tmp_path / "ran").exists()


def test_an_archive_writes_its_one_file_where_it_was_told_to_and_nothing_else(tmp_path):
    weights = tmp_path / "weights.pth"
    torch.save({"weight": torch.ones(3)}, weights)
    archive, folder = tmp_path / "package-1.0.tar.gz", tmp_path / "deep/folder"
    member = "../../weights.pth"
    with tarfile.open(archive, "w:gz") as members:
        for name in (f"package-1.0/{member}", "../outside.pth", "/tmp/absolute.pth"):
            members.add(weights, name, recursive=False, filter=lambda info: info)
    folder.mkdir(parents=True)
    before = set(tmp_path.rglob("*"))
    path = original_of(archive, known(member, sha256(weights), archive.name, sha256(archive)), folder)
    assert path == folder / "weights.pth"
    assert set(tmp_path.rglob("*")) - before == {path}
