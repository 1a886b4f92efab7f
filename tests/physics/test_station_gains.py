"""Amplitudes with marginalised gains: the closed form is the integral, and the truth fits whatever the gains."""

from itertools import combinations

import numpy as np
import pytest
import torch
from eht_observations import assert_gradient_is_that_of_differences, crescent, forward_model
from step.config.tasks import StationGains
from step.physics.closures import amplitude_powers, covariance, log_closure_amplitude, to_measurement, whitening
from step.physics.station_gains import FREE_SCALE, amplitude_covariance, with_gains
from step.physics.visibilities import Visibilities

PERCENT = 0.2
GAINS = StationGains(simulated=PERCENT, assumed=PERCENT, likelihood="amplitudes")


def baselines(n_stations: int) -> np.ndarray:
    return np.array(list(combinations(range(n_stations), 2)))


def table(n_stations: int, sigma: float, seed: int, times_h: tuple[float, ...] = (1.0,)) -> Visibilities:
    """Return visibilities of all baselines at `times_h`, all in the first frame."""
    generator = np.random.default_rng(seed)
    stations = np.concatenate([baselines(n_stations)] * len(times_h))
    value = generator.uniform(0.3, 1, len(stations)) * np.exp(2j * np.pi * generator.uniform(size=len(stations)))
    time_h = np.repeat(times_h, len(baselines(n_stations)))
    uv = generator.normal(0, 3e9, (len(stations), 2))
    return Visibilities(np.zeros(len(stations), int), time_h, stations, uv, value, np.full(len(stations), sigma))


def quadrature(deviation: float, n: int = 33) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and weights of the mean over a normal distribution (Gauss and Hermite)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(n)
    return deviation * nodes, weights / weights.sum()


@pytest.mark.slow
@pytest.mark.parametrize(("errors_of", "tolerance"), [("logarithms", 2e-3), ("amplitudes", 0.06)])
def test_the_closed_form_is_the_integral_over_the_gains_of_three_stations_and_the_scale(errors_of, tolerance):
    """By quadrature in the four unknown numbers, of Gaussian errors of logarithms, or of amplitudes as they are."""
    sigma, gamma, kappa, stations = 0.03, 0.08, 0.12, baselines(3)
    generator = np.random.default_rng(3)
    data = generator.uniform(0.5, 1, 3)
    grids = np.meshgrid(*(quadrature(gamma)[0] for _ in range(3)), quadrature(kappa)[0], indexing="ij")
    masses = np.meshgrid(*(quadrature(gamma)[1] for _ in range(3)), quadrature(kappa)[1], indexing="ij")
    log_gain = [grids[i] + grids[j] + grids[3] for i, j in stations]

    def error(model: np.ndarray, b: int) -> np.ndarray:
        if errors_of == "logarithms":
            return (np.log(data[b]) - log_gain[b] - np.log(model[b])) * data[b] / sigma
        return (data[b] - np.exp(log_gain[b]) * model[b]) / sigma

    def by_quadrature(model: np.ndarray) -> float:
        misfit = sum(error(model, b) ** 2 / 2 for b in range(3))
        return -float(np.log((np.prod(masses, axis=0) * np.exp(-misfit)).sum()))

    def closed(model: np.ndarray) -> float:
        variance = torch.from_numpy((sigma / data) ** 2)[None, None]
        place, time = torch.from_numpy(stations)[None, None], torch.ones(1, 1, 3)
        inverse = np.linalg.inv(amplitude_covariance(variance, place, time, gamma, kappa)[0, 0].numpy())
        residual = np.log(model) - np.log(data)
        return residual @ inverse @ residual / 2

    models = [data * np.exp(generator.normal(0, 0.12, 3)) for _ in range(6)]
    exact = np.array([by_quadrature(model) for model in models])
    found = np.array([closed(model) for model in models])
    assert np.ptp(exact) > 3
    np.testing.assert_allclose(found - found.mean(), exact - exact.mean(), atol=tolerance * np.ptp(exact))


def test_gains_of_two_times_are_independent_and_those_of_one_are_shared():
    stations = torch.tensor([[0, 1], [0, 2], [0, 1]])[None, None]
    of_all = amplitude_covariance(torch.full((1, 1, 3), 0.5), stations, torch.tensor([[[1.0, 1.0, 2.0]]]), 0.2, 0.0)
    expected = torch.tensor([[0.58, 0.04, 0.0], [0.04, 0.58, 0.0], [0.0, 0.0, 0.58]])
    torch.testing.assert_close(of_all[0, 0], expected)


