"""The kernel of interstellar scattering: against eht-imaging's, in its Gaussian limit, and in the forward model."""

import contextlib
import io
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from eht_observations import N_PIXELS, SCREEN, assert_gradient_is_that_of_differences, crescent, forward_model
from pydantic import ValidationError
from scipy.optimize import minimize
from step.config.tasks import Scattering
from step.physics.eht_imaging import eht_imaging
from step.physics.scattering import GAUSSIAN, REFERENCE_M, ensemble_kernel
from step.units import C_M_PER_S, RAD_PER_UAS


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
    values = SCREEN | changes
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
    settings = Scattering(**SCREEN | {"inner_scale_km": 1e7})
    for frequency_hz in (86e9, 230e9):
        widths = np.array([settings.major_mas, settings.minor_mas]) * 1e3 * RAD_PER_UAS
        widths *= (C_M_PER_S / frequency_hz / REFERENCE_M) ** 2
        turn = np.deg2rad(settings.position_angle_deg)
        along = baselines @ [np.sin(turn), np.cos(turn)], baselines @ [np.cos(turn), -np.sin(turn)]
        expected = np.exp(-sum((width * part / GAUSSIAN) ** 2 for width, part in zip(widths, along, strict=True)) / 2)
        np.testing.assert_allclose(ensemble_kernel(settings, baselines, frequency_hz), expected, atol=1e-6)


def test_a_round_screen_blurs_all_directions_alike():
    settings = Scattering(**SCREEN | {"minor_mas": 1.380})
    directions = 5e9 * np.stack([np.cos(np.arange(6)), np.sin(np.arange(6))], -1)
    np.testing.assert_allclose(np.diff(ensemble_kernel(settings, directions, 230e9)), 0, atol=1e-12)


def test_axes_in_the_wrong_order_are_refused():
    with pytest.raises(ValidationError, match="exchange them"):
        Scattering(**SCREEN | {"minor_mas": 2.0})


@pytest.mark.slow
def test_simulated_visibilities_are_multiplied_and_the_truth_fits_with_the_kernel_alone():
    video = crescent(4)
    clear = forward_model(4, errors=["thermal"])
    scattered = forward_model(4, errors=["thermal"], scattering=SCREEN)
    one, other = (model.measure(video, torch.Generator().manual_seed(0)) for model in (clear, scattered))
    kernel = ensemble_kernel(Scattering(**SCREEN), other["uv"].numpy(), clear.settings.frequency_hz)
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


@pytest.mark.slow
def test_the_gradient_has_the_kernel_in_it():
    model = forward_model(2, 16, scattering=SCREEN, closure_covariance="full")
    video = crescent(2, 16).double()
    measured = model.measure(crescent(2, 16, seed=4), torch.Generator().manual_seed(1))
    assert_gradient_is_that_of_differences(model, video, measured)


def ring(diameter_uas: float, width_uas: float, field_of_view_uas: float, n_frames: int = 8) -> torch.Tensor:
    """Return a video (1, time, 1, y, x) of a lopsided ring that turns, `width_uas` wide at half maximum."""
    y, x = (np.mgrid[:N_PIXELS, :N_PIXELS] - (N_PIXELS - 1) / 2) * field_of_view_uas / N_PIXELS
    radial = np.exp(-4 * np.log(2) * ((np.hypot(x, y) - diameter_uas / 2) / width_uas) ** 2)
    frames = np.stack([radial * (1 + 0.5 * np.cos(np.arctan2(y, x) - 0.3 * t)) for t in range(n_frames)])
    return torch.from_numpy(2 * frames / frames.max() - 1)[None, :, None].float()


@pytest.mark.slow
def test_a_scattered_ring_is_found_with_the_kernel_and_is_too_wide_without():
    model = forward_model(8, closure_covariance="full", scattering=SCREEN, flux_weight=0.0)
    view_uas = model.settings.field_of_view_uas
    truth = (52.0, 10.0)
    measured = model.measure(ring(*truth, view_uas), torch.Generator().manual_seed(3))
    found = {}
    for name, data in (("with", measured), ("without", measured | {"kernel": torch.ones_like(measured["kernel"])})):
        misfits = {
            (diameter, width): model.negative_log_likelihood(ring(diameter, width, view_uas), data).item()
            for diameter in np.arange(48.0, 57.0, 1.0)
            for width in np.arange(6.0, 21.0, 1.0)
        }
        best = min(misfits, key=misfits.__getitem__)
        chi_squares = model.chi_squares(ring(*best, view_uas), data)
        found[name] = (*best, chi_squares["log_closure_amplitude_full"].item())
    assert found["with"][:2] == pytest.approx(truth, abs=1)
    assert found["with"][2] < 1.3
    # The kernel's own width, in quadrature: about 13 microarcseconds north-south and 22 east-west at 230 GHz.
    assert found["without"][1] > truth[1] + 3
    assert found["without"][2] > 1.5 * found["with"][2], found
