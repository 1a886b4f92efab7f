"""The optical flow of a video, and the same motion on the grid of its latents."""

from dataclasses import dataclass

import torch
from torch.nn.functional import adaptive_avg_pool2d

from step.errors import InputError


@dataclass(frozen=True)
class OpticalFlow:
    """Displacements between neighbouring frames, in pixels.

    Both are float32 tensors (time - 1, 2, y, x); component 0 is along x, component 1 along y. The pixel p of frame t
    moves to ``p + forward[t](p)`` in frame t + 1; the pixel p of frame t + 1 was at ``p + backward[t](p)`` in frame t.
    """

    forward: torch.Tensor
    backward: torch.Tensor


def resized(optical_flow: OpticalFlow, height: int, width: int) -> OpticalFlow:
    """Return `optical_flow` on a grid of `height` x `width` pixels over the same frame, displacements in new pixels.

    The displacement of a new pixel is the average over the old pixels that it covers, scaled by the ratio of the
    sizes. Pixel centres are at integers and a frame reaches from -1/2 to size - 1/2, so that position x becomes
    ``(x + 1/2) * ratio - 1/2``.
    """
    return OpticalFlow(_resized(optical_flow.forward, height, width), _resized(optical_flow.backward, height, width))


def optical_flow_of_latents(optical_flow: OpticalFlow | None, latent_shape: tuple[int, int, int, int]) -> OpticalFlow:
    """Return the `optical_flow` of a video on the grid of its latents of `latent_shape` (time, latent_channel, y, x).

    Raises `InputError` where there is no optical flow, or it is of another number of frames, or not finite.
    """
    n_frames, _, height, width = latent_shape
    if optical_flow is None:
        raise InputError(
            "noise.source needs the optical flow of the video and got none; "
            "give it one, or set noise.source to independent or batch_consistent"
        )
    for name, displacements in (("forward", optical_flow.forward), ("backward", optical_flow.backward)):
        if len(displacements) != n_frames - 1:
            raise InputError(
                f"the {name} optical flow joins {len(displacements) + 1} frames, the prior's latents have {n_frames}; "
                "estimate it from a video of as many frames"
            )
        if not torch.isfinite(displacements).all():
            raise InputError(f"the {name} optical flow holds values that are not finite; estimate it again")
    return resized(optical_flow, height, width)


def _resized(displacements: torch.Tensor, height: int, width: int) -> torch.Tensor:
    old_height, old_width = displacements.shape[-2:]
    ratio = torch.tensor([width / old_width, height / old_height]).reshape(2, 1, 1)
    return adaptive_avg_pool2d(displacements, (height, width)) * ratio.to(displacements)
