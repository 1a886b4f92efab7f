"""The resumable state of a training run: one safetensors file, replaced whole."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from step.errors import InputError
from step.io.atomic import whole_file


@dataclass
class History:
    """The losses so far, those of the row that is not complete yet, and the time that they took."""

    rows: list[dict[str, float]] = field(default_factory=list)
    pending: list[float] = field(default_factory=list)
    seconds: float = field(default=0.0, compare=False)  # of all runs that led here


def save_state(
    path: Path,
    step: int,
    network: torch.nn.Module,
    average: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    history: History,
) -> None:
    """Write everything that the run needs to go on after `step` steps as if it had not stopped."""
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    tensors |= {f"average.{name}": tensor for name, tensor in average.state_dict().items()}
    for number, moments in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{number}.{name}": tensor for name, tensor in moments.items()}
    metadata = {"step": str(step), "rows": json.dumps(history.rows), "pending": json.dumps(history.pending)}
    metadata["seconds"] = str(history.seconds)
    with whole_file(path) as part:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, part, metadata)


def load_state(
    path: Path, network: torch.nn.Module, average: torch.nn.Module, optimiser: torch.optim.Optimizer
) -> tuple[int, History]:
    """Fill the networks and the optimiser from `path`; return the number of steps done and the losses.

    Where there is no state yet nothing changes and 0 steps are done. Raises `InputError` for a damaged file.
    """
    if not path.exists():
        return 0, History()
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise InputError(f"the training state {path} is damaged ({error}); delete it to start over") from None
    network.load_state_dict(_under("network", tensors))
    average.load_state_dict(_under("average", tensors))
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in _under("optimiser", tensors).items():
        number, moment = name.split(".")
        moments.setdefault(int(number), {})[moment] = tensor
    optimiser.load_state_dict({**optimiser.state_dict(), "state": moments})
    rows, pending = (json.loads(metadata[name]) for name in ("rows", "pending"))
    return int(metadata["step"]), History(rows, pending, float(metadata["seconds"]))


def _under(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix(f"{prefix}."): tensor for name, tensor in tensors.items() if name.startswith(f"{prefix}.")
    }
