"""The kernel of interstellar scattering: against eht-imaging's, in its Gaussian limit, and in the forward model."""

import contextlib
import io
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from eht_observations import crescent, forward_model
from pydantic import ValidationError
from scipy.optimize import minimize
from step.config.tasks import Scattering
from step.physics.eht_imaging import eht_imaging
from step.physics.scattering import GAUSSIAN, REFERENCE_M, ensemble_kernel
from step.units import C_M_PER_S, RAD_PER_UAS

SGRA = {
    "major_mas": 1.380,
    "minor_mas": 0.703,
    "position_angle_deg": 81.9,
    "alpha": 1.38,
    "inner_scale_km": 800.0,
    "observer_screen_kpc": 2.82,
    "screen_source_kpc": 5.53,
}
"""Sgr A* as Johnson et al. (2018) found it, which is eht-imaging's own."""


@pytest.fixture(scope="module")
def baselines() -> np.ndarray:
    """Baselines (row, 2) up to 12 gigawavelengths, in all directions."""
    angle = np.linspace(0, 2 * np.pi, 37)
    return (np.geomspace(1e6, 1.2e10, 40)[:, None, None] * np.stack([np.cos(angle), np.sin(angle)], -1)).reshape(-1, 2)


def minimum_of(function, start: float) -> float:
    """Return where `function` of one number is smallest."""
    return minimize(function, start, method="nelder-mead", options={"xatol": 1e-10, "fatol": 1e-12}).x.item()


@pytest.mark.parametrize("changes", [{}, {"position_angle_deg": -20.0, "alpha": 1.6, "minor_mas": 1.1}])
@pytest.mark.parametrize("frequency_hz", [86e9, 227.0707e9, 345e9])
def test_the_kernel_is_that_of_eht_imaging(baselines, frequency_hz, changes, monkeypatch):
    values = SGRA | changes
    optics = eht_imaging().scattering.stochastic_optics
    # It takes the array of one number that scipy's search returns for a number, which numpy 2 refuses.
    monkeypatch.setattr(optics, "minimize", lambda f, start, **_: SimpleNamespace(x=minimum_of(f, start)))
    with contextlib.redirect_stdout(io.StringIO()):
        oracle = optics.ScatteringModel(
            theta_maj_mas_ref=values["major_mas"],
            theta_min_mas_ref=values["minor_mas"],
            POS_ANG=values["position_angle_deg"],
            scatt_alpha=values["alpha"],
        )
    wavelength_cm = 100 * C_M_PER_S / frequency_hz
    expected = oracle.Ensemble_Average_Kernel_Visibility(*baselines.T, wavelength_cm)
    found = ensemble_kernel(Scattering(**values), baselines, frequency_hz)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert found.min() < 0.6


def test_below_the_inner_scale_it_is_a_gaussian_as_wide_as_the_square_of_the_wavelength(baselines):
    settings = Scattering(**SGRA | {"inner_scale_km": 1e7})
    for frequency_hz in (86e9, 230e9):
        widths = np.array([settings.major_mas, settings.minor_mas]) * 1e3 * RAD_PER_UAS
        widths *= (C_M_PER_S / frequency_hz / REFERENCE_M) ** 2
        turn = np.deg2rad(settings.position_angle_deg)
        along = baselines @ [np.sin(turn), np.cos(turn)], baselines @ [np.cos(turn), -np.sin(turn)]
        expected = np.exp(-sum((width * part / GAUSSIAN) ** 2 for width, part in zip(widths, along, strict=True)) / 2)
        np.testing.assert_allclose(ensemble_kernel(settings, baselines, frequency_hz), expected, atol=1e-6)


def test_a_round_screen_blurs_all_directions_alike():
    settings = Scattering(**SGRA | {"minor_mas": 1.380})
    directions = 5e9 * np.stack([np.cos(np.arange(6)), np.sin(np.arange(6))], -1)
    np.testing.assert_allclose(np.diff(ensemble_kernel(settings, directions, 230e9)), 0, atol=1e-12)


def test_axes_in_the_wrong_order_are_refused():
    with pytest.raises(ValidationError, match="exchange them"):
        Scattering(**SGRA | {"minor_mas": 2.0})


def test_simulated_visibilities_are_multiplied_and_the_truth_fits_with_the_kernel_alone():
    video = crescent(4)
    clear = forward_model(4, errors=["thermal"])
    scattered = forward_model(4, errors=["thermal"], scattering=SGRA)
    one, other = (model.measure(video, torch.Generator().manual_seed(0)) for model in (clear, scattered))
    kernel = ensemble_kernel(Scattering(**SGRA), other["uv"].numpy(), clear.settings.frequency_hz)
    np.testing.assert_allclose(other["kernel"], kernel, rtol=1e-12)
    assert (one["kernel"] == 1).all()
    # The noise is the same, and falls away.
    ideal = clear.ideal_visibilities(video, one["uv"])
    jy = clear.settings.source_flux_jy / ((video + 1) / 2).sum((1, 2, 3, 4)).item() * 4
    difference = (other["visibility"] - one["visibility"]).numpy()
    np.testing.assert_allclose(difference, jy * ideal.numpy() * (kernel - 1), atol=1e-5)
    chi_squares = scattered.chi_squares(video, other)
    assert 0.6 < chi_squares["log_closure_amplitude_full"].item() < 1.6
    without = scattered.chi_squares(video, other | {"kernel": torch.ones_like(other["kernel"])})
    assert without["log_closure_amplitude_full"].item() > 2 * chi_squares["log_closure_amplitude_full"].item()


def test_the_gradient_has_the_kernel_in_it():
    model = forward_model(2, 16, scattering=SGRA, closure_covariance="full")
    video = crescent(2, 16).double()
    measured = model.measure(crescent(2, 16, seed=4), torch.Generator().manual_seed(1))
    video.requires_grad_()
    gradient = torch.autograd.grad(model.negative_log_likelihood(video, measured).sum(), video)[0]
    direction = torch.randn(video.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    step = 1e-6
    above, below = (model.negative_log_likelihood(video + s * direction, measured).item() for s in (step, -step))
    assert (gradient * direction).sum().item() == pytest.approx((above - below) / (2 * step), rel=1e-5)
