"""Dynamical imaging and StarWarps of eht-imaging: they are given the measurement's data, fit them, and are better."""

import numpy as np
import pytest
import torch
from eht_observations import crescent, forward_model
from step.classical import dynamical_imaging, starwarps
from step.classical.rings import as_video, light_curve, prior_images, regridded
from step.config.classical import DynamicalImaging, Starwarps
from step.errors import InputError
from step.metrics.psnr import psnr
from step.physics.eht_imaging import eht_imaging_module
from step.physics.mri import CartesianMri
from step.physics.vlbi import brightness

FRAMES, PIXELS = 4, 16
RING = {
    "ring_diameter_uas": 50.0,
    "ring_width_uas": 25.0,
    "ring_asymmetry": 0.5,
    "orientations": 4,
    "static_outlier": 20.0,
    "pixels": PIXELS,
}
DYNAMICAL = DynamicalImaging(
    **RING,
    closure_phase=100,
    log_closure_amplitude=100,
    entropy=5,
    squared_total_variation=1,
    between_frames=50,
    frame_blur_uas=20,
    from_mean=1,
    flux=1e5,
    centroid=1,
    rounds=2,
    iterations=60,
    blur_uas=10,
)
STARWARPS = Starwarps(**RING, prior_deviation=0.5, frame_deviation=0.2, power_dropoff=2, linearisations=6)
METHODS = [(dynamical_imaging, DYNAMICAL), (starwarps, STARWARPS)]


@pytest.fixture(scope="module")
def model():
    return forward_model(FRAMES, PIXELS, flux_sigma=1.0, closure_covariance="full")


@pytest.fixture(scope="module")
def truth():
    return crescent(FRAMES, PIXELS)


@pytest.fixture(scope="module")
def measured(model, truth):
    return model.measure(truth, seed=1)


def error_db(video: torch.Tensor, truth: torch.Tensor) -> float:
    return psnr(brightness(video)[0].numpy(), brightness(truth)[0].clamp(0, 1).numpy())


def ring(model, measured) -> torch.Tensor:
    """Return the brightness (time, y, x) of a ring without a bright side that has the flux of each frame."""
    symmetric = DYNAMICAL.model_copy(update={"ring_asymmetry": 0.0})
    return light_curve(measured)[:, None, None] * prior_images(symmetric, PIXELS, model.pixel_rad)[0]


@pytest.mark.slow
@pytest.mark.parametrize(("method", "settings"), METHODS, ids=["dynamical_imaging", "starwarps"])
def test_it_fits_the_data_and_the_flux_and_is_a_better_picture_than_a_ring(model, truth, measured, method, settings):
    found = method.reconstruct(model, measured, settings)
    assert found.shape == truth.shape
    assert found.dtype == torch.float32
    assert ((found >= -1) & (found <= 1)).all()
    start = as_video(ring(model, measured))
    assert model.misfit(found, measured).item() < 4 < model.misfit(start, measured).item() / 10
    assert model.chi_squares(found, measured)["flux"].item() < 10  # of 30 with errors of 1, whose weight is a quarter
    assert error_db(found, truth) > error_db(start, truth) + 1


@pytest.mark.parametrize(("method", "settings"), METHODS, ids=["dynamical_imaging", "starwarps"])
def test_an_instrument_without_closures_is_refused_in_one_line(method, settings):
    mri = CartesianMri(torch.ones(8, dtype=torch.bool), noise_level=0.1)
    measured = mri.measure(torch.zeros(1, 2, 2, 8, 8), torch.Generator().manual_seed(0))
    with pytest.raises(InputError, match=r"closures of an interferometer .* is CartesianMri; take") as error:
        method.reconstruct(mri, measured, settings)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_eht_imaging_is_given_the_closures_and_matrices_that_our_chi_squares_are_of(model, truth, measured):
    other = crescent(FRAMES, PIXELS, seed=3)
    image = brightness(other)[0].double().numpy()
    imager = eht_imaging_module("imaging.imager_utils")
    for kind, name in (("closure_phase", "cphase"), ("log_closure_amplitude", "logcamp")):
        squares, count = 0.0, 0
        for frame in range(FRAMES):
            data, sigma, matrices = dynamical_imaging._closures(model, measured, frame, kind)
            count += len(data)
            squares += len(data) * getattr(imager, f"chisq_{name}")(image[frame].ravel(), matrices, data, sigma)
        assert squares / count == pytest.approx(model.chi_squares(other, measured)[kind].item(), rel=1e-4)


@pytest.mark.slow
def test_what_scattering_takes_of_amplitudes_is_given_back_to_them(truth):
    from eht_observations import SCREEN
    from step.config.tasks import Scattering

    behind = forward_model(FRAMES, PIXELS, scattering=Scattering(**SCREEN))
    measured = behind.measure(truth, seed=1)
    image = brightness(truth)[0].double().numpy()
    imager = eht_imaging_module("imaging.imager_utils")
    data, sigma, matrices = dynamical_imaging._closures(behind, measured, 0, "log_closure_amplitude")
    assert imager.chisq_logcamp(image[0].ravel(), matrices, data, sigma) < 3
    without = {**measured, "kernel": torch.ones_like(measured["kernel"])}
    data, sigma, matrices = dynamical_imaging._closures(behind, without, 0, "log_closure_amplitude")
    assert imager.chisq_logcamp(image[0].ravel(), matrices, data, sigma) > 30


