"""What every forward model's `measure` is given: a video, and where its noise comes from."""

import numpy as np
import torch

from step.errors import InputError


def batch_of(video: torch.Tensor | np.ndarray, shape: tuple[int | None, ...]) -> torch.Tensor:
    """Return `video` as a tensor (batch, time, channel, y, x); one without a batch axis is a batch of one.

    `shape` is that of the videos that are measured, (time, channel, y, x), where None is any length. A tensor stays
    what it is; an array becomes float32, as the priors' videos are. Raises `InputError` for what is no video of the
    shape, or has no real floating-point numbers.
    """
    if isinstance(video, torch.Tensor):
        is_real, tensor = video.is_floating_point(), video
    elif isinstance(video, np.ndarray):
        is_real = np.issubdtype(video.dtype, np.floating)
        tensor = torch.from_numpy(np.array(video, np.float32 if is_real else None, order="C"))
    else:
        raise InputError(f"a video to measure is a numpy array or a torch tensor, this is a {type(video).__name__}")
    batch = tensor[None] if tensor.ndim == len(shape) else tensor
    fits = batch.ndim == len(shape) + 1 and all(b in (None, a) for a, b in zip(batch.shape[1:], shape, strict=True))
    if not (is_real and fits):
        axes = ", ".join(
            f"{name} {length or 'any'}" for name, length in zip(("time", "channel", "y", "x"), shape, strict=True)
        )
        raise InputError(
            f"a video to measure has real floating-point numbers and axes ({axes}), or a batch axis before them; this "
            f"one is {video.dtype} of {tuple(video.shape)}. Of complex images the parts are channels"
        )
    return batch


def generator_of(generator: torch.Generator | None, seed: int | None) -> torch.Generator:
    """Return `generator`, or one that starts from `seed`; raises `InputError` unless exactly one is given."""
    if generator is not None and seed is None:
        return generator
    if generator is None and seed is not None:
        return torch.Generator().manual_seed(seed)
    given = "neither" if generator is None else "both"
    raise InputError(f"a simulated measurement needs a generator or a seed, {given} is given; measure(video, seed=0)")
