"""Regularised maximum likelihood of closures: eht-imaging's data terms, true gradients, and a better picture."""

import numpy as np
import pytest
import torch
from eht_observations import crescent, forward_model
from step.classical.regularised_maximum_likelihood import Settings, minimise, reconstruct, regularisation
from step.classical.rings import as_video, light_curve, prior_images
from step.errors import InputError
from step.metrics.psnr import psnr
from step.physics.eht_imaging import eht_imaging
from step.physics.mri import CartesianMri
from step.physics.vlbi import brightness
from step.units import RAD_PER_UAS

FRAMES, PIXELS = 6, 20
SETTINGS = Settings(
    ring_diameter_uas=50,
    ring_width_uas=25,
    ring_asymmetry=0.5,
    orientations=8,
    entropy=100,
    total_variation=1,
    squared_total_variation=1,
    centroid=1,
    beam_uas=20,
    between_frames=30,
    frame_blur_uas=20,
    from_mean=10,
    static_iterations=30,
    static_outlier=20,
    rounds=2,
    iterations=40,
    blur_uas=10,
)


@pytest.fixture(scope="module")
def model():
    return forward_model(FRAMES, PIXELS, cadence_s=1000.0, flux_sigma=1.0, closure_covariance="full")


@pytest.fixture(scope="module")
def truth():
    return crescent(FRAMES, PIXELS)


@pytest.fixture(scope="module")
def measured(model, truth):
    return model.measure(truth, seed=1)


@pytest.fixture(scope="module")
def reconstructed(model, measured):
    return reconstruct(model, measured, SETTINGS)


def error_db(video: torch.Tensor, truth: torch.Tensor) -> float:
    return psnr(brightness(video)[0].numpy(), brightness(truth)[0].clamp(0, 1).numpy())


def ring(model, measured) -> torch.Tensor:
    """Return a ring without a brightest side that has the flux of each frame, as a video."""
    symmetric = SETTINGS.model_copy(update={"ring_asymmetry": 0.0})
    return as_video(light_curve(measured)[:, None, None] * prior_images(symmetric, PIXELS, model.pixel_rad)[0])


@pytest.mark.slow
def test_the_data_terms_and_their_gradients_are_eht_imagings(truth):
    eht_imaging()
    imager = pytest.importorskip("ehtim.imaging.imager_utils")
    transforms = pytest.importorskip("ehtim.observing.obs_helpers")
    diagonal = forward_model(FRAMES, PIXELS, cadence_s=1000.0, flux_weight=0.0, closure_covariance="diagonal")
    measured = diagonal.measure(truth, seed=2)
    video = crescent(FRAMES, PIXELS, seed=3).double().clamp_min(-0.99).requires_grad_()
    likelihood = diagonal.negative_log_likelihood(video, measured).sum()
    gradient = torch.autograd.grad(likelihood, video)[0][0, :, 0].numpy()
    expected, gradients = 0.0, []
    for frame, image in enumerate(brightness(video.detach())[0].numpy()):
        of_frame = {name: array[0, frame].numpy() for name, array in measured.items()}
        uv = np.concatenate([of_frame["uv"], -of_frame["uv"]])  # the conjugates are those of opposite baselines
        pulse = eht_imaging().observing.pulses.trianglePulse2D
        waves = transforms.ftmatrix(diagonal.pixel_rad, PIXELS, PIXELS, uv, pulse=pulse)
        gradients.append(np.zeros(PIXELS**2))
        for kind, loops, name, unit in (
            ("cphase", "triangle", "closure_phase", np.pi / 180),
            ("logcamp", "quadrangle", "log_closure_amplitude", 1.0),
        ):
            here = of_frame[f"{name}_sigma"] > 0
            sides = of_frame[loops][here]
            matrices = [waves[sides[:, side]] for side in range(sides.shape[1])]
            data, sigma = (of_frame[key][here] / unit for key in (name, f"{name}_sigma"))
            given = (image.ravel(), matrices, data, sigma)
            expected += here.sum() / 2 * getattr(imager, f"chisq_{kind}")(*given)
            gradients[-1] += here.sum() / 2 * getattr(imager, f"chisqgrad_{kind}")(*given)
    assert likelihood.item() == pytest.approx(expected, rel=1e-6)
    # A video is twice its brightness, less 1.
    scale = abs(gradient).max()
    np.testing.assert_allclose(gradient.reshape(FRAMES, -1), np.array(gradients) / 2, rtol=1e-4, atol=1e-5 * scale)


@pytest.mark.slow
def test_the_gradient_of_the_regularisation_is_that_of_finite_differences():
    generator = torch.Generator().manual_seed(0)
    frames = torch.rand(3, 6, 6, generator=generator, dtype=torch.float64) * 0.8 + 0.1
    prior = frames.mean(0) * torch.ones(3, 1, 1) + 0.05
    penalty = regularisation(SETTINGS, prior, pixel_rad=1e-10)
    assert torch.autograd.gradcheck(penalty, frames.requires_grad_())


