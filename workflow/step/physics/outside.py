"""What lies outside a frame's rows but inside the field of view that k-space was measured with, marginalised.

A line of k-space sums over the whole field of view, of which the frame x has only the middle rows:
``y = M F (P x + Q w) + n``, with P and Q putting the frame's rows and the others into the field of view. The readout is
measured whole, so that after its inverse transform every column stands alone. With ``w ~ CN(0, 2 s^2 K)``, w integrated
out, a column of ``y - M F P x`` has the covariance ``2 (sigma^2 I + s^2 A)``, ``A = (M F Q) K (M F Q)'``, over the
measured lines. The scale s may differ between columns: with ``A = U diag(g) U'``, one decomposition per mask,
``U' r / sqrt(sigma^2 + s^2 g)`` is white for all of them.

K is the covariance of a stationary image whose power falls as ``1 / (1 + k^2)``, k in cycles per field of view: that of
piecewise constant tissue, which edges bound. A white K expects far too little of the central lines and too much of the
others; with the simulated chests and their true scale it leaves chi-squares of the truth of up to 1.5, this one of 1.0.
"""

import math
from typing import NamedTuple

import torch

COLUMNS_PER_KNOT = 8
"""The estimated variance is linear between knots this many columns apart: chest walls are no narrower."""

PRIOR_DATA = 5.0
"""So many data per knot speak for the variance that all columns have in common; else it collapses to 0 at some."""

ITERATIONS = 40
"""Of the estimate, after as many for all columns in common."""

LEVEL_ITERATIONS = 12
"""Of the level of one frame, of either kind: the first are sure to approach it, the others end on it."""


class LineBasis(NamedTuple):
    """The basis of a mask's measured lines in which noise and outside are both uncorrelated."""

    lines: torch.Tensor  # (line, ky), U' M: from all lines to the components
    rows: torch.Tensor  # (line, y), U' M F P: from a frame's column to the components
    gain: torch.Tensor  # (line,), g: variance of each component for an outside of variance 1


def line_basis(mask: torch.Tensor, n_rows: int) -> LineBasis:
    """Return the basis for `mask` (ky,) and frames of `n_rows` rows, complex128, on the CPU."""
    transform, inside = measured_transform(mask, n_rows)
    gain, vectors = torch.linalg.eigh(_covariance(transform, ~inside))
    to_lines = torch.zeros(len(transform), len(mask), dtype=transform.dtype)
    to_lines[:, mask.cpu()] = vectors.mH
    return LineBasis(to_lines, vectors.mH @ transform[:, inside], gain.clamp_min(0))


def fit_level(squared: torch.Tensor, variance: torch.Tensor, noise: float) -> torch.Tensor:
    """Return the factor (batch, time) on the outside's `variance` that makes each frame's residual most likely.

    `squared` is half the squared magnitude of the residual's components, `variance` what the outside has in them at its
    stated scale, both (batch, time, line, x); `noise` is the noise's variance. The level is the maximum of the marginal
    likelihood: by the minorisation of Zhou et al. (2019), whose steps always ascend, then by Newton's steps.
    """
    level = torch.ones(squared.shape[:2], dtype=squared.dtype, device=squared.device)
    smallest = torch.finfo(squared.dtype).tiny
    for step in range(2 * LEVEL_ITERATIONS):
        whole = noise + level[..., None, None] * variance
        share, ratio = (whole - noise) / whole, squared / whole
        wanted, found = (share * ratio).sum(dim=(-2, -1)), share.sum(dim=(-2, -1)).clamp_min(smallest)
        if step < LEVEL_ITERATIONS:
            level = level * (wanted / found).sqrt()
            continue
        # In the logarithm of the level; the expected curvature keeps steps short where the true one is smaller.
        expected = share.square()
        true = (share - expected) * (1 - ratio) + expected * ratio
        curvature = torch.maximum(true.sum(dim=(-2, -1)), expected.sum(dim=(-2, -1))).clamp_min(smallest)
        level = level * ((wanted - found) / curvature).clamp(-1, 1).exp()
    return level


class OutsideEstimate(NamedTuple):
    """What k-space itself says of the image outside the frame."""

    scale: torch.Tensor  # (x,), standard deviation per real and imaginary part
    share: float  # of the energy of the whole field of view


