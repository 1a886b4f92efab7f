"""The one training loop: Adam, clipped gradients, a moving average, resumable state."""

import copy
import logging
import math
import signal
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Generic, TypeVar

import torch
from accelerate import Accelerator

from step.config.priors import Optimisation
from step.errors import Interrupted
from step.progress import Progress
from step.training.batches import prefetch
from step.training.state import History, keep_average, load_state, save_state

log = logging.getLogger(__name__)

ROWS = 50
"""Rows of the loss history, whatever the number of steps."""


Network = TypeVar("Network", bound=torch.nn.Module)
Batch = TypeVar("Batch")


@dataclass(frozen=True)
class Objective(Generic[Batch]):
    """What is learned: batches by step number, the loss of one, and a loss on held-out data for the record."""

    batch: Callable[[int], Batch]
    loss: Callable[[torch.nn.Module, Batch], torch.Tensor]
    validation_loss: Callable[[torch.nn.Module], float]


def train(
    network: Network,
    objective: Objective[Batch],
    optimisation: Optimisation,
    steps: int,
    steps_per_epoch: int,
    state_file: Path,
    accelerator: Accelerator,
    kept_steps: Collection[int] = (),
) -> tuple[Network, History]:
    """Return the moving average of `network` after `steps` steps, and the history of its losses.

    The average as it is after each of `kept_steps` is kept next to the state (`state.read_kept`).

    The state is kept in `state_file` and a run that finds one goes on from it. Raises `Interrupted` after SIGTERM
    or SIGUSR1, once the state is written, and `FloatingPointError` as soon as the loss is not finite.
    """
    average = copy.deepcopy(network).to(accelerator.device)
    optimiser = torch.optim.Adam(network.parameters(), lr=optimisation.learning_rate, fused=True)
    done, history = load_state(state_file, network, average, optimiser)
    if done:
        log.info("resuming at step %d of %d from %s", done, steps, state_file)
    wrapped, optimiser = accelerator.prepare(network, optimiser)
    rows_every = max(1, steps // ROWS)
    stop = StopRequest()
    writer = _tensorboard(state_file, optimisation, accelerator)
    started = saved_at = waits_since = time.monotonic()
    seconds_before = history.seconds
    if done == 0 and 0 in kept_steps and accelerator.is_main_process:
        keep_average(state_file, 0, average)

    def save(step: int) -> None:
        history.seconds = seconds_before + time.monotonic() - started
        if accelerator.is_main_process:
            network = accelerator.unwrap_model(wrapped)
            save_state(state_file, step, network, average, optimiser.optimizer, history, complete=step == steps)

    batches = prefetch(objective.batch, done, steps)
    with stop, Progress(f"training {state_file.parent.name}", steps, "step", done) as progress:
        for step, batch in enumerate(batches, start=done):
            history.waited += time.monotonic() - waits_since
            rate = optimisation.learning_rate * _rate(step, steps, optimisation)
            for group in optimiser.param_groups:
                group["lr"] = rate
            with accelerator.autocast():
                loss = objective.loss(wrapped, batch)
            value, stopping = _agree(loss, stop.requested, accelerator)
            if not math.isfinite(value):
                raise FloatingPointError(
                    f"the loss is {value} at step {step + 1} of {steps}; lower the learning rate "
                    f"({optimisation.learning_rate}) and delete {state_file}"
                )
            accelerator.backward(loss)
            accelerator.clip_grad_norm_(wrapped.parameters(), optimisation.gradient_norm)
            optimiser.step()
            optimiser.zero_grad()
            _update_average(average, accelerator.unwrap_model(wrapped), step, optimisation.ema_decay)
            history.pending.append(value)
            progress.note(loss=value)
            progress.advance()
            if (step + 1) % rows_every == 0 or step + 1 == steps:
                _add_row(history, step + 1, steps_per_epoch, rate, objective.validation_loss(average))
                if writer:
                    for name in ("loss", "validation_loss", "learning_rate"):
                        writer.add_scalar(name, history.rows[-1][name], step + 1)
            if step + 1 in kept_steps and accelerator.is_main_process:
                keep_average(state_file, step + 1, average)
            if stopping:
                save(step + 1)
                raise Interrupted(f"stopped at step {step + 1} of {steps}; the same command goes on from there")
            if time.monotonic() - saved_at > 60 * optimisation.checkpoint_minutes or step + 1 == steps:
                save(step + 1)
                saved_at = time.monotonic()
            waits_since = time.monotonic()
    accelerator.wait_for_everyone()  # what is kept can be read by all
    return average, history


class StopRequest:
    """Within its block, SIGTERM and SIGUSR1 (Slurm's warning) ask for a stop after the current step."""

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[int, Callable[[int, FrameType | None], Any] | int | None] = {}

    def __enter__(self) -> "StopRequest":
        for number in (signal.SIGTERM, signal.SIGUSR1):
            self._before[number] = signal.signal(number, self._request)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _request(self, *_: object) -> None:
        self.requested = True


def _rate(step: int, steps: int, optimisation: Optimisation) -> float:
    """Return the learning rate of a step as a fraction of the largest."""
    warm = min(1.0, (step + 1) / (optimisation.warmup_steps + 1))
    if optimisation.schedule == "constant":
        return warm
    return warm * 0.5 * (1 + math.cos(math.pi * step / steps))


@torch.no_grad()
def _update_average(average: torch.nn.Module, network: torch.nn.Module, step: int, decay: float) -> None:
    # A decay that rises with the number of steps, so that a short run does not remember its random start.
    weight = 1 - min(decay, (1 + step) / (10 + step))
    torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), weight)


def _agree(loss: torch.Tensor, stop_requested: bool, accelerator: Accelerator) -> tuple[float, bool]:
    """Return the mean loss of all processes, and whether any of them was asked to stop: they stop after one step."""
    both = torch.stack([loss.detach().float(), torch.full_like(loss.detach(), stop_requested, dtype=torch.float32)])
    value, stopping = accelerator.reduce(both, "mean").tolist()
    return value, stopping > 0


def _add_row(history: History, step: int, steps_per_epoch: int, rate: float, validation_loss: float) -> None:
    loss = math.fsum(history.pending) / len(history.pending)
    history.pending.clear()
    row = {"step": step, "epoch": step / steps_per_epoch, "loss": loss}
    history.rows.append(row | {"validation_loss": validation_loss, "learning_rate": rate})


def _tensorboard(state_file: Path, optimisation: Optimisation, accelerator: Accelerator):
    if not (optimisation.tensorboard and accelerator.is_main_process):
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(state_file.with_suffix(".tensorboard")))