@pytest.mark.slow
def test_minimising_finds_a_known_minimum():
    target = torch.linspace(0.1, 0.9, 12).reshape(1, 3, 4)
    found = minimise(lambda frames: (frames - target).square().sum(), torch.full_like(target, 0.5), 100)
    torch.testing.assert_close(found, target, atol=1e-3, rtol=0)


@pytest.mark.slow
def test_it_fits_the_data_where_a_ring_does_not_and_is_a_better_picture(model, truth, measured, reconstructed):
    assert reconstructed.shape == truth.shape
    assert reconstructed.dtype == torch.float32
    assert ((reconstructed >= -1) & (reconstructed <= 1)).all()
    start = ring(model, measured)
    assert model.misfit(reconstructed, measured).item() < 3 < model.misfit(start, measured).item() / 3
    assert error_db(reconstructed, truth) > error_db(start, truth) + 1
    assert error_db(reconstructed, truth) > error_db(model.backprojection(measured), truth) + 5


@pytest.mark.slow
def test_the_video_has_the_flux_that_was_measured(model, measured, reconstructed):
    flux = brightness(reconstructed)[0].sum(dim=(1, 2))
    torch.testing.assert_close(flux, light_curve(measured), atol=4.0, rtol=0)


@pytest.mark.slow
def test_more_weight_between_frames_is_less_motion(model, measured):
    def motion(weight: float) -> float:
        # Near the minimum: after few iterations the weight has hardly been felt.
        settings = SETTINGS.model_copy(update={"between_frames": weight, "iterations": 300})
        frames = brightness(reconstruct(model, measured, settings))[0]
        return float((frames / frames.sum(dim=(1, 2), keepdim=True)).diff(dim=0).abs().sum())

    assert motion(1e6) < 0.8 * motion(0.0)


@pytest.mark.slow
def test_videos_of_a_batch_know_nothing_of_each_other(model, truth, measured, reconstructed):
    other = model.measure(truth.flip(1), seed=5)
    both = {name: torch.cat([other[name], array]) for name, array in measured.items()}
    torch.testing.assert_close(reconstruct(model, both, SETTINGS)[1:], reconstructed)


def test_the_prior_images_are_rings_in_the_middle_that_are_bright_on_one_side_each():
    images = prior_images(SETTINGS, 32, pixel_rad=4 * RAD_PER_UAS)
    torch.testing.assert_close(images.sum(dim=(1, 2)), torch.ones(8))
    symmetric = prior_images(SETTINGS.model_copy(update={"ring_asymmetry": 0.0}), 32, pixel_rad=4 * RAD_PER_UAS)
    torch.testing.assert_close(symmetric[3], symmetric[0].flip(0, 1))
    assert symmetric[0, 16].argmax().item() in (9, 22)  # 25 microarcseconds are 6.25 pixels from 15.5
    to_the_right, to_the_bottom = images[0], images[2]
    assert to_the_right[16, 22].item() == pytest.approx(3 * to_the_right[16, 9].item(), rel=0.05)
    torch.testing.assert_close(to_the_bottom, to_the_right.mT)
    gaussian = prior_images(SETTINGS.model_copy(update={"ring_diameter_uas": 0.0}), 32, pixel_rad=4 * RAD_PER_UAS)
    assert gaussian[0].flatten().argmax().item() in (15 * 32 + 16, 16 * 32 + 16)


@pytest.mark.slow
def test_the_data_choose_the_side_that_is_bright(model, truth):
    bright = SETTINGS.model_copy(update={"ring_asymmetry": 1.0, "iterations": 1, "static_iterations": 1, "rounds": 1})
    for side, image in enumerate(prior_images(bright, PIXELS, model.pixel_rad)):
        video = as_video(40 * image.expand(FRAMES, -1, -1))
        found = brightness(reconstruct(model, model.measure(video, seed=side), bright))[0].mean(0)
        nearest = prior_images(bright, PIXELS, model.pixel_rad) @ found.mT
        assert nearest.diagonal(dim1=1, dim2=2).sum(1).argmax().item() == side


def test_frames_without_a_light_curve_have_the_mean_flux(measured):
    sigma, flux = measured["flux_sigma"].clone(), measured["flux"].clone()
    sigma[:, 2], flux[:, 2] = 0, 0
    found = light_curve({"flux": flux, "flux_sigma": sigma})
    others = [0, 1, 3, 4, 5]
    assert found[2].item() == pytest.approx(flux[0, others].mean().item())
    torch.testing.assert_close(found[others], flux[0, others].float())
    with pytest.raises(InputError, match=r"give it a light curve$"):
        light_curve({"flux": flux, "flux_sigma": torch.zeros_like(sigma)})


def test_an_instrument_without_closures_is_refused_in_one_line():
    mri = CartesianMri(torch.ones(8, dtype=torch.bool), noise_level=0.1)
    measured = mri.measure(torch.zeros(1, 2, 2, 8, 8), torch.Generator().manual_seed(0))
    with pytest.raises(InputError, match=r"closures of an interferometer .* is CartesianMri; take") as error:
        reconstruct(mri, measured, SETTINGS)
    assert "\n" not in str(error.value)
