"""Noise whose frames are made one from the other."""

from collections.abc import Callable

import torch

Move = Callable[[torch.Tensor, int, torch.Generator], tuple[torch.Tensor, torch.Tensor]]
"""From the noise of frame t (latent_channel, y, x), t, and a generator to what becomes of it in frame t + 1, and to
the pixels (y, x) that something of it reaches."""


def noise_recursively(shape: tuple[int, ...], move: Move, generator: torch.Generator) -> torch.Tensor:
    """Return noise of `shape` (time, latent_channel, y, x): white in the first frame, then moved from frame to frame.

    Pixels that nothing reaches get fresh noise. The recursion runs in float64, the noise is float32.
    """
    frames = [_white(shape[1:], generator)]
    for t in range(shape[0] - 1):
        moved, reached = move(frames[-1], t, generator)
        frames.append(torch.where(reached, moved, _white(shape[1:], generator)))
    return torch.stack(frames).float()


def _white(shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    return torch.randn(shape, generator=generator, dtype=torch.float64)
