"""Closure quantities: what station gains and phases leave of visibilities, whatever they are.

The paper's sets are eht-imaging's minimal ones, in its order: the most sensitive station that is up is the reference;
with M stations and all baselines they have (M - 1)(M - 2) / 2 triangles and M (M - 3) / 2 quadrangles, no member
following from the others. Where baselines are missing such a set lacks closures that do not follow from its members;
here each set is completed to a basis, and says which of its members are eht-imaging's.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from itertools import chain, combinations, pairwise
from operator import mul

import numpy as np
import torch

from step.physics.low_signal import Moments, first_order, moments
from step.physics.visibilities import Visibilities

Place = tuple[int, int]
"""A baseline, from one station to another."""

Loop = tuple[Place, ...]
"""The baselines of a closure phase, one after the other; or those above a closure amplitude's bar, then those below."""

Basis = list[tuple[list[int], bool]]
"""Loops, their sides as places among a frame's visibilities, and whether each is of eht-imaging's minimal set."""

INDEPENDENT = 1e-6
"""What of a closure, a vector of small whole numbers over baselines, must be new for it to be independent."""


def minimal_triangles(ordered: Sequence[int]) -> list[Loop]:
    """Return the baselines (a, b), (b, c), (c, a) of each triangle of eht-imaging's minimal set, in its order.

    `ordered` are the stations that are up, the most sensitive first.
    """
    reference, *others = ordered
    return [_triangle(reference, b, c) for b, c in combinations(others, 2)]


def minimal_quadrangles(ordered: Sequence[int]) -> list[Loop]:
    """Return the baselines of each quadrangle of eht-imaging's minimal set: (a, b) and (c, d) over (a, d) and (b, c).

    `ordered` are the stations that are up, the most sensitive first.
    """
    return [
        _quadrangle(ordered[0], ordered[i], ordered[j], ordered[1 if j == i - 1 else j + 1])
        for i in range(3, len(ordered))
        for j in range(1, i)
    ]


def closure_phase(visibilities: torch.Tensor, triangle: torch.Tensor) -> torch.Tensor:
    """Return ``angle(V_ab V_bc V_ca)`` (batch, time, triangle), rad, of `visibilities` (batch, time, baseline)."""
    return closure_phasor(visibilities, triangle).angle()


def closure_phasor(visibilities: torch.Tensor, triangle: torch.Tensor) -> torch.Tensor:
    """Return ``exp(i closure phase)`` (batch, time, triangle).

    `triangle` (batch, time, triangle, side) counts the visibilities, then their complex conjugates, which are those of
    the opposite baselines, and then the number 1, which takes the sides that a loop does not have.
    """
    phasors = visibilities / visibilities.abs().clamp_min(torch.finfo(visibilities.dtype).tiny)
    sides = _gather(torch.cat([phasors, phasors.conj(), torch.ones_like(phasors[..., :1])], dim=-1), triangle)
    return reduce(mul, sides.unbind(-1))


def log_closure_amplitude(visibilities: torch.Tensor, quadrangle: torch.Tensor) -> torch.Tensor:
    """Return ``log(|V_ab| |V_cd| / (|V_ad| |V_bc|))`` (batch, time, quadrangle), of amplitudes as they are measured.

    `quadrangle` (batch, time, quadrangle, side) counts the visibilities, and then the number 1: the first half of the
    sides are above the bar, the others below.
    """
    amplitude = visibilities.abs().clamp_min(torch.finfo(visibilities.dtype).tiny)
    logarithms = torch.cat([amplitude.log(), torch.zeros_like(amplitude[..., :1])], dim=-1)
    above, below = _gather(logarithms, quadrangle).chunk(2, dim=-1)
    return above.sum(-1) - below.sum(-1)


def phase_powers(triangle: torch.Tensor, n_places: int) -> torch.Tensor:
    """Return K (batch, time, triangle, baseline): how often each visibility's phase is in each closure phase."""
    counts = _counts(triangle, 2 * n_places)
    return counts[..., :n_places] - counts[..., n_places:]


