"""What a sampling job has done so far: one file, replaced whole after every annealing level."""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from step.errors import InputError
from step.io.atomic import whole_file

Tally = dict[str, float]
"""What was used so far, by name: seconds, evaluations of networks."""

TRACE = "trace."


@dataclass(frozen=True)
class Reached:
    """Where a job was after `levels` annealing levels."""

    levels: int
    noisy: torch.Tensor  # the latents of the next level, (batch, time, latent_channel, latent_y, latent_x)
    step_sizes: list[float]  # those that the chains of the next level start from
    trace: dict[str, list[torch.Tensor]]  # (batch,) each, by level


@dataclass
class SamplingState:
    """The state of a job in `file`, from which the same command goes on, number for number.

    A job that is killed loses the annealing level that it was in.
    """

    file: Path
    tally: Callable[[], Tally] = dict
    """Returns what this process has used."""
    before: Tally = field(default_factory=dict)
    """What earlier processes used."""

    def read(self, generators: Sequence[torch.Generator], device: torch.device) -> Reached | None:
        """Return where the job was, on `device`, and set `generators` to what they were there; None at its beginning.

        Raises `InputError` for a file that is damaged.
        """
        if not self.file.exists():
            return None
        try:
            with safe_open(self.file, "pt") as opened:
                metadata = opened.metadata()
                tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        except SafetensorError as error:
            raise InputError(f"the state {self.file} is damaged ({error}); delete it to sample anew") from None
        for generator, state in zip(generators, tensors["generators"], strict=True):
            generator.set_state(state.clone())  # which must begin its storage
        self.before = json.loads(metadata["tally"])
        trace = {
            name.removeprefix(TRACE): [level.to(device) for level in levels.unbind(1)]
            for name, levels in tensors.items()
            if name.startswith(TRACE)
        }
        levels, step_sizes = int(metadata["levels"]), tensors["step_sizes"].tolist()
        return Reached(levels, tensors["noisy"].to(device), step_sizes, trace)

    def write(self, reached: Reached, generators: Sequence[torch.Generator]) -> None:
        """Keep where the job is."""
        tensors = {
            "noisy": reached.noisy,
            "generators": torch.stack([generator.get_state() for generator in generators]),
            "step_sizes": torch.tensor(reached.step_sizes, dtype=torch.float64),
        }
        tensors |= {f"{TRACE}{name}": torch.stack(levels, dim=1) for name, levels in reached.trace.items()}
        metadata = {"levels": str(reached.levels), "tally": json.dumps(self.used())}
        with whole_file(self.file) as part:
            save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, part, metadata)

    def used(self) -> Tally:
        """Return what this process and those before it have used."""
        return {name: amount + self.before.get(name, 0.0) for name, amount in self.tally().items()}

    def remove(self) -> None:
        """Remove the file, and its folder where nothing else is in it: what it led to is written."""
        self.file.unlink(missing_ok=True)
        with suppress(OSError):  # of other jobs' states, or none
            self.file.parent.rmdir()
