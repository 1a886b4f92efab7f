"""What lies outside a frame's rows, as several coils see it: marginalised as `step.physics.outside` does it for one.

In each column, the readout transformed back, ``y_c = M F S_c (P x + Q w) + n``, with ``w ~ CN(0, 2 s^2 K)``. All coils
and lines together have the covariance ``2 (sigma^2 I + s^2 G G')``, G = A Q R with A the operator of all coils and
``K = R R'``: its rank is the number of rows outside, few, so that no matrix of coils and lines is needed. With
``G' G = V diag(g) V'`` and ``U = G V g^(-1/2)`` the components ``u = U' r`` of a residual have the variances
``sigma^2 + s^2 g``, all that is left of it ``sigma^2``. And ``u = B Q' A' r`` with ``B = g^(-1/2) V' R'``: the
components come from the residual's coil-combined image in the rows outside. That of the video is ``A' A`` of its
column, whose elements are the mask's point spread times the coils' correlation.
"""

from typing import NamedTuple

import torch

from step.contracts import Measurement
from step.physics.outside import measured_transform, stationary_covariance

SMALLEST_GAIN = 1e-6
"""Of the largest gain: what the coils see less of is left to the noise, since single precision cannot tell."""


class CoilBasis(NamedTuple):
    """The components of a frame's residual that have the outside in them, of one mask and one set of maps."""

    combined: torch.Tensor  # (x, component, outer row), B: from the coil-combined residual outside the frame
    rows: torch.Tensor  # (x, component, y), B Q' A' A P: from a frame's column
    gain: torch.Tensor  # (x, component), g: variance of each component for an outside of variance 1; 0 of no component


def coil_basis(mask: torch.Tensor, maps: torch.Tensor, n_rows: int) -> CoilBasis:
    """Return the basis for `mask` (ky,), `maps` (coil, y, x) and frames of `n_rows` rows, complex128, on the CPU."""
    transform, inside = measured_transform(mask, n_rows)
    spread = transform.mH @ transform
    columns = maps.to("cpu", torch.complex128).permute(2, 0, 1)
    outer, inner = columns[..., ~inside], columns[..., inside]
    root = torch.linalg.cholesky(stationary_covariance(len(mask))[~inside][:, ~inside]).to(spread.dtype)
    curvature = spread[~inside][:, ~inside] * (outer.mH @ outer)
    gain, vectors = torch.linalg.eigh(root.mH @ curvature @ root)
    seen = gain > SMALLEST_GAIN * gain.max()
    scale = torch.where(seen, gain, 1).rsqrt() * seen
    combined = scale[..., None] * vectors.mH @ root.mH
    rows = combined @ (spread[~inside][:, inside] * (outer.mH @ inner))
    return CoilBasis(combined, rows, gain * seen)


def precompute_outside(
    mask: torch.Tensor, maps: torch.Tensor, zero_filled: torch.Tensor, n_rows: int
) -> dict[str, torch.Tensor]:
    """Return what the residuals' components need of each frame, arrays (batch, time, ...), as precise as `zero_filled`.

    `mask` is (batch, time, ky), `maps` (batch, time, coil, y, x) and `zero_filled`, ``A' y``, (batch, time, y, x), all
    of the whole field of view. They are `outside_combined` (x, component, outer row), `outside_rows` (x, component, y),
    `outside_gain` (component, x) and `outside_lines` (x, component), the components of the data. Frames of one mask and
    one set of maps share a basis.
    """
    kind, device = zero_filled.dtype, zero_filled.device
    known: list[tuple[torch.Tensor, torch.Tensor, CoilBasis]] = []
    videos = []
    for masks, of_video in zip(mask, maps, strict=True):
        frames = [_find_basis(known, *of_frame, n_rows) for of_frame in zip(masks, of_video, strict=True)]
        one = all(frame is frames[0] for frame in frames)  # then frames share memory
        parts = [torch.stack(part).to(device, kind) for part in zip(*(frames[:1] if one else frames), strict=True)]
        videos.append([part.expand(len(frames), *part.shape[1:]) for part in parts])
    combined, rows, gain = (
        parts[0][None] if len(parts) == 1 else torch.stack(parts) for parts in zip(*videos, strict=True)
    )
    outer = _outer_rows(zero_filled, n_rows)
    return {
        "outside_combined": combined,
        "outside_rows": rows,
        "outside_gain": gain.real.mT.contiguous(),
        "outside_lines": (combined @ outer.mT[..., None])[..., 0],
    }


def components_of(image: torch.Tensor, prepared: Measurement) -> torch.Tensor:
    """Return the components (batch, time, component, x) of the residual of the complex `image` (batch, time, y, x)."""
    of_image = (prepared["outside_rows"] @ image.mT[..., None])[..., 0]
    return (of_image - prepared["outside_lines"]).mT


def outside_of(components: torch.Tensor, prepared: Measurement, n_lines: int, n_rows: int) -> torch.Tensor:
    """Return the image (batch, time, y, x) of `n_lines` rows, zero within the frame, whose data are ``U u``.

    `components` u is (batch, time, component, x).
    """
    outer = (prepared["outside_combined"].mH @ components.mT[..., None])[..., 0].mT
    before = n_lines // 2 - n_rows // 2
    inside = torch.zeros((*outer.shape[:2], n_rows, outer.shape[-1]), dtype=outer.dtype, device=outer.device)
    return torch.cat([outer[:, :, :before], inside, outer[:, :, before:]], dim=2)


def combine_components(components: torch.Tensor, prepared: Measurement) -> torch.Tensor:
    """Return ``P' A' U u`` (batch, time, y, x), within the frame, of `components` u (batch, time, component, x)."""
    return (prepared["outside_rows"].mH @ components.mT[..., None])[..., 0].mT


def _find_basis(
    known: list[tuple[torch.Tensor, torch.Tensor, CoilBasis]], mask: torch.Tensor, maps: torch.Tensor, n_rows: int
) -> CoilBasis:
    for its_mask, its_maps, basis in known:
        if torch.equal(its_mask, mask) and torch.equal(its_maps, maps):
            return basis
    known.append((mask, maps, coil_basis(mask, maps, n_rows)))
    return known[-1][2]


def _outer_rows(image: torch.Tensor, n_rows: int) -> torch.Tensor:
    """Return the rows (batch, time, outer row, x) of `image` (batch, time, y, x) that are outside the frame."""
    before = image.shape[-2] // 2 - n_rows // 2
    return torch.cat([image[..., :before, :], image[..., before + n_rows :, :]], dim=-2)