def amplitude_powers(quadrangle: torch.Tensor, n_places: int) -> torch.Tensor:
    """Return K (batch, time, quadrangle, baseline): the power of each amplitude in each closure amplitude."""
    above, below = quadrangle.chunk(2, dim=-1)
    return _counts(above, n_places) - _counts(below, n_places)


def covariance(powers: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
    """Return C = K diag(s^2) K' (batch, time, closure, closure), of closures that share visibilities.

    `powers` is K, `variance` (batch, time, baseline) holds s^2, that of the visibilities' phases or log amplitudes.
    """
    return (powers * variance[..., None, :]) @ powers.mT


def chord_covariance(powers: torch.Tensor, coherence: torch.Tensor) -> torch.Tensor:
    """Return the second moments (batch, time, closure, closure) of the chords ``exp(i error) - 1`` of closure phases.

    `coherence` (batch, time, baseline, 2) has the means of ``cos(n phi)``, n = 1, 2, of the visibilities' phase errors.
    Those of different baselines are independent, so that ``E exp(i (error_j - error_k))`` is the product over baselines
    of the coherence at ``|K_j - K_k|``; `powers`, K, is -1, 0 or 1. At a high ratio of signal to noise it is
    `covariance`, and where there is no signal 2 on the diagonal.
    """
    once, twice = coherence.log().unbind(-1)
    size = powers.abs()
    shared_once, shared = (size * once[..., None, :]) @ size.mT, (size * twice[..., None, :]) @ size.mT
    opposite = (shared - (powers * twice[..., None, :]) @ powers.mT) / 2
    alone = (size * once[..., None, :]).sum(-1)
    both = (alone[..., :, None] + alone[..., None, :] - 2 * shared_once + opposite).exp()
    return both - alone.exp()[..., :, None] - alone.exp()[..., None, :] + 1


def whitening(of_all: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    """Return W (batch, time, closure, closure), W C W' = 1, of closures with the covariance C, `of_all`.

    `present` (batch, time, closure) is false where there is no closure, of which W has nothing. ``|W r|^2`` is then
    ``r' C^-1 r``, for C = K diag(s^2) K' the same for every basis K of the same closures. W is lower triangular.
    """
    both = present[..., :, None] & present[..., None, :]
    whole = torch.where(both, of_all, 0) + torch.diag_embed((~present).to(of_all.dtype))
    identity = torch.eye(whole.shape[-1], dtype=of_all.dtype, device=of_all.device).expand_as(whole)
    inverse = torch.linalg.solve_triangular(torch.linalg.cholesky(whole), identity, upper=False)
    return inverse * present[..., None]


def to_measurement(
    visibilities: Visibilities, n_frames: int, order: Sequence[int], snr_window_s: float | None = None
) -> dict[str, np.ndarray]:
    """Return the visibilities and their closure sets as arrays by frame, filled up with places without data.

    Closures are made of visibilities of the same time. `order` holds all stations, the most sensitive first, as
    eht-imaging orders them. Arrays have the axes (time, place, ...). A place whose sigma is 0 has no data; frames may
    have any number of places with data, or none. The arrays are

    * `uv` (wavelengths), `visibility` and `sigma` (Jy), `stations` (numbers), `time_h` (UTC);
    * `kernel`, what scattering multiplies the source's own visibility by, 1 where there is none;
    * `log_bias`, `log_variance` and `coherence` (baseline, 2), of the log amplitude and the phase, see
      `step.physics.low_signal`;
    * `triangle` and `quadrangle`: see `closure_phasor` and `log_closure_amplitude`. A loop of more sides is there where
      a basis needs it;
    * `closure_phase` and `closure_phase_sigma` (rad), `log_closure_amplitude` and `log_closure_amplitude_sigma`: errors
      are those of the visibilities to first order; with `snr_window_s`, s, amplitudes are without bias, and errors the
      root of the second moment of the chord ``exp(i error) - 1`` and of the logarithm at the ratio of signal to noise
      that this window shows;
    * `closure_phase_minimal` and `log_closure_amplitude_minimal`, whether it is of eht-imaging's minimal set.
    """
    known = first_order(visibilities) if snr_window_s is None else moments(visibilities, snr_window_s)
    n_places = int(np.bincount(visibilities.frame, minlength=n_frames).max())
    tables = [visibilities[visibilities.frame == number] for number in range(n_frames)]
    bases = [_bases(rows, n_places, order) for rows in tables]
    n_sides = max([3, *(len(loop) for triangles, _ in bases for loop, _ in triangles)])
    n_halves = max([4, *(len(loop) for _, quadrangles in bases for loop, _ in quadrangles)])
    frames = [
        _of_frame(rows, known[visibilities.frame == number], triangles, quadrangles, n_sides, n_halves, n_places)
        for number, (rows, (triangles, quadrangles)) in enumerate(zip(tables, bases, strict=True))
    ]
    arrays = {name: _stack([frame[name] for frame in frames]) for name in frames[0]}
    for name in ("kernel", "coherence"):
        arrays[name][arrays["sigma"] == 0] = 1
    return arrays


def _bases(rows: Visibilities, n_places: int, order: Sequence[int]) -> tuple[Basis, Basis]:
    """Return the triangles and the quadrangles of one frame, time after time."""
    triangles, quadrangles = [], []
    for time in np.unique(rows.time_h):
        place = _places(rows, time, n_places)
        up = [station for station in order if any(station in pair for pair in place)]
        triangles += [([place[side] for side in loop], known) for loop, known in _phase_basis(up, place)]
        quadrangles += [
            ([place[side] % n_places for side in loop], known) for loop, known in _amplitude_basis(up, place)
        ]
    return triangles, quadrangles


def _of_frame(
    rows: Visibilities,
    known: Moments,
    triangles: Basis,
    quadrangles: Basis,
    n_sides: int,
    n_halves: int,
    n_places: int,
) -> dict[str, np.ndarray]:
    """Return the arrays of one frame, whose visibilities will be filled up to `n_places`, and sides to the most."""
    triangle = _filled([loop for loop, _ in triangles], n_sides, 2 * n_places)
    halves = [(loop[: len(loop) // 2], loop[len(loop) // 2 :]) for loop, _ in quadrangles]
    quadrangle = np.concatenate([_filled([half[n] for half in halves], n_halves // 2, n_places) for n in (0, 1)], 1)
    values = np.zeros(n_places, complex)
    values[: len(rows)] = rows.value
    of_phases = phase_powers(torch.from_numpy(triangle), n_places)[:, : len(rows)]
    of_amplitudes = amplitude_powers(torch.from_numpy(quadrangle), n_places).numpy()[:, : len(rows)]
    amplitude = log_closure_amplitude(torch.from_numpy(values), torch.from_numpy(quadrangle)).numpy()
    if known.is_first_order:
        squared_phase = of_phases.numpy() ** 2 @ known.log_variance
    else:
        squared_phase = 2 - 2 * np.exp(of_phases.abs().numpy() @ np.log(known.coherence[:, 0]))
    return {
        "uv": rows.uv,
        "visibility": rows.value,
        "sigma": rows.sigma,
        "stations": rows.stations.astype(np.int64),
        "time_h": rows.time_h,
        "kernel": np.ones(len(rows)) if rows.kernel is None else rows.kernel,
        "log_bias": known.log_bias,
        "log_variance": known.log_variance,
        "coherence": known.coherence,
        "triangle": triangle,
        "closure_phase": closure_phase(torch.from_numpy(values), torch.from_numpy(triangle)).numpy(),
        "closure_phase_sigma": np.sqrt(squared_phase),
        "closure_phase_minimal": np.array([known for _, known in triangles], bool),
        "quadrangle": quadrangle,
        "log_closure_amplitude": amplitude - of_amplitudes @ known.log_bias,
        "log_closure_amplitude_sigma": np.sqrt(of_amplitudes**2 @ known.log_variance),
        "log_closure_amplitude_minimal": np.array([known for _, known in quadrangles], bool),
    }


def _places(rows: Visibilities, time: float, n_places: int) -> Mapping[Place, int]:
    """Return where the baselines of `time` stand among visibilities and, turned round, their conjugates."""
    place = {}
    for row in np.flatnonzero((rows.time_h == time) & (rows.value != 0)):
        one, other = map(int, rows.stations[row])
        place[one, other], place[other, one] = int(row), int(row) + n_places
    return place


def _phase_basis(up: Sequence[int], place: Mapping[Place, int]) -> list[tuple[Loop, bool]]:
    """Return loops of which all closure phases of one time follow, and whether each is of eht-imaging's set.

    `up` are the stations with baselines in `place`, the most sensitive first. As many phases are independent as a
    graph has cycles: the baselines less the stations, and one more for each of the parts that it falls into.
    """
    minimal = list(_present(minimal_triangles(up), place)) if len(up) > 2 else []
    number = len(place) // 2 - len(up) + len(_trees(place))
    if len(minimal) == number:
        return [(loop, True) for loop in minimal]
    columns = _columns(place)

    def powers(loop: Loop) -> np.ndarray:
        row = np.zeros(len(columns))
        for a, b in loop:
            row[columns[frozenset((a, b))]] += 1 if place[a, b] < place[b, a] else -1
        return row

    others = _present((_triangle(*corners) for corners in combinations(up, 3)), place)
    return _completed(minimal, number, chain(others, map(tuple, _cycles(place))), powers)


def _amplitude_basis(up: Sequence[int], place: Mapping[Place, int]) -> list[tuple[Loop, bool]]:
    """Return loops of which all closure amplitudes of one time follow, and whether each is of eht-imaging's set.

    Every station takes one degree of freedom of the amplitudes, but for one in each part of the graph that has no cycle
    of an odd number of sides.
    """
    minimal = list(_present(minimal_quadrangles(up), place))
    halves = _doubled(place)
    number = len(place) // 2 - len(up) + len(_trees(halves)) - len(_trees(place))
    if len(minimal) == number:
        return [(loop, True) for loop in minimal]
    columns = _columns(place)

    def powers(loop: Loop) -> np.ndarray:
        row = np.zeros(len(columns))
        for n, side in enumerate(loop):
            row[columns[frozenset(side)]] += 1 if n < len(loop) // 2 else -1
        return row

    corners = (four for a, b, c, d in combinations(up, 4) for four in ((a, b, c, d), (a, c, b, d), (a, b, d, c)))
    others = _present((_quadrangle(*four) for four in corners), place)
    return _completed(minimal, number, chain(others, map(_alternate, _cycles(halves))), powers)


def _completed(
    minimal: Sequence[Loop], number: int, candidates: Iterable[Loop], powers: Callable[[Loop], np.ndarray]
) -> list[tuple[Loop, bool]]:
    """Return `minimal` and those of `candidates` that do not follow from the ones before, `number` in all."""
    directions: list[np.ndarray] = []

    def is_new(loop: Loop) -> bool:
        rest = powers(loop)
        for direction in (*directions, *directions):  # twice, which leaves no more than rounding
            rest = rest - (direction @ rest) * direction
        length = float(np.linalg.norm(rest))
        if length > INDEPENDENT:
            directions.append(rest / length)
        return length > INDEPENDENT

    chosen = [(loop, True) for loop in minimal if is_new(loop)]
    for loop in candidates:
        if len(chosen) == number:
            break
        if is_new(loop):
            chosen.append((loop, False))
    return chosen


def _columns(place: Mapping[Place, int]) -> dict[frozenset[int], int]:
    """Return a number for each baseline, whatever its direction."""
    return {side: number for number, side in enumerate(dict.fromkeys(map(frozenset, place)))}


def _triangle(a: int, b: int, c: int) -> Loop:
    return (a, b), (b, c), (c, a)


def _quadrangle(a: int, b: int, c: int, d: int) -> Loop:
    return (a, b), (c, d), (a, d), (b, c)


def _doubled(place: Mapping[Place, int]) -> list[tuple[tuple[int, bool], tuple[int, bool]]]:
    """Return the sides of the graph that has every station twice, above and below, and joins one kind to the other.

    Its cycles are the walks of an even number of sides, which are above and below a closure amplitude's bar in turn.
    """
    return [((a, above), (b, not above)) for a, b in place for above in (True, False)]


def _alternate(cycle: Sequence[tuple[tuple[int, bool], tuple[int, bool]]]) -> Loop:
    """Return the sides of a cycle of the doubled graph, those above the bar first."""
    above = [(a, b) for (a, is_above), (b, _) in cycle if is_above]
    return *above, *((a, b) for (a, is_above), (b, _) in cycle if not is_above)


def _trees(sides: Iterable[tuple]) -> list[dict]:
    """Return a tree of shortest ways for each part of a graph: each node's parent, the root's being None.

    `sides` holds every side of the graph in both directions.
    """
    neighbours: dict = {}
    for one, other in sides:
        neighbours.setdefault(one, []).append(other)
    trees: list[dict] = []
    for root in neighbours:
        if any(root in parents for parents in trees):
            continue
        parents, reached = {root: None}, [root]
        for node in reached:
            new = [other for other in neighbours[node] if other not in parents]
            parents |= dict.fromkeys(new, node)
            reached += new
        trees.append(parents)
    return trees


def _cycles(sides: Iterable[tuple]) -> Iterator[list[tuple]]:
    """Yield the cycles of a graph that the sides outside its trees close, each side after side: a basis of them."""
    ends = {frozenset(side): side for side in sides}.values()
    for parents in _trees(sides):
        for one, other in ends:
            if one not in parents or other in (parents[one], one) or parents[other] == one:
                continue
            from_one, from_other = _way_up(one, parents), _way_up(other, parents)
            while len(from_one) > 1 and len(from_other) > 1 and from_one[-2] == from_other[-2]:
                from_one, from_other = from_one[:-1], from_other[:-1]
            nodes = [*reversed(from_one), *from_other[:-1]]
            yield list(pairwise([*nodes, nodes[0]]))


def _way_up(node: object, parents: Mapping) -> list:
    """Return the nodes from `node` to the root of its tree."""
    way = [node]
    while parents[way[-1]] is not None:
        way.append(parents[way[-1]])
    return way


def _present(loops: Iterable[Loop], place: Mapping[Place, int]) -> Iterator[Loop]:
    return (loop for loop in loops if all(side in place for side in loop))


def _filled(loops: Sequence[Sequence[int]], n_sides: int, fill: int) -> np.ndarray:
    """Return `loops` as an array (loop, side), the sides that they do not have being `fill`."""
    return np.array([[*loop, *[fill] * (n_sides - len(loop))] for loop in loops], np.int64).reshape(-1, n_sides)


def _stack(arrays: list[np.ndarray]) -> np.ndarray:
    longest = max(len(array) for array in arrays)
    stacked = np.zeros((len(arrays), longest, *arrays[0].shape[1:]), arrays[0].dtype)
    for row, array in zip(stacked, arrays, strict=True):
        row[: len(array)] = array
    return stacked


def _counts(places: torch.Tensor, n_places: int) -> torch.Tensor:
    """Return how often each of the first `n_places` is among `places` (..., loop, side), (..., loop, place)."""
    counts = torch.zeros((*places.shape[:-1], n_places + 1), dtype=torch.float64, device=places.device)
    return counts.scatter_add_(-1, places, torch.ones_like(places, dtype=torch.float64))[..., :n_places]


def _gather(values: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Return `values` (..., place) at `places` (..., loop, side)."""
    return values.gather(-1, places.flatten(-2)).unflatten(-1, places.shape[-2:])
