"""What a sampling job has done so far: one file, replaced whole after every annealing level."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from step.contracts import Likelihood, NoiseSource, PosteriorSamples, VideoPrior
from step.errors import InputError
from step.io.atomic import whole_file

Tally = dict[str, float]
"""What was used so far, by name: seconds, evaluations of networks."""

Tensors = dict[str, torch.Tensor]

TRACE = "trace."


def named_levels(trace: Mapping[str, Sequence[torch.Tensor]]) -> Tensors:
    """Return a `trace`, by name (item,) for each level, as tensors (item, level) that can be kept."""
    return {f"{TRACE}{name}": torch.stack(list(levels), dim=1) for name, levels in trace.items()}


def levels_of(tensors: Tensors, device: torch.device) -> dict[str, list[torch.Tensor]]:
    """Return the trace that `named_levels` made of them, on `device`."""
    return {
        name.removeprefix(TRACE): [level.to(device) for level in levels.unbind(1)]
        for name, levels in tensors.items()
        if name.startswith(TRACE)
    }


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
    parts: list["SamplingState"] = field(default_factory=list)
    """What was kept of parts of the job, each in a file of its own."""

    def part(self, name: str) -> "SamplingState":
        """Return the state of the part `name` of the job, next to its own; what was used is the whole job's."""
        part = SamplingState(self.file.with_stem(f"{self.file.stem}-{name}"), self.tally, self.before)
        self.parts.append(part)
        return part

    def read(self, generators: Sequence[torch.Generator], device: torch.device) -> Reached | None:
        """Return where the job was, on `device`, and set `generators` to what they were there; None at its beginning.

        Raises `InputError` for a file that is damaged.
        """
        kept = self.read_tensors(generators)
        if kept is None:
            return None
        tensors, metadata = kept
        levels, step_sizes = int(metadata["levels"]), tensors["step_sizes"].tolist()
        return Reached(levels, tensors["noisy"].to(device), step_sizes, levels_of(tensors, device))

    def write(self, reached: Reached, generators: Sequence[torch.Generator]) -> None:
        """Keep where the job is."""
        tensors = {"noisy": reached.noisy, "step_sizes": torch.tensor(reached.step_sizes, dtype=torch.float64)}
        self.write_tensors(tensors | named_levels(reached.trace), {"levels": str(reached.levels)}, generators)

    def read_tensors(self, generators: Sequence[torch.Generator]) -> tuple[Tensors, dict[str, str]] | None:
        """Return what `write_tensors` kept, and set `generators` as they were; None where nothing was.

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
        before = json.loads(metadata["tally"])
        if sum(before.values()) > sum(self.before.values()):  # the latest of several parts
            self.before.update(before)
        return tensors, metadata

    def write_tensors(
        self, tensors: Tensors, metadata: Mapping[str, str], generators: Sequence[torch.Generator]
    ) -> None:
        """Keep `tensors` and `metadata`, and the state of the `generators`."""
        kept = {**tensors, "generators": torch.stack([generator.get_state() for generator in generators])}
        with whole_file(self.file) as part:
            save_file(
                {name: tensor.detach().cpu().contiguous() for name, tensor in kept.items()},
                part,
                {**metadata, "tally": json.dumps(self.used())},
            )

    def used(self) -> Tally:
        """Return what this process and those before it have used."""
        return {name: amount + self.before.get(name, 0.0) for name, amount in self.tally().items()}

    def remove(self) -> None:
        """Remove the files, and their folder where nothing else is in it: what they led to is written."""
        for part in self.parts:
            part.file.unlink(missing_ok=True)
        self.file.unlink(missing_ok=True)
        with suppress(OSError):  # of other jobs' states, or none
            self.file.parent.rmdir()


class ResumableSampler(ABC):
    """A sampler whose job, when it was killed, goes on from what was kept of it, number for number."""

    def sample(
        self,
        prior: VideoPrior,
        likelihood: Likelihood,
        noise_sources: Sequence[NoiseSource],
        generators: Sequence[torch.Generator],
        device: torch.device,
        describe: str,
    ) -> PosteriorSamples:
        """Return what `sample_on` does, from the beginning on and without keeping anything."""
        return self.sample_on(prior, likelihood, noise_sources, generators, device, describe, None)

    @abstractmethod
    def sample_on(
        self,
        prior: VideoPrior,
        likelihood: Likelihood,
        noise_sources: Sequence[NoiseSource],
        generators: Sequence[torch.Generator],
        device: torch.device,
        describe: str,
        state: SamplingState | None,
    ) -> PosteriorSamples:
        """Return what `step.PosteriorSampler.sample` says, from where `state` was left on, and keep it up to date."""
