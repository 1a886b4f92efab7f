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

READ_EVERY = {"cpu": 1}
"""Steps from one reading of the losses to the next, by the kind of device: a GPU has to finish its work for it."""
READ_EVERY_ON_OTHERS = 20


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
    or SIGUSR1, once the state is written, and `FloatingPointError` as soon as a loss is read that is not finite, before
    anything is saved of it.
    """
    average = copy.deepcopy(network).to(accelerator.device)
    optimiser = torch.optim.Adam(network.parameters(), lr=optimisation.learning_rate, fused=True)
    done, history = load_state(state_file, network, average, optimiser)
    if done:
        log.info("resuming at step %d of %d from %s", done, steps, state_file)
    wrapped, optimiser = accelerator.prepare(network, optimiser)
    rows_every = max(1, steps // ROWS)
    read_every = READ_EVERY.get(accelerator.device.type, READ_EVERY_ON_OTHERS)
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

    batches, unread = prefetch(objective.batch, done, steps), list[torch.Tensor]()
    with stop, Progress(f"training {state_file.parent.name}", steps, "step", done) as progress:
        for step, batch in enumerate(batches, start=done):
            history.waited += time.monotonic() - waits_since
            rate = optimisation.learning_rate * _rate(step, steps, optimisation)
            for group in optimiser.param_groups:
                group["lr"] = rate
            with accelerator.autocast():
                loss = objective.loss(wrapped, batch)
            unread.append(loss.detach().float())
            ends_row, is_kept = (step + 1) % rows_every == 0 or step + 1 == steps, step + 1 in kept_steps
            # All processes read after the same steps; one alone may stop at any.
            stops = stop.requested and accelerator.num_processes == 1
            stopping = False
            if is_read := ends_row or is_kept or stops or (step + 1) % read_every == 0:
                values, stopping = _agree(unread, stop.requested, accelerator)
                unread.clear()
                _check_finite(values, step + 1, steps, optimisation.learning_rate, state_file)
                history.pending += values
                progress.note(loss=values[-1])
            accelerator.backward(loss)
            accelerator.clip_grad_norm_(wrapped.parameters(), optimisation.gradient_norm)
            optimiser.step()
            optimiser.zero_grad()
            _update_average(average, accelerator.unwrap_model(wrapped), step, optimisation.ema_decay)
            progress.advance()
            if ends_row:
                _add_row(history, step + 1, steps_per_epoch, rate, objective.validation_loss(average))
                if writer:
                    for name in ("loss", "validation_loss", "learning_rate"):
                        writer.add_scalar(name, history.rows[-1][name], step + 1)
            if is_kept and accelerator.is_main_process:
                keep_average(state_file, step + 1, average)
            if stopping:
                save(step + 1)
                raise Interrupted(f"stopped at step {step + 1} of {steps}; the same command goes on from there")
            is_due = time.monotonic() - saved_at > 60 * optimisation.checkpoint_minutes
            if (is_due and is_read) or step + 1 == steps:
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


def _agree(losses: list[torch.Tensor], stop_requested: bool, accelerator: Accelerator) -> tuple[list[float], bool]:
    """Return the mean losses of all processes, and whether any of them was asked to stop: they stop after one step."""
    requested = torch.full_like(losses[-1], stop_requested)
    *values, stopping = accelerator.reduce(torch.stack([*losses, requested]), "mean").tolist()
    return values, stopping > 0


def _check_finite(values: list[float], step: int, steps: int, learning_rate: float, state_file: Path) -> None:
    """Raise `FloatingPointError` where one of `values`, the losses up to `step`, is not finite."""
    wrong = next((n for n, value in enumerate(values) if not math.isfinite(value)), None)
    if wrong is not None:
        raise FloatingPointError(
            f"the loss is {values[wrong]} at step {step - len(values) + 1 + wrong} of {steps}; lower the learning rate "
            f"({learning_rate}) and delete {state_file}"
        )


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
