"""Networks evaluated for several videos at once, without a sample depending on the others in its batch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import torch

from step.contracts import VideoPrior


@dataclass(frozen=True)
class Batches:
    """The order in which samples are evaluated, in batches of one size."""

    order: list[int]  # index of the sample at each place of the batches, one after the other
    rows: list[int]  # where in `order` each sample is; what is nowhere here only fills its batch up


def arrange_batches(places: Sequence[int], size: int) -> Batches:
    """Return batches of `size` in which sample i stands at ``places[i]`` modulo `size`; free places hold copies.

    A network's rounding depends on the size of a batch and on the place in it (threads and vector instructions
    divide it in parts), and on nothing else of it. With places that belong to the samples, a sample is the same, bit
    for bit, whatever it is sampled together with.
    """
    columns: list[list[int]] = [[] for _ in range(size)]
    for sample, place in enumerate(places):
        columns[place % size].append(sample)
    order: list[int] = []
    rows = [0] * len(places)
    for standing in zip_longest(*columns):
        filler = next(sample for sample in standing if sample is not None)
        for sample in standing:
            if sample is not None:
                rows[sample] = len(order)
            order.append(filler if sample is None else sample)
    return Batches(order, rows)


def divide(length: int, size: int) -> list[slice]:
    """Return where the parts of `size` are, in order, that `length` items are divided into; the last may be shorter."""
    return [slice(first, first + size) for first in range(0, length, size)]


def join(parts: Sequence[torch.Tensor], dim: int = 0) -> torch.Tensor:
    """Return `parts` as one, and one alone as it is: in every step of a chain its copy would be for nothing."""
    return parts[0] if len(parts) == 1 else torch.cat(list(parts), dim=dim)


class FixedBatches:
    """A prior whose networks see `size` videos at a time, always; several at once cost less than one by one."""

    def __init__(self, prior: VideoPrior, size: int):
        self.size = size
        self._prior = prior

    @property
    def latent_shape(self) -> tuple[int, int, int, int]:
        """The shape of one latent video: (time, latent_channel, latent_y, latent_x)."""
        return self._prior.latent_shape

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        """Return the latents of `video`."""
        return self._in_batches(self._prior.encode, video)

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """Return the videos of `latent`."""
        return self._in_batches(self._prior.decode, latent)

    def denoise(self, latent: torch.Tensor, sigma: float) -> torch.Tensor:
        """Return the denoised `latent`."""
        return self._in_batches(lambda part: self._prior.denoise(part, sigma), latent)

    def _in_batches(self, function: Callable[[torch.Tensor], torch.Tensor], videos: torch.Tensor) -> torch.Tensor:
        if len(videos) % self.size:
            raise ValueError(f"{len(videos)} videos are not whole batches of {self.size}; arrange_batches fills them")
        return join([function(part) for part in videos.split(self.size)])


class FilledBatches(FixedBatches):
    """`FixedBatches` of any number of videos: the last batch is filled up with copies, which are thrown away."""

    def _in_batches(self, function: Callable[[torch.Tensor], torch.Tensor], videos: torch.Tensor) -> torch.Tensor:
        missing = -len(videos) % self.size
        if not missing:
            return super()._in_batches(function, videos)
        filled = torch.cat([videos, videos[-1:].detach().expand(missing, *videos.shape[1:])])
        return super()._in_batches(function, filled)[: len(videos)]