def estimate_outside(columns: torch.Tensor, mask: torch.Tensor, n_rows: int, noise_level: float) -> OutsideEstimate:
    """Return the outside's scale in each column of k-space whose readout is transformed: `columns` (time, ky, x).

    It maximises the marginal likelihood of the lines `mask` (time, ky) over the variances inside and outside the frame,
    ``sigma^2 I + a^2 B + s^2 A`` (B as A, for the rows of the frame), frames together; no image is known or made. The
    few lines of a fast scan leave s^2 uncertain by a factor of two or more: it is a profile over the columns, whose
    level each video then fits (`fit_level`).
    """
    columns = columns.to(torch.complex128)
    groups = []
    for lines in mask.unique(dim=0):
        frames = (mask == lines).all(dim=1)
        transform, inside = measured_transform(lines, n_rows)
        measured = columns[frames][:, lines]
        second_moment = torch.einsum("tix,tjx->xij", measured, measured.conj()) / 2
        parts = torch.stack([_covariance(transform, ~inside), _covariance(transform, inside)])
        groups.append((int(frames.sum()) / len(mask), second_moment / len(mask), parts))
    n_columns = columns.shape[-1]
    energy = columns.abs().square().sum() / (2 * mask.sum() * n_columns)
    if energy == 0 or not (~inside).any():
        return OutsideEstimate(torch.zeros(n_columns, dtype=torch.float64), 0.0)
    noise = max(noise_level**2, 1e-6 * float(energy))
    start = energy.expand(2, 1)
    common = _fit_variances(groups, torch.ones(1, n_columns, dtype=torch.float64), start, noise, prior_data=0.0)
    knots = _knots(n_columns)
    variance = _fit_variances(groups, knots, common.expand(2, len(knots)), noise, PRIOR_DATA) @ knots
    outside, frame = variance[0].sum() * (~inside).sum(), variance[1].sum() * inside.sum()
    return OutsideEstimate(variance[0].sqrt(), float(outside / (outside + frame)))


def estimate_outside_of_coils(
    columns: torch.Tensor, mask: torch.Tensor, n_rows: int, noise_level: float
) -> OutsideEstimate:
    """Return the same of several coils, `columns` (time, coil, ky, x), whose maps have a sum of squares of 1.

    The maps are not used: summed over the coils, the data's second moments are nearly those of one that sees all
    alike, since each map is smooth.
    """
    n_coils = columns.shape[1]
    found = estimate_outside(columns.flatten(0, 1), mask.repeat_interleave(n_coils, dim=0), n_rows, noise_level)
    return OutsideEstimate(found.scale * n_coils**0.5, found.share)


def _fit_variances(
    groups: list, knots: torch.Tensor, start: torch.Tensor, noise: float, prior_data: float
) -> torch.Tensor:
    """Return the variances (2, knot), outside and inside, from `start`, which `prior_data` of an inverse gamma hold."""
    variance = start
    for _ in range(ITERATIONS):
        wanted, found = (torch.zeros(2, knots.shape[1], dtype=torch.float64) for _ in range(2))
        for share, second_moment, parts in groups:
            identity = torch.eye(parts.shape[-1], dtype=parts.dtype)
            covariance = torch.einsum("px,pij->xij", (variance @ knots).to(parts.dtype), parts) + noise * identity
            inverse = torch.linalg.inv(covariance)
            found += share * torch.einsum("xij,pji->px", inverse, parts).real
            wanted += torch.einsum("xij,pji->px", inverse @ second_moment @ inverse, parts).real
        wanted, found = wanted @ knots.T, found @ knots.T
        above = variance.square() * wanted + prior_data * start
        variance = (above / (found + prior_data / variance)).sqrt()
    return variance


def _knots(n_columns: int) -> torch.Tensor:
    """Return the weights (knot, x) of linear interpolation over the columns."""
    n_knots = max(2, round(n_columns / COLUMNS_PER_KNOT) + 1)
    places = torch.linspace(0, n_columns - 1, n_knots, dtype=torch.float64)
    spacing = max((n_columns - 1) / (n_knots - 1), 1.0)
    return (1 - (torch.arange(n_columns) - places[:, None]).abs() / spacing).clamp_min(0)


def measured_transform(mask: torch.Tensor, n_rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ``M F`` (line, y), complex128, over the field of view, and which of its rows the frame has (y,)."""
    n_lines = len(mask)
    place = torch.arange(n_lines) - n_lines // 2
    angle = -2 * math.pi / n_lines * (place[mask.cpu(), None] * place % n_lines).double()
    transform = torch.polar(torch.full_like(angle, n_lines**-0.5), angle)
    return transform, (place >= -(n_rows // 2)) & (place < n_rows - n_rows // 2)


def _covariance(transform: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Return the covariance (line, line) of an image of variance 1 that is zero but in `rows` (y,)."""
    seen = transform[:, rows]
    return seen @ stationary_covariance(transform.shape[1])[rows][:, rows].to(seen.dtype) @ seen.mH


def stationary_covariance(n: int) -> torch.Tensor:
    """Return K (y, y), float64, of a column of `n` rows: of variance 1, its power as the module says."""
    place = torch.arange(n)
    wavenumber = (place - n // 2).double()
    power = 1 / (1 + wavenumber**2)
    distance = (place[:, None] - place).double()
    return (power / power.sum() * torch.cos(2 * math.pi / n * distance[..., None] * wavenumber)).sum(-1)
