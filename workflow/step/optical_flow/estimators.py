"""Optical flow between the frames of a video: TV-L1 and RAFT, and what they miss of a motion that is known."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from skimage.registration import optical_flow_tvl1
from torch.nn.functional import interpolate

from step.config.tasks import TvL1
from step.errors import InputError
from step.progress import track

Estimator = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From two frames (y, x) in [0, 1] to the optical flow (2, y, x), pixels: ``second(p + optical_flow(p)) ~ first(p)``.

Component 0 is the displacement along x, component 1 along y.
"""

RAFT_STRIDE = 8  # RAFT's features are an eighth as large as its frames
RAFT_SMALLEST_SIDE = 128  # of frames whose features still have all levels of its correlation pyramid

TEXTURE_WAVES = 24
TEXTURE_WAVELENGTHS = (0.2, 1.0)  # in units of the frame's side
TEXTURE_ROTATION_DEG = 3.0
TEXTURE_SHIFT = (0.4, -0.3)  # along x and y, pixels
TEXTURE_SEED = 0
MARGIN_SHARE = 1 / 16  # of the side: near the edge the texture leaves the frame, and no estimator can follow it


def tvl1_estimator(settings: TvL1) -> Estimator:
    """Return the estimator TV-L1 (Zach, Pock, Bischof 2007) with `settings`."""

    def estimate(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        rows_and_columns = optical_flow_tvl1(
            first,
            second,
            attachment=settings.attachment,
            tightness=settings.tightness,
            num_warp=settings.warps,
            num_iter=settings.iterations,
        )
        return rows_and_columns[::-1].astype(np.float32)

    return estimate


def raft_estimator(tensors: Mapping[str, torch.Tensor], device: torch.device | str = "cpu") -> Estimator:
    """Return the estimator RAFT (Teed and Deng 2020) with the weights `tensors` of torchvision's `raft_large`.

    Raises `InputError` unless they are the weights of that network.
    """
    from torchvision.models.optical_flow import raft_large  # a second and a half, which TV-L1 does not need

    network = raft_large(weights=None)
    try:
        network.load_state_dict(dict(tensors))
    except RuntimeError as error:
        fact = " ".join(str(error).split())[:200]
        raise InputError(f"the weights do not fit torchvision's raft_large: {fact}; give that network's file") from None
    network.eval().to(device)

    def estimate(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        inputs = [_raft_input(torch.from_numpy(np.float32(frame)).to(device)) for frame in (first, second)]
        with torch.no_grad():
            optical_flow = network(*inputs)[-1]
        return _resize_optical_flow(optical_flow, first.shape)[0].numpy(force=True)

    return estimate


def estimate_optical_flow(frames: np.ndarray, estimator: Estimator) -> tuple[np.ndarray, np.ndarray]:
    """Return the optical flow forward and backward, each (time - 1, 2, y, x), pixels, of `frames` (time, y, x).

    Frames are in [0, 1]. Forward at pixel p of frame t: what is there goes to p + forward in frame t + 1. Backward at
    pixel p of frame t + 1: what is there came from p + backward in frame t. Raises `InputError` for fewer than two
    frames.
    """
    if len(frames) < 2:
        raise InputError(
            f"a video of {len(frames)} frame has no optical flow; use a method without optical flow for it"
        )
    pairs = track(list(pairwise(frames)), "forward and backward", "pair")
    optical_flows = [(estimator(earlier, later), estimator(later, earlier)) for earlier, later in pairs]
    forward, backward = (np.stack(of_pairs) for of_pairs in zip(*optical_flows, strict=True))
    return forward, backward


def end_point_error(optical_flow: np.ndarray, truth: np.ndarray, margin: int) -> float:
    """Return the mean distance, pixels, between `optical_flow` and `truth` (..., 2, y, x).

    `margin` pixels at the edges are left out. The distance is Euclidean.
    """
    distance = np.linalg.norm(optical_flow - truth, axis=-3)
    height, width = distance.shape[-2:]
    return float(distance[..., margin : height - margin, margin : width - margin].mean())


@dataclass(frozen=True)
class SyntheticPair:
    """Two frames (y, x) in [0, 1] and the optical flow (2, y, x), pixels, that is known between them."""

    first: np.ndarray
    second: np.ndarray
    forward: np.ndarray  # second(p + forward(p)) = first(p)
    backward: np.ndarray  # first(p + backward(p)) = second(p)


def synthetic_pair(size: int, seed: int) -> SyntheticPair:
    """Return a smooth random texture of `size` x `size` pixels before and after it is rotated and shifted.

    The texture is a sum of cosines, evaluated where the pixels come from: nothing is interpolated, and the optical flow
    is exact. It moves by `TEXTURE_ROTATION_DEG` about the centre, then by `TEXTURE_SHIFT`.
    """
    pixels = np.stack(np.meshgrid(np.arange(size), np.arange(size), indexing="xy")).astype(float)
    centre, shift = (size - 1) / 2, np.array(TEXTURE_SHIFT)[:, None, None]
    rotation = _rotation(TEXTURE_ROTATION_DEG)
    target = np.tensordot(rotation, pixels - centre, axes=1) + centre + shift
    origin = np.tensordot(rotation.T, pixels - centre - shift, axes=1) + centre
    frames = np.stack([_texture(places, size, seed) for places in (pixels, origin)])
    first, second = ((frames - frames.min()) / np.ptp(frames)).astype(np.float32)
    return SyntheticPair(first, second, target - pixels, origin - pixels)


def check_estimator(estimator: Estimator, size: int) -> float:
    """Return the end-point error, pixels, on a rotated and shifted texture of `size` x `size`, both ways."""
    pair, margin = synthetic_pair(size, TEXTURE_SEED), round(size * MARGIN_SHARE)
    errors = (
        end_point_error(estimator(pair.first, pair.second), pair.forward, margin),
        end_point_error(estimator(pair.second, pair.first), pair.backward, margin),
    )
    return sum(errors) / len(errors)


def _raft_input(frame: torch.Tensor) -> torch.Tensor:
    """Return `frame` (y, x) in [0, 1] as RAFT takes it: (1, 3, y, x) in [-1, 1], as large as RAFT needs."""
    enlarged = interpolate(frame[None, None], size=_raft_sides(tuple(frame.shape)), mode="bilinear")
    return (2 * enlarged - 1).expand(-1, 3, -1, -1)


def _raft_sides(sides: tuple[int, ...]) -> tuple[int, int]:
    """Return the sides that frames of `sides` are enlarged to: multiples of `RAFT_STRIDE`, and large enough."""
    factor = max(1, RAFT_SMALLEST_SIDE / min(sides))
    height, width = (RAFT_STRIDE * int(np.ceil(side * factor / RAFT_STRIDE - 1e-9)) for side in sides)
    return height, width


def _resize_optical_flow(optical_flow: torch.Tensor, sides: tuple[int, int]) -> torch.Tensor:
    """Return `optical_flow` (batch, 2, y, x), pixels, on a grid of `sides` (y, x), in the pixels of that grid."""
    (height, width), (old_height, old_width) = sides, optical_flow.shape[-2:]
    pixels = optical_flow.new_tensor([width / old_width, height / old_height])[:, None, None]
    return interpolate(optical_flow, size=sides, mode="bilinear", antialias=True) * pixels


def _rotation(angle_deg: float) -> np.ndarray:
    """Return the matrix that turns (x, y) by `angle_deg`, from x towards y."""
    cosine, sine = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    return np.array([[cosine, -sine], [sine, cosine]])


def _texture(places: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Return the texture at `places` (2, y, x), pixels: random waves of `TEXTURE_WAVELENGTHS` times `size`."""
    random = np.random.default_rng(seed)
    shortest, longest = TEXTURE_WAVELENGTHS
    wavenumber = random.uniform(1 / longest, 1 / shortest, TEXTURE_WAVES) * 2 * np.pi / size
    direction, phase = random.uniform(0, 2 * np.pi, (2, TEXTURE_WAVES))
    waves = wavenumber * np.stack([np.cos(direction), np.sin(direction)])
    return np.cos(np.tensordot(waves.T, places, axes=1) + phase[:, None, None]).sum(axis=0)
