"""The resumable state of a training run: one safetensors file, replaced whole."""

import copy
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from step.errors import InputError
from step.io.atomic import whole_file

Network = TypeVar("Network", bound=torch.nn.Module)


@dataclass
class History:
    """The losses so far, those of the row that is not complete yet, the time that they took and what of it was lost."""

    rows: list[dict[str, float]] = field(default_factory=list)
    pending: list[float] = field(default_factory=list)
    seconds: float = field(default=0.0, compare=False)  # of all runs that led here
    waited: float = field(default=0.0, compare=False)  # seconds of these in which a step waited for its batch


def save_state(
    path: Path,
    step: int,
    network: torch.nn.Module,
    average: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    history: History,
    complete: bool,
) -> None:
    """Write everything that the run needs to go on after `step` steps as if it had not stopped.

    `complete` says that these are all its steps.
    """
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    tensors |= {f"average.{name}": tensor for name, tensor in average.state_dict().items()}
    for number, moments in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{number}.{name}": tensor for name, tensor in moments.items()}
    metadata = {"step": str(step), "rows": json.dumps(history.rows), "pending": json.dumps(history.pending)}
    metadata |= {"seconds": str(history.seconds), "waited": str(history.waited), "complete": str(complete)}
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
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in _under("optimiser", tensors).items():
        number, moment = name.split(".")
        moments.setdefault(int(number), {})[moment] = _laid_out_as(parameters[int(number)], tensor)
    optimiser.load_state_dict({**optimiser.state_dict(), "state": moments})
    rows, pending = (json.loads(metadata[name]) for name in ("rows", "pending"))
    return int(metadata["step"]), History(rows, pending, float(metadata["seconds"]), float(metadata["waited"]))


def keep_average(state_file: Path, step: int, average: torch.nn.Module) -> None:
    """Keep the weights of `average` as they are after `step` steps, next to the state."""
    file = _kept_file(state_file, step)
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(file) as part:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in average.state_dict().items()}, part)


def read_kept(state_file: Path, step: int, network: Network) -> Network:
    """Return a copy of `network` with the weights that `keep_average` kept after `step` steps."""
    file = _kept_file(state_file, step)
    try:
        weights = load_file(file)
    except (SafetensorError, FileNotFoundError) as error:
        raise InputError(f"the weights kept in {file} are lost ({error}); delete {state_file} to start over") from None
    kept = copy.deepcopy(network).cpu()
    kept.load_state_dict(weights)
    return kept


def remove_older_states(state_file: Path) -> None:
    """Remove the states next to `state_file` of other runs that are complete, and what they kept.

    The run's own state stays: where its weights are lost before anyone noted that they are there, it gives them back.
    That of a run that was stopped stays too, since it may go on.
    """
    for other in state_file.parent.glob("*.safetensors"):
        if other != state_file and _is_complete(other):
            other.unlink()
            shutil.rmtree(_kept_file(other, 0).parent, ignore_errors=True)


def _is_complete(state_file: Path) -> bool:
    try:
        with safe_open(state_file, "pt") as file:
            return (file.metadata() or {}).get("complete") == str(True)
    except SafetensorError:  # a damaged one is for its owner to delete
        return False


def _kept_file(state_file: Path, step: int) -> Path:
    return state_file.with_suffix(".kept") / f"{step}.safetensors"


def _laid_out_as(parameter: torch.Tensor, moment: torch.Tensor) -> torch.Tensor:
    """Return `moment` with the strides of `parameter`: Adam's one kernel goes through both as they lie in memory."""
    if moment.shape != parameter.shape:
        return moment
    return torch.empty_like(parameter, dtype=moment.dtype, device=moment.device).copy_(moment)


def _under(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix(f"{prefix}."): tensor for name, tensor in tensors.items() if name.startswith(f"{prefix}.")
    }
