"""Functions of videos that treat frames separately, evaluated a few frames at a time: what bounds their memory."""

from collections.abc import Callable

import torch

Function = Callable[[torch.Tensor], torch.Tensor]


def by_frames(function: Function, videos: torch.Tensor, n_frames: int) -> torch.Tensor:
    """Return `function` of `videos` or latents (batch, time, ...), `n_frames` frames of each at a time."""
    return torch.cat([function(part) for part in videos.split(n_frames, dim=1)], dim=1)


def video_by_video(function: Function, videos: torch.Tensor, n_frames: int) -> torch.Tensor:
    """Return the same of one video at a time: `function` never sees more than `n_frames` frames at once."""
    return torch.cat([by_frames(function, video, n_frames) for video in videos.split(1)])