def test_with_gains_of_any_size_it_is_the_likelihood_of_the_closure_amplitudes():
    arrays = {name: torch.from_numpy(a)[None] for name, a in to_measurement(table(6, 0.05, 1), 1, range(6)).items()}
    variance, value = arrays["log_variance"], arrays["visibility"]
    model = value * torch.from_numpy(np.random.default_rng(0).uniform(0.8, 1.2, value.shape))
    powers = amplitude_powers(arrays["quadrangle"], variance.shape[-1])
    closures = whitening(covariance(powers, variance), arrays["log_closure_amplitude_sigma"] > 0)
    difference = log_closure_amplitude(model, arrays["quadrangle"]) - arrays["log_closure_amplitude"]
    expected = (closures @ difference[..., None]).square().sum()
    free = amplitude_covariance(variance, arrays["stations"], arrays["time_h"], 1e3, 0.0)
    residual = model.abs().log() - value.abs().log()
    found = (whitening(free, arrays["sigma"] > 0) @ residual[..., None]).square().sum()
    assert found.item() == pytest.approx(expected.item(), rel=1e-4)


def test_gains_change_no_closure_and_keep_the_ratio_of_signal_to_noise():
    before = table(5, 0.05, 2, times_h=(1.0, 2.0))
    after = with_gains(before, PERCENT, torch.Generator().manual_seed(0))
    np.testing.assert_allclose(abs(after.value) / after.sigma, abs(before.value) / before.sigma)
    logs = np.log(after.sigma / before.sigma)
    assert 0.1 < logs.std() < 0.6
    of_both = [to_measurement(rows, 1, range(5)) for rows in (before, after)]
    for name in ("closure_phase", "log_closure_amplitude", "log_closure_amplitude_sigma"):
        np.testing.assert_allclose(*(arrays[name] for arrays in of_both))
    # Two numbers for each station and time: what is left of the logarithms is nothing.
    rows = np.arange(len(logs))
    powers = np.zeros((len(logs), 10))
    for side in (0, 1):
        powers[rows, before.stations[:, side] + 5 * (before.time_h == 2)] += 1
    assert np.linalg.lstsq(powers, logs, rcond=None)[1] == pytest.approx(0, abs=1e-20)


def quiet(**changes: object):
    """Return the model whose simulated visibilities have thermal noise and the gains of `GAINS` alone."""
    return forward_model(16, errors=("thermal", "phases"), **changes)


@pytest.mark.slow
def test_the_truth_has_a_chi_square_of_one_under_gains_of_20_percent():
    truth, model = crescent(16), quiet(station_gains=GAINS)
    found = [model.chi_squares(truth, model.measure(truth, seed=seed))["log_amplitude"].item() for seed in range(12)]
    assert np.mean(found) == pytest.approx(1, abs=0.1)
    # Taken as calibrated, they do not fit.
    naive = quiet(station_gains=GAINS.model_copy(update={"assumed": 0.0}))
    assert naive.chi_squares(truth, model.measure(truth, seed=0))["log_amplitude"].item() > 5


@pytest.mark.slow
def test_the_study_s_own_gains_fit_too():
    truth, model = crescent(16), forward_model(16, station_gains=GAINS)
    assert 0.5 < model.chi_squares(truth, model.measure(truth, seed=0))["log_amplitude"].item() < 1.5


@pytest.mark.slow
def test_the_gradient_is_that_of_finite_differences():
    model = forward_model(3, 16, station_gains=GAINS, closure_covariance="full")
    measured = model.measure(crescent(3, 16), seed=1)
    assert_gradient_is_that_of_differences(model, crescent(3, 16, seed=4).double().clamp_min(-0.9), measured)


@pytest.mark.slow
def test_amplitudes_say_more_of_a_source_s_size_than_closures_and_nothing_of_its_unit():
    truth = crescent(16)
    with_amplitudes, closures = quiet(station_gains=GAINS), quiet(closure_covariance="full")
    measured = with_amplitudes.measure(truth, seed=0)
    wider = torch.nn.functional.interpolate(truth[0], scale_factor=1.06, mode="bicubic")[None, :, :, 1:33, 1:33]

    def loss(model, video: torch.Tensor) -> float:
        without_flux = {**measured, "flux_sigma": torch.zeros_like(measured["flux_sigma"])}
        return model.negative_log_likelihood(video, without_flux).item()

    assert wider.shape == truth.shape
    more = loss(with_amplitudes, wider) - loss(with_amplitudes, truth)
    assert more > 1.02 * (loss(closures, wider) - loss(closures, truth))
    half = (truth + 1) / 2 - 1
    assert loss(with_amplitudes, half) == pytest.approx(loss(with_amplitudes, truth), rel=1e-4)


@pytest.mark.slow
def test_without_gains_nothing_changes_but_the_amplitudes():
    truth = crescent(4, 16)
    plain = forward_model(4, 16)
    with_gains_of_none = StationGains(simulated=0.0, assumed=0.1, likelihood="closures")
    other = forward_model(4, 16, station_gains=with_gains_of_none)
    measured, again = plain.measure(truth, seed=3), other.measure(truth, seed=3)
    assert all(torch.equal(measured[name], again[name]) for name in measured)
    assert torch.equal(plain.residuals(truth, measured), other.residuals(truth, again))
    assert FREE_SCALE > 5
