"""Closure sets against eht-imaging's, against the rank of what they are made of, and their covariance."""

from itertools import combinations, permutations

import numpy as np
import pytest
import torch
from eht_observations import PROJECT, crescent, forward_model, schedule, table_of
from step.physics.array import by_sensitivity, read_array
from step.physics.closures import (
    amplitude_powers,
    covariance,
    phase_powers,
    to_measurement,
    whitening,
)
from step.physics.eht_imaging import eht_imaging
from step.physics.low_signal import relative_variance
from step.physics.visibilities import Visibilities

REAL = PROJECT.parent / "shared/data/eht_sgra_2017"
KINDS = {"closure_phase": "triangle", "log_closure_amplitude": "quadrangle"}


def table_with(baselines: list[tuple[int, int]], seed: int = 0) -> Visibilities:
    """Return one time's visibilities at `baselines`, of any value, with errors of 1 % to 10 %."""
    generator = np.random.default_rng(seed)
    value = np.exp(0.3 * generator.standard_normal(len(baselines)) + 2j * np.pi * generator.random(len(baselines)))
    return Visibilities(
        frame=np.zeros(len(baselines), int),
        time_h=np.full(len(baselines), 12.5),
        stations=np.array(baselines),
        uv=generator.standard_normal((len(baselines), 2)),
        value=value,
        sigma=generator.uniform(0.01, 0.1, len(baselines)) * abs(value),
    )


def tensors(arrays: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array)[None] for name, array in arrays.items()}


def powers_of(measured: dict[str, torch.Tensor], kind: str) -> torch.Tensor:
    """Return K (closure, baseline) of the first frame's closures that are there."""
    n_places = measured["visibility"].shape[-1]
    function = {"closure_phase": phase_powers, "log_closure_amplitude": amplitude_powers}[kind]
    return function(measured[KINDS[kind]], n_places)[0, 0][measured[f"{kind}_sigma"][0, 0] > 0]


def chi_square(measured: dict[str, torch.Tensor], kind: str, change: torch.Tensor) -> float:
    """Return r' C^-1 r of the closures that a `change` (baseline,) of phases or log amplitudes makes."""
    n_places = measured["visibility"].shape[-1]
    function = {"closure_phase": phase_powers, "log_closure_amplitude": amplitude_powers}[kind]
    powers = function(measured[KINDS[kind]], n_places)
    variance = relative_variance(measured["visibility"], measured["sigma"])
    white = whitening(covariance(powers, variance), measured[f"{kind}_sigma"] > 0)[0, 0] @ (powers[0, 0] @ change)
    return white.square().sum().item()


def sites_of_sets(measured: dict[str, torch.Tensor], names: list[str]) -> dict[str, list[tuple]]:
    """Return the stations of eht-imaging's members of each frame's sets, by frame, in order."""
    stations = measured["stations"][0].numpy()
    n_places = stations.shape[1]
    found = {"closure_phase": [], "log_closure_amplitude": []}
    for kind, loops in KINDS.items():
        wanted = measured[f"{kind}_minimal"][0].numpy() & (measured[f"{kind}_sigma"][0].numpy() > 0)
        for frame, number in zip(*np.nonzero(wanted), strict=True):
            places = measured[loops][0, frame, number].numpy()
            places = places[places < (2 * n_places if kind == "closure_phase" else n_places)]
            sides = [stations[frame, place % n_places][:: 1 if place < n_places else -1] for place in places]
            if kind == "closure_phase":
                found[kind].append((frame, *(names[side[0]] for side in sides)))
            else:
                found[kind].append((frame, *(frozenset(names[n] for n in side) for side in sides)))
    return found


def sets_of_eht_imaging(observation, frame_of: dict[float, int]) -> dict[str, list[tuple]]:
    phases = observation.c_phases(mode="all", count="min")
    amplitudes = observation.c_amplitudes(mode="all", count="min", ctype="logcamp", debias=False)
    return {
        "closure_phase": [(frame_of[row["time"]], row["t1"], row["t2"], row["t3"]) for row in phases],
        "log_closure_amplitude": [
            (
                frame_of[row["time"]],
                *(frozenset(row[f"t{n}"] for n in side) for side in ((1, 2), (3, 4), (1, 4), (2, 3))),
            )
            for row in amplitudes
        ],
    }


