"""Closure quantities: what station gains and phases leave of visibilities, whatever they are.

Sets of them are minimal, no member following from the others, and are those of eht-imaging, in its order: the first
station that is up is the reference; with M stations, (M - 1)(M - 2) / 2 triangles and M (M - 3) / 2 quadrangles.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import torch

from step.physics.visibilities import Visibilities

Place = tuple[int, int]
"""A baseline, from one station to another."""


def minimal_triangles(stations: Sequence[int]) -> list[tuple[Place, ...]]:
    """Return the baselines (a, b), (b, c), (c, a) of each triangle of the minimal set of `stations`, in order."""
    ordered = sorted(stations)
    return [((ordered[0], b), (b, c), (c, ordered[0])) for b, c in combinations(ordered[1:], 2)]


def minimal_quadrangles(stations: Sequence[int]) -> list[tuple[Place, ...]]:
    """Return the baselines of each quadrangle of the minimal set: (a, b) and (c, d) over (a, d) and (b, c)."""
    ordered = sorted(stations)
    corners = [
        (ordered[0], ordered[i], ordered[j], ordered[1 if j == i - 1 else j + 1])
        for i in range(3, len(ordered))
        for j in range(1, i)
    ]
    return [((a, b), (c, d), (a, d), (b, c)) for a, b, c, d in corners]


def closure_phase(visibilities: torch.Tensor, triangle: torch.Tensor) -> torch.Tensor:
    """Return ``angle(V_ab V_bc V_ca)`` (batch, time, triangle), rad, of `visibilities` (batch, time, baseline)."""
    return closure_phasor(visibilities, triangle).angle()


def closure_phasor(visibilities: torch.Tensor, triangle: torch.Tensor) -> torch.Tensor:
    """Return ``exp(i closure phase)`` (batch, time, triangle).

    `triangle` (batch, time, triangle, 3) counts the visibilities followed by their complex conjugates, which are those
    of the opposite baselines.
    """
    phasors = visibilities / visibilities.abs().clamp_min(torch.finfo(visibilities.dtype).tiny)
    both = torch.cat([phasors, phasors.conj()], dim=-1)
    ab, bc, ca = _gather(both, triangle).unbind(-1)
    return ab * bc * ca


def log_closure_amplitude(visibilities: torch.Tensor, quadrangle: torch.Tensor) -> torch.Tensor:
    """Return ``log(|V_ab| |V_cd| / (|V_ad| |V_bc|))`` (batch, time, quadrangle), of amplitudes as they are measured.

    `quadrangle` (batch, time, quadrangle, 4) counts the visibilities in the order of the formula.
    """
    amplitude = visibilities.abs().clamp_min(torch.finfo(visibilities.dtype).tiny)
    ab, cd, ad, bc = _gather(amplitude.log(), quadrangle).unbind(-1)
    return ab + cd - ad - bc


def to_measurement(visibilities: Visibilities, n_frames: int) -> dict[str, np.ndarray]:
    """Return the visibilities and their minimal closure sets as arrays by frame, filled up with places without data.

    Closures are made of visibilities of the same time. Arrays have the axes (time, place, ...). A place whose sigma is
    0 has no data; frames may have any number of places with data, or none. The arrays are

    * `uv` (wavelengths), `visibility` and `sigma` (Jy), `stations` (numbers), `time_h` (UTC);
    * `triangle` and `quadrangle`: see `closure_phasor` and `log_closure_amplitude`;
    * `closure_phase` and `closure_phase_sigma` (rad), `log_closure_amplitude` and `log_closure_amplitude_sigma`, errors
      from those of the visibilities, to first order.
    """
    n_places = int(np.bincount(visibilities.frame, minlength=n_frames).max())
    frames = [_of_frame(visibilities[visibilities.frame == number], n_places) for number in range(n_frames)]
    return {name: _stack([frame[name] for frame in frames]) for name in frames[0]}


def _of_frame(rows: Visibilities, n_places: int) -> dict[str, np.ndarray]:
    """Return the arrays of one frame, whose visibilities will be filled up to `n_places`."""
    triangles, quadrangles = [], []
    for time in np.unique(rows.time_h):
        place = _places(rows, time, n_places)
        up = {station for pair in place for station in pair}
        triangles += _present(minimal_triangles(up), place)
        quadrangles += _present(minimal_quadrangles(up), place)
    triangle = np.array(triangles, np.int64).reshape(-1, 3)
    quadrangle = np.array(quadrangles, np.int64).reshape(-1, 4) % n_places
    values, variance = np.zeros(n_places, complex), np.zeros(n_places)
    values[: len(rows)] = rows.value
    variance[: len(rows)] = (rows.sigma / np.abs(rows.value)) ** 2
    return {
        "uv": rows.uv,
        "visibility": rows.value,
        "sigma": rows.sigma,
        "stations": rows.stations.astype(np.int64),
        "time_h": rows.time_h,
        "triangle": triangle,
        "closure_phase": closure_phase(torch.from_numpy(values), torch.from_numpy(triangle)).numpy(),
        "closure_phase_sigma": np.sqrt(variance[triangle % n_places].sum(-1)),
        "quadrangle": quadrangle,
        "log_closure_amplitude": log_closure_amplitude(torch.from_numpy(values), torch.from_numpy(quadrangle)).numpy(),
        "log_closure_amplitude_sigma": np.sqrt(variance[quadrangle].sum(-1)),
    }


def _places(rows: Visibilities, time: float, n_places: int) -> Mapping[Place, int]:
    """Return where the baselines of `time` stand among visibilities and, turned round, their conjugates."""
    place = {}
    for row in np.flatnonzero((rows.time_h == time) & (rows.value != 0)):
        one, other = map(int, rows.stations[row])
        place[one, other], place[other, one] = int(row), int(row) + n_places
    return place


def _present(loops: list[tuple[Place, ...]], place: Mapping[Place, int]) -> list[list[int]]:
    return [[place[side] for side in loop] for loop in loops if all(side in place for side in loop)]


def _stack(arrays: list[np.ndarray]) -> np.ndarray:
    longest = max(len(array) for array in arrays)
    stacked = np.zeros((len(arrays), longest, *arrays[0].shape[1:]), arrays[0].dtype)
    for row, array in zip(stacked, arrays, strict=True):
        row[: len(array)] = array
    return stacked


def _gather(values: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Return `values` (..., place) at `places` (..., loop, side)."""
    return values.gather(-1, places.flatten(-2)).unflatten(-1, places.shape[-2:])