@pytest.mark.slow
def test_starwarps_linear_data_are_first_order_in_the_residuals(model, truth, measured):
    prepared = model.precompute(measured, torch.float64)
    about = ring(model, measured)[1].double()
    step = 1e-6 * torch.randn(about.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    datum, ideal, matrix, _, _ = starwarps.linearised(model, prepared, 1, about.flatten().numpy())
    _, moved, _, _, _ = starwarps.linearised(model, prepared, 1, (about + step).flatten().numpy())
    np.testing.assert_allclose(moved - ideal, matrix @ step.flatten().numpy(), rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(matrix @ about.flatten().numpy() - datum, ideal)


@pytest.mark.slow
def test_starwarps_is_the_exact_posterior_where_the_data_are_linear(model, measured):
    """Against one Gaussian of all frames at once: the prior of each, that of its change, and data that are linear."""
    small = forward_model(3, 4)
    generator = np.random.default_rng(0)
    prior = torch.from_numpy(generator.uniform(0.5, 1, (3, 4, 4)))
    matrices = generator.normal(size=(3, 5, 16))
    data = generator.normal(size=(3, 5))

    def of_all(settings):
        eht = eht_imaging_module("imaging.starwarps")
        images = [dynamical_imaging._image(small, frame.numpy()) for frame in prior]
        covariances = [starwarps._invertible(eht.gaussImgCovariance_2(i, settings.power_dropoff, 1.0)) for i in images]
        change = np.linalg.inv(settings.frame_deviation**2 * sum(covariances) / 3)
        precision, weighted = np.zeros((48, 48)), np.zeros(48)
        for t in range(3):
            here = slice(16 * t, 16 * t + 16)
            own = np.linalg.inv(settings.prior_deviation**2 * covariances[t])
            precision[here, here] += own + matrices[t].T @ matrices[t]
            weighted[here] += own @ prior[t].flatten().numpy() + matrices[t].T @ data[t]
            if t:
                before = slice(16 * t - 16, 16 * t)
                precision[here, here] += change
                precision[before, before] += change
                precision[here, before] -= change
                precision[before, here] -= change
        covariance = np.linalg.inv(precision)
        return covariance @ weighted, covariance

    def linear(model, prepared, frame, image):
        return data[frame], matrices[frame] @ image, matrices[frame], np.eye(5), True

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(starwarps, "linearised", linear)
        measured = small.measure(crescent(3, 4), seed=0)
        means, spreads = starwarps.expected_frames(small, measured, prior, STARWARPS)
    expected, covariance = of_all(STARWARPS)
    np.testing.assert_allclose(means.ravel(), expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(spreads[1], covariance[16:32, 16:32], rtol=1e-4, atol=1e-7)


def test_eht_imagings_own_terms_are_put_back_and_nothing_is_printed(model, measured, capfd):
    module = eht_imaging_module("imaging.starwarps")
    own = module.getMeasurementTerms
    starwarps.reconstruct(model, measured, STARWARPS.model_copy(update={"linearisations": 1, "pixels": 8}))
    dynamical_imaging.reconstruct(model, measured, DYNAMICAL.model_copy(update={"iterations": 2, "pixels": 8}))
    assert module.getMeasurementTerms is own
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_frames_without_data_are_imaged_too(model, measured):
    gone = {name: array.clone() for name, array in measured.items()}
    for name in ("sigma", "closure_phase_sigma", "log_closure_amplitude_sigma", "flux_sigma"):
        gone[name][:, 1] = 0
    for method, settings in METHODS:
        assert method.reconstruct(model, gone, settings).isfinite().all()


@pytest.mark.slow
def test_frames_on_another_grid_are_as_bright_and_where_they_were():
    frames = torch.rand(2, 6, 6, generator=torch.Generator().manual_seed(0))
    finer = regridded(frames, 12)
    torch.testing.assert_close(finer.sum((1, 2)), frames.sum((1, 2)))
    place = torch.arange(12) - 5.5
    coarse = 2 * (torch.arange(6) - 2.5)
    spot = torch.zeros(1, 6, 6)
    spot[0, 2, 4] = 1
    assert (regridded(spot, 12).sum(1) @ place).item() == pytest.approx(coarse[4].item())
    assert (regridded(spot, 12).sum(2) @ place).item() == pytest.approx(coarse[2].item())
    assert torch.equal(regridded(frames, 6), frames)


@pytest.mark.parametrize("pixels", [7, 0, 4.0])
def test_pixels_are_an_even_number(pixels):
    with pytest.raises(ValueError, match="pixels"):
        DynamicalImaging(**{**DYNAMICAL.model_dump(), "pixels": pixels})