@pytest.mark.slow
def test_the_studys_sets_are_those_that_eht_imaging_makes_of_the_same_observation_station_by_station():
    model = forward_model()
    stations = read_array(model.settings.array)
    observation = schedule(model, 64)
    observation.data["vis"] = 1
    frame_of = {time: number for number, time in enumerate(np.unique(observation.data["time"]))}
    expected = sets_of_eht_imaging(observation, frame_of)
    measured = model.measure(crescent(64), torch.Generator().manual_seed(0))
    found = sites_of_sets(measured, [station.station for station in stations])
    assert [station.station for station in (stations[n] for n in by_sensitivity(stations))][:4] == [
        "AA",
        "LM",
        "PV",
        "AP",
    ]
    assert {kind: len(loops) for kind, loops in found.items()} == {"closure_phase": 960, "log_closure_amplitude": 896}
    assert found == expected


@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_dir(), reason="no real data next to the project")
@pytest.mark.parametrize(
    ("average_s", "minimal", "independent"), [(None, (3723, 3317), (4195, 3836)), (60.0, (779, 719), (782, 721))]
)
def test_a_real_file_has_eht_imagings_sets_and_all_other_independent_closures(average_s, minimal, independent):
    (file,) = REAL.glob("*.uvfits")
    observation = eht_imaging().obsdata.load_uvfits(str(file))
    if average_s:
        observation = observation.avg_coherent(average_s)
    times = np.unique(observation.data["time"])
    table = table_of(observation, 0.0, 3600.0)
    frame = np.searchsorted(times, observation.data["time"])
    arrays = to_measurement(Visibilities(**vars(table) | {"frame": frame}), len(times), range(len(observation.tarr)))
    measured = tensors(arrays)
    expected = sets_of_eht_imaging(observation, {time: number for number, time in enumerate(times)})
    assert sites_of_sets(measured, list(observation.tarr["site"])) == expected
    assert tuple(len(expected[kind]) for kind in KINDS) == minimal
    assert tuple(int((arrays[f"{kind}_sigma"] > 0).sum()) for kind in KINDS) == independent


def graphs():
    everything = list(combinations(range(7), 2))
    yield "all baselines", everything
    yield (
        "no baseline to the reference but two",
        [pair for pair in everything if 0 not in pair or 3 in pair or 4 in pair],
    )
    yield "a ring of four", [(0, 1), (1, 2), (2, 3), (0, 3)]
    yield "a ring of five", [(0, 1), (1, 2), (2, 3), (3, 4), (0, 4)]
    yield "a ring of six", [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (0, 5)]
    yield "two triangles with a bridge", [(0, 1), (1, 2), (0, 2), (2, 3), (3, 4), (4, 5), (3, 5)]
    yield "two parts", [(0, 1), (1, 2), (0, 2), (3, 4), (4, 5), (5, 6), (3, 6)]
    generator = np.random.default_rng(4)
    for number in range(12):
        yield f"random {number}", [pair for pair in everything if generator.random() < 0.55]


@pytest.mark.parametrize(("name", "baselines"), list(graphs()))
def test_every_graph_of_baselines_has_a_basis_of_its_closures(name, baselines):
    """As many as visibilities have numbers that no station's phase or gain can change, and independent ones."""
    measured = tensors(to_measurement(table_with(baselines), 1, [2, 0, 1, 6, 5, 4, 3]))
    incidence = np.zeros((len(baselines), 7))
    for row, (a, b) in enumerate(baselines):
        incidence[row, a], incidence[row, b] = 1, -1
    for kind, of_stations in (("closure_phase", incidence), ("log_closure_amplitude", abs(incidence))):
        powers = powers_of(measured, kind).numpy()
        assert len(powers) == len(baselines) - np.linalg.matrix_rank(of_stations), kind
        np.testing.assert_array_equal(powers @ of_stations, 0)
        if len(powers):
            assert np.linalg.matrix_rank(powers) == len(powers)


