"""Folders of trained models: weights and configuration as diffusers saves them, and what we say of them.

``config.json`` and ``diffusion_pytorch_model.safetensors`` are diffusers' own; ``step.json`` holds what the library
needs to use the model (domain, statistics, noise schedule), ``README.md`` is the model card, ``losses.csv`` the
training history, ``training.csv`` what it was trained on and for how long. Weights are safetensors; nothing in a
model folder is ever unpickled.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from step.errors import InputError
from step.io.atomic import whole_folder
from step.io.tables import write_table

WEIGHTS = "diffusion_pytorch_model.safetensors"

EPOCHS = "epochs"
"""Folder, in that of a model, of the model as it was after some epochs."""

NEEDED = {
    "autoencoder": {"latent_mean", "latent_std", "patch_size"},
    "denoiser": {"architecture", "autoencoder", "noise_schedule", "latent_shape"},
}
"""The facts without which a model of a kind cannot be used."""


def write_model_folder(
    path: Path,
    network,
    facts: Mapping[str, object],
    card: str,
    losses: Sequence[Mapping[str, object]],
    record: Mapping[str, object],
    kept: Mapping[str, object] = MappingProxyType({}),
) -> None:
    """Write a diffusers `network` with its facts, card, losses and record of training, whole or not at all.

    `kept` are networks as it was after some epochs, by their names; each is a model folder below ``epochs``.
    """
    with whole_folder(path) as part:
        for folder, one in {part: network, **{part / EPOCHS / epoch: one for epoch, one in kept.items()}}.items():
            one.save_pretrained(folder, safe_serialization=True)
            (folder / "step.json").write_text(json.dumps(facts, indent=2, sort_keys=True) + "\n")
        (part / "README.md").write_text(card)
        write_table(part / "losses.csv", losses)
        write_table(part / "training.csv", [record])


def read_facts(path: Path, kind: str, domain: str | None) -> dict:
    """Return a model folder's facts; raises `InputError` unless it holds a model of `kind` (and `domain`, if given)."""
    file = path / "step.json"
    if not file.is_file() or not (path / WEIGHTS).is_file():
        raise InputError(f"{path} is not a model folder: it needs step.json and {WEIGHTS}; train the prior first")
    try:
        facts = json.loads(file.read_text())
    except ValueError:
        raise InputError(f"{file} is not JSON; train the prior again") from None
    if facts.get("kind") != kind:
        raise InputError(f"{path} holds a model of kind {facts.get('kind')!r}, not {kind!r}")
    missing = sorted(NEEDED[kind] - facts.keys())
    if missing:
        raise InputError(f"{file} does not say {' and '.join(missing)}; train the prior again")
    if domain is not None and facts.get("domain") != domain:
        raise InputError(
            f"{path} holds a prior of the domain {facts.get('domain')!r}, the task is of {domain!r}; give the prior "
            f"of {domain!r}"
        )
    return facts


def load_network(path: Path, network_class):
    """Return the network in a model folder; raises `InputError` where weights or configuration are damaged."""
    from safetensors import SafetensorError

    try:
        return network_class.from_pretrained(path, use_safetensors=True, low_cpu_mem_usage=False)
    except (SafetensorError, OSError, ValueError, RuntimeError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"cannot load the model in {path}: {reason}; train the prior again") from None


def weights_digest(path: Path) -> str:
    """Return the SHA-256 of a model folder's weights; raises `InputError` where it has none."""
    if not (path / WEIGHTS).is_file():
        raise InputError(f"{path} is not a model folder: it needs {WEIGHTS}; train the prior first")
    return file_digest(path / WEIGHTS)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
