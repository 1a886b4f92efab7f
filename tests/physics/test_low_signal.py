"""Errors at a low ratio of signal to noise: Rice's moments against simulated noise, and the chi-square of the truth."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from eht_observations import PROJECT, assert_gradient_is_that_of_differences, crescent, forward_model
from step.config.study import load_config
from step.observations import eht
from step.physics.closures import chord_covariance, covariance, phase_powers, to_measurement
from step.physics.low_signal import coherence, log_bias, log_variance, moments
from step.physics.visibilities import Visibilities
from step.physics.vlbi import brightness

REAL = PROJECT.parent / "shared/data/eht_sgra_2017"
WINDOW_S = 6000.0


@pytest.mark.slow
@pytest.mark.parametrize("ratio", [0.1, 0.7, 2.0, 6.0])
def test_the_moments_are_those_of_simulated_noise(ratio):
    generator = np.random.default_rng(0)
    value = ratio + generator.standard_normal(400_000) + 1j * generator.standard_normal(400_000)
    logarithm, phase, at = np.log(abs(value)), np.angle(value), np.array([ratio])
    assert log_bias(at)[0] == pytest.approx((logarithm - np.log(ratio)).mean(), abs=0.004)
    assert log_variance(at)[0] == pytest.approx(logarithm.var(), rel=0.02)
    for found, n in zip(coherence(at)[0], (1, 2), strict=True):
        assert found == pytest.approx(np.cos(n * phase).mean(), abs=0.005)


@pytest.mark.slow
def test_at_a_high_ratio_they_are_those_of_first_order():
    ratio = np.array([40.0, 300.0])
    np.testing.assert_allclose(log_variance(ratio), 1 / ratio**2, rtol=2e-3)
    np.testing.assert_allclose(-2 * np.log(coherence(ratio)), np.outer(1 / ratio**2, [1, 4]), rtol=5e-3)


def test_a_window_knows_an_amplitude_that_no_visibility_shows_and_leaves_another_time_alone():
    generator = np.random.default_rng(1)
    n = 400
    value = 1 + (generator.standard_normal(n) + 1j * generator.standard_normal(n))
    value[n // 2 :] += 19  # hours later the source is bright
    time_h = np.concatenate([np.linspace(0, 0.5, n // 2), np.linspace(3, 3.5, n // 2)])
    pairs, uv = np.tile([0, 1], (n, 1)), np.zeros((n, 2))
    found = moments(Visibilities(np.zeros(n, int), time_h, pairs, uv, value, np.ones(n)), WINDOW_S)
    faint, bright = found.log_variance[: n // 2], found.log_variance[n // 2 :]
    np.testing.assert_allclose(faint, log_variance(np.array([1.0]))[0], rtol=0.15)
    np.testing.assert_allclose(bright, 1 / 20**2, rtol=0.5)
    # What a first order in each visibility's own ratio takes it for.
    assert np.ptp(1 / abs(value[: n // 2]) ** 2) > 10


def test_the_covariance_of_chords_is_that_of_simulated_phases():
    generator = np.random.default_rng(2)
    ratio = np.array([0.8, 1.5, 3.0, 1.0, 2.0, 0.3])
    noisy = ratio + generator.standard_normal((200_000, 6)) + 1j * generator.standard_normal((200_000, 6))
    phases = np.angle(noisy)
    # Triangles of four stations: sides 01 02 03 12 13 23, the fourth being of no new side.
    triangle = torch.tensor([[[[0, 3, 1 + 6], [0, 4, 2 + 6], [1, 5, 2 + 6]]]])
    powers = phase_powers(triangle, 6)
    chords = np.exp(1j * phases @ powers[0, 0].numpy().T) - 1
    simulated = (chords.T @ chords.conj()).real / len(chords)
    found = chord_covariance(powers, torch.from_numpy(coherence(ratio))[None, None])[0, 0].numpy()
    np.testing.assert_allclose(found, simulated, atol=0.01)
    clear = torch.from_numpy(coherence(100 * ratio))[None, None]
    np.testing.assert_allclose(
        chord_covariance(powers, clear), covariance(powers, torch.from_numpy(1 / (100 * ratio) ** 2)), rtol=1e-2
    )


@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_dir(), reason="no real data next to the project")
@pytest.mark.parametrize("flux_jy", [0.3, 0.6, 2.4])
def test_the_truth_has_the_chi_square_one_at_the_coverage_of_the_example(flux_jy):
    chosen = eht.settings_of(load_config(PROJECT / "config/demo.yaml", PROJECT / "config/sgra_2017.yaml"), "sgra_2017")
    (file,) = REAL.glob("*.uvfits")
    chosen = chosen.model_copy(update={"file": file})
    table, facts = eht.read_visibilities(chosen)
    table = table[(table.frame >= 0) & (table.frame < 16)]
    known = facts["stations"].split()
    order = [known.index(code) for code in facts["closure_order"].split()]
    model, plain = forward_model(16, snr_window_s=WINDOW_S), forward_model(16)
    found, first_order = [], []
    for seed in range(5):
        video, generator = crescent(16, seed=seed), np.random.default_rng(seed)
        value = np.empty(len(table), complex)
        for frame in np.unique(table.frame):
            rows = table.frame == frame
            image = video[:, frame : frame + 1].double()
            ideal = model.ideal_visibilities(image, torch.from_numpy(table.uv[rows])[None, None])[0, 0].numpy()
            value[rows] = flux_jy / brightness(image).sum().item() * ideal
        noise = generator.standard_normal(len(table)) + 1j * generator.standard_normal(len(table))
        averages = eht.average(replace(table, value=value + table.sigma * noise), chosen)
        for window_s, instrument, values in ((WINDOW_S, model, found), (None, plain, first_order)):
            arrays = to_measurement(averages, 16, order, window_s) | {"flux": np.ones(16), "flux_sigma": np.ones(16)}
            measured = {name: torch.from_numpy(array)[None] for name, array in arrays.items()}
            chi_squares = instrument.chi_squares(video, measured)
            values.append([chi_squares[kind].item() for kind in chi_squares if kind != "flux"])
    np.testing.assert_allclose(np.mean(found, axis=0), 1, atol=0.1)
    if flux_jy < 1:
        assert np.abs(np.mean(first_order, axis=0) - 1).max() > 0.2


@pytest.mark.slow
def test_the_likelihood_has_the_same_gradient_as_finite_differences_show():
    model = forward_model(2, 16, snr_window_s=WINDOW_S, closure_covariance="full", source_flux_jy=0.1)
    video = crescent(2, 16).double()
    measured = model.measure(crescent(2, 16, seed=4), torch.Generator().manual_seed(1))
    assert_gradient_is_that_of_differences(model, video, measured)
