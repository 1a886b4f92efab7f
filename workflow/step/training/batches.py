"""What each training step sees: examples in a seeded order, randomly flipped and zoomed.

Everything that is random in a step derives from the study's seed and the step's number, so that a resumed run, or
one spread over several processes, sees what an uninterrupted one on a single process does.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

import numpy as np
import torch

from step.config.data import Augmentation
from step.io.videos import VideoStore
from step.seeds import derive_seed

Made = TypeVar("Made")


class ShuffledBatches:
    """A seeded order of `n_examples`, shuffled anew each epoch, cut into batches."""

    def __init__(self, n_examples: int, batch_size: int, seed: int, name: str):
        self.n_examples = n_examples
        self.batch_size = batch_size
        self._permutation = lru_cache(maxsize=2)(
            lambda epoch: np.random.default_rng(derive_seed(seed, name, epoch)).permutation(n_examples)
        )

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in one pass over the examples, at least one."""
        return max(1, self.n_examples // self.batch_size)

    def batch(self, step: int) -> list[int]:
        """Return the numbers of the examples of batch `step`."""
        first = step * self.batch_size
        positions = range(first, first + self.batch_size)
        return [int(self._permutation(p // self.n_examples)[p % self.n_examples]) for p in positions]


class ImageSet:
    """All frames of the training videos and all single images, at most `limit` of them, chosen with the seed."""

    def __init__(self, store: VideoStore, frames: int, limit: int, seed: int):
        self._store = store
        n_frames = [1 if record.kind == "image" else frames for record in store.records]
        self._first = np.concatenate([[0], np.cumsum(n_frames)])  # number of each video's first image
        self._chosen = np.random.default_rng(derive_seed(seed, "images")).permutation(self._first[-1])[:limit]

    def __len__(self) -> int:
        return len(self._chosen)

    def read(self, numbers: list[int]) -> torch.Tensor:
        """Return images (image, channel, y, x)."""
        chosen = self._chosen[numbers]
        videos = np.searchsorted(self._first, chosen, side="right") - 1
        frames = chosen - self._first[videos]
        pairs = zip(videos, frames, strict=True)
        return torch.from_numpy(np.stack([self._store.video(int(video))[frame] for video, frame in pairs]))


class VideoSet:
    """The training videos."""

    def __init__(self, store: VideoStore):
        self._store = store

    def __len__(self) -> int:
        return len(self._store)

    def read(self, numbers: list[int]) -> torch.Tensor:
        """Return videos (video, time, channel, y, x)."""
        return torch.from_numpy(np.stack([self._store.video(number) for number in numbers]))


def sample_transforms(n_examples: int, settings: Augmentation, generator: torch.Generator) -> torch.Tensor:
    """Return one random flip and zoom per example, as affine maps of the plane (example, 2, 3)."""
    signs = torch.ones(n_examples, 2)
    if settings.flips:
        signs = 1.0 - 2.0 * torch.randint(0, 2, (n_examples, 2), generator=generator)
    low, high = settings.zoom
    zoom = low * (high / low) ** torch.rand(n_examples, generator=generator)
    chosen = torch.rand(n_examples, generator=generator) < settings.probability
    scale = signs / torch.where(chosen, zoom, torch.ones(()))[:, None]
    return torch.diag_embed(torch.cat([scale, torch.zeros(n_examples, 1)], dim=1))[:, :2]


def transform(videos: torch.Tensor, transforms: torch.Tensor, dark: float) -> torch.Tensor:
    """Return `videos` (example, time, channel, y, x) flipped and zoomed, all frames of one video alike.

    Videos and transforms are on one device, which does the work; no example depends on the others. What a zoom below 1
    brings in from outside the frame has the value `dark`, that of no signal. The frame's edge is interpolated towards
    it.
    """
    frames = videos.flatten(1, 2) - dark
    grid = torch.nn.functional.affine_grid(transforms, list(frames.shape), align_corners=False)
    warped = torch.nn.functional.grid_sample(frames, grid, padding_mode="zeros", align_corners=False)
    return (warped + dark).unflatten(1, videos.shape[1:3])


def place(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return `tensor` on `device`; a GPU copies it from pinned memory while Python goes on."""
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def prefetch(make: Callable[[int], Made], first: int, last: int) -> Iterator[Made]:
    """Yield ``make(step)`` for the steps from `first` to `last` - 1, each made while the one before is used."""
    if first >= last:
        return
    with ThreadPoolExecutor(1) as pool:
        ready = pool.submit(make, first)
        for step in range(first + 1, last):
            following = pool.submit(make, step)
            yield ready.result()
            ready = following
        yield ready.result()
