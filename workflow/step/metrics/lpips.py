"""LPIPS: how alike single frames look to a network (Zhang et al. 2018, VGG16, version 0.1), through piq."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from step.errors import InputError
from step.metrics.conversion import VGG16_LAYERS
from step.metrics.metric import Metric, ScoredVideo

if TYPE_CHECKING:
    import torch

COMPARED = ("3", "8", "15", "22", "29")
"""The rectifiers of `vgg16().features` before each pool, and the last: relu1_2 to relu5_3."""

MIN_SIDE = 16  # pixels: four pools halve a side before the last of the five stages
FRAMES_AT_ONCE = 8  # bounds the memory that the features take


class Lpips:
    """The distance of two videos in the features of VGG16, weighted by the heads of LPIPS."""

    def __init__(self, state: Mapping[str, torch.Tensor]) -> None:
        """Take the weights of `conversion.convert_vgg16`."""
        import piq
        import torch
        from torchvision.models import vgg16

        with torch.device("meta"):  # a network of that size takes seconds to fill with random numbers
            features = vgg16(weights=None).features[:-1]  # nothing is compared after the last pool
        prefix = "features."
        weights = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        features.load_state_dict(weights, assign=True)
        features.to(memory_format=torch.channels_last)  # in which processors convolve faster, by a sixth of the whole
        heads = [state[f"lin{layer}"].reshape(1, -1, 1, 1) for layer in range(VGG16_LAYERS)]
        self._distance = piq.ContentLoss(
            features.eval(), layers=COMPARED, weights=heads, normalize_features=True, reduction="none"
        )

    def __call__(self, frames: np.ndarray, truth: np.ndarray) -> float:
        """Return the distance, averaged over frames; `frames` and `truth` are (time, y, x) in [0, 1].

        Grey frames are given to all three channels. Raises `InputError` where a side is below 16 pixels.
        """
        import torch

        if min(frames.shape[-2:]) < MIN_SIDE:
            raise InputError(
                f"frames are {frames.shape[-2]} x {frames.shape[-1]} pixels, LPIPS needs {MIN_SIDE} per side; "
                "raise the domain's resolution or set weights.vgg16: null"
            )
        with torch.no_grad():
            pairs = zip(_as_rgb(frames), _as_rgb(truth), strict=True)
            distances = [self._distance(one, other) for one, other in pairs]
        return float(torch.cat(distances).double().mean())


def _as_rgb(frames: np.ndarray) -> tuple[torch.Tensor, ...]:
    """Return `frames` in pieces (frame, 3, y, x), `FRAMES_AT_ONCE` at most in each."""
    import torch

    return torch.from_numpy(frames).float()[:, None].expand(-1, 3, -1, -1).split(FRAMES_AT_ONCE)


def lpips(scored: ScoredVideo) -> float | None:
    """Return the distance of the frames, None where the weights are missing."""
    if scored.frame_distance is None:
        return None
    return scored.frame_distance(scored.frames, scored.true_frames)


METRIC = Metric("lpips", "LPIPS", 3, "lower", lpips, may_be_missing=True)
