"""Trained networks with weights of float16: half the size, for priors that are shared."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from step.errors import InputError
from step.io.atomic import whole_folder
from step.io.model_folders import EPOCHS, WEIGHTS, weights_digest
from step.io.prior_folders import AUTOENCODER

LARGEST = float(np.finfo(np.float16).max)


def write_half_precision(networks: Mapping[str, Path], output: Path) -> dict[str, Path]:
    """Write `networks`, model folders by name, with weights of float16 below `output`, and return their folders.

    The facts of the denoisers name the autoencoder that is written, not the one that they learned the latents of. What
    the networks were after some epochs stays behind. Raises `InputError` for weights that float16 cannot hold, and for
    a denoiser of another autoencoder.
    """
    written: dict[str, Path] = {}
    for name in sorted(networks, key=lambda name: name != AUTOENCODER):  # whose new digest the others name
        written[name] = output / name
        with whole_folder(written[name]) as part:
            shutil.copytree(
                networks[name],
                part,
                dirs_exist_ok=True,
                ignore=shutil.ignore_patterns(EPOCHS, WEIGHTS, ".snakemake_timestamp"),
            )
            _write_rounded(networks[name] / WEIGHTS, part / WEIGHTS)
            if name != AUTOENCODER:
                _name_autoencoder(part / "step.json", networks[AUTOENCODER], written[AUTOENCODER])
    return written


def _write_rounded(source: Path, output: Path) -> None:
    """Write the weights in `source` as float16; numbers that are no floating-point ones stay as they are."""
    from safetensors import safe_open
    from safetensors.numpy import save_file

    rounded = {}
    with safe_open(source, "np") as file:
        metadata = file.metadata()
        for name in file.keys():  # noqa: SIM118  # it is no mapping
            weights = file.get_tensor(name)
            if np.issubdtype(weights.dtype, np.floating):
                _check_range(weights, f"{name} in {source}")
                weights = np.ascontiguousarray(weights, np.float16)
            rounded[name] = weights
    save_file(rounded, output, metadata)


def _check_range(weights: np.ndarray, where: str) -> None:
    """Raise `InputError` unless float16 holds `weights`."""
    if not np.isfinite(weights).all():
        raise InputError(f"{where} has weights that are not finite; train the prior again")
    if (largest := np.abs(weights).max(initial=0)) > LARGEST:
        raise InputError(
            f"{where} has a weight of {largest:.3g}, float16 ends at {LARGEST:g}; set "
            "priors.<domain>.weights_precision to float32"
        )


def _name_autoencoder(file: Path, learned: Path, written: Path) -> None:
    """Let the facts in `file` name the autoencoder in `written`, the rounded one of the folder `learned`."""
    facts = json.loads(file.read_text())
    if facts["autoencoder"] != weights_digest(learned):
        raise InputError(f"{file.parent.name} was trained on the latents of another autoencoder than {learned}")
    facts["autoencoder"] = weights_digest(written)
    file.write_text(json.dumps(facts, indent=2, sort_keys=True) + "\n")