@pytest.mark.parametrize("kind", KINDS)
def test_the_chi_square_with_the_covariance_is_the_same_for_every_order_of_stations_and_without_it_is_not(kind):
    baselines = [pair for pair in combinations(range(6), 2) if pair != (1, 4)]
    table = table_with(baselines)
    change = 0.05 * torch.from_numpy(np.random.default_rng(8).standard_normal(len(baselines)))
    full, diagonal = [], []
    for order in list(permutations(range(6)))[::37]:
        measured = tensors(to_measurement(table, 1, order))
        full.append(chi_square(measured, kind, change))
        differences = powers_of(measured, kind) @ change
        errors = measured[f"{kind}_sigma"][0, 0]
        diagonal.append((differences / errors[errors > 0]).square().sum().item())
    # The same by hand: what of the change no station can make, weighted as the visibilities are.
    incidence = np.zeros((len(baselines), 6))
    for row, (a, b) in enumerate(baselines):
        incidence[row, a], incidence[row, b] = 1, -1 if kind == "closure_phase" else 1
    weight = 1 / relative_variance(table.value, table.sigma)
    root = np.sqrt(weight)[:, None]
    rest = (root * change.numpy()[:, None]) - root * incidence @ np.linalg.lstsq(
        root * incidence, root * change.numpy()[:, None], rcond=None
    )[0]
    np.testing.assert_allclose(full, (rest**2).sum(), rtol=1e-9)
    assert np.ptp(diagonal) > 0.1 * np.mean(diagonal)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["closure_phase", "log_closure_amplitude"])
def test_the_truth_has_the_chi_square_one_with_the_covariance(kind):
    model = forward_model(errors=("thermal", "gains", "phases"))
    video = crescent(64)
    found = [
        model.chi_squares(video, model.measure(video, torch.Generator().manual_seed(seed)))[f"{kind}_full"].item()
        for seed in range(4)
    ]
    n = {"closure_phase": 960, "log_closure_amplitude": 896}[kind]
    assert np.mean(found) == pytest.approx(1, abs=4 * (2 / (4 * n)) ** 0.5)


@pytest.mark.slow
def test_the_likelihood_with_the_covariance_is_that_of_correlated_gaussian_errors():
    model = forward_model(n_frames=3, closure_covariance="full", flux_weight=0.0)
    video = crescent(3).double()
    measured = model.measure(video, torch.Generator().manual_seed(0))
    seen = model.ideal_visibilities(video, measured["uv"])
    # Data a little off what the video is seen as, so that a phasor's chord is as long as its arc.
    generator = torch.Generator().manual_seed(1)
    change = 1e-4 * torch.randn(2, *seen.shape, generator=generator, dtype=torch.float64)
    expected = 0.0
    for kind, function, part in (
        ("closure_phase", phase_powers, change[1]),
        ("log_closure_amplitude", amplitude_powers, change[0]),
    ):
        powers = function(measured[KINDS[kind]], seen.shape[-1])
        own = (powers @ (seen.angle() if kind == "closure_phase" else seen.abs().log())[..., None])[..., 0]
        measured[kind] = own + (powers @ part[..., None])[..., 0]
        of_all = powers @ torch.diag_embed(relative_variance(measured["visibility"], measured["sigma"])) @ powers.mT
        residual = measured[kind] - own
        expected += (residual * torch.linalg.solve(of_all, residual)).sum().item() / 2
    assert model.negative_log_likelihood(video, measured).item() == pytest.approx(expected, rel=1e-3)


@pytest.mark.slow
def test_the_gradient_with_the_covariance_is_that_of_finite_differences():
    model = forward_model(n_frames=2, n_pixels=6, closure_covariance="full")
    measured = model.measure(crescent(2, 6).double() * 0.9, torch.Generator().manual_seed(0))
    start = crescent(2, 6, seed=1).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: model.negative_log_likelihood(x, measured), start, rtol=1e-4)


def test_the_papers_likelihood_and_statistic_leave_out_what_completes_the_sets():
    """Eq. 12 is of eht-imaging's members; without them there is nothing in it, and the covariance's has it all."""
    baselines = [(1, 2), (2, 3), (1, 3), (0, 1), (0, 2)]
    arrays = to_measurement(table_with(baselines), 1, [0, 1, 2, 3])
    assert arrays["closure_phase_minimal"].sum() == 1
    assert (arrays["closure_phase_sigma"] > 0).sum() == 2
    flux = {name: torch.ones(1, 1, dtype=torch.float64) for name in ("flux", "flux_sigma")}
    measured = tensors(arrays) | flux
    video = crescent(1)
    for assumed, depends in (("diagonal", False), ("full", True)):
        model = forward_model(n_frames=1, closure_covariance=assumed)
        before = model.negative_log_likelihood(video, measured)
        turned = measured | {"closure_phase": measured["closure_phase"] + 0.3 * (~measured["closure_phase_minimal"])}
        assert (model.negative_log_likelihood(video, turned) != before).item() == depends
        assert torch.equal(model.misfit(video, turned), model.misfit(video, measured))
        changed = model.chi_squares(video, turned)["closure_phase_full"]
        assert not torch.equal(changed, model.chi_squares(video, measured)["closure_phase_full"])
