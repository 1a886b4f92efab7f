"""How a video is seen: as frames of brightness in [0, 1], which is also how it is compared."""

from typing import Literal

import torch

from step.errors import InputError


def to_unit_range(
    video: torch.Tensor, reference: torch.Tensor, display: Literal["magnitude", "unit_range"]
) -> torch.Tensor:
    """Return the brightness (..., y, x) in [0, 1] of `video` (..., channel, y, x).

    ``magnitude`` is the root of the sum of squares over channels, divided by the largest magnitude of
    `reference` (one video, whose scale all its reconstructions share) and clipped. ``unit_range`` is
    ``(x + 1) / 2``, clipped, of a single channel. Raises `InputError` for a dark reference or more channels.
    """
    if display == "magnitude":
        peak = reference.norm(dim=-3).amax()
        if not peak > 0:
            raise InputError("the reference video is zero everywhere, so there is no brightness; leave it out")
        return (video.norm(dim=-3) / peak).clamp(0, 1)
    if video.shape[-3] != 1:
        raise InputError(f"the video has {video.shape[-3]} channels, unit_range shows 1; use display: magnitude")
    return ((video.squeeze(-3) + 1) / 2).clamp(0, 1)
