"""The regularisers of images and movies, and their gradients, against eht-imaging's own."""

from functools import partial

import numpy as np
import pytest
import torch
from step.classical import imaging_regularisers as ours
from step.physics.eht_imaging import eht_imaging

SIDE, PIXEL, BEAM_PIXELS = 17, 2.0, 3.5
FLUX = 2.4


@pytest.fixture(scope="module")
def static():
    """eht-imaging's regularisers of an image."""
    eht_imaging()
    return pytest.importorskip("ehtim.imaging.imager_utils")


@pytest.fixture(scope="module")
def dynamic():
    """eht-imaging's regularisers of a movie."""
    eht_imaging()
    return pytest.importorskip("ehtim.imaging.dynamical_imaging")


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    """Four frames (time, y, x) in Jy that are dark towards the edges."""
    axis = np.arange(SIDE) - SIDE // 2
    envelope = np.exp(-(axis[:, None] ** 2 + axis**2) / 8)
    positive = np.random.default_rng(0).uniform(0.2, 1, (4, SIDE, SIDE)) * envelope + 1e-9
    return FLUX * positive / positive.sum(axis=(1, 2)).mean()


@pytest.fixture(scope="module")
def prior() -> np.ndarray:
    positive = np.random.default_rng(1).uniform(0.5, 1, (SIDE, SIDE))
    return FLUX * positive / positive.sum()


def value_and_gradient(regulariser, frames: np.ndarray) -> tuple[float, np.ndarray]:
    """Return what `regulariser` makes of `frames` in units of the flux, and its gradient, for frames in Jy."""
    variable = torch.tensor(frames, requires_grad=True)
    value = regulariser(variable / FLUX)
    return value.item(), torch.autograd.grad(value, variable)[0].numpy()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gs", "tv", "tv2"])
def test_regularisers_of_images_and_their_gradients_are_eht_imagings(static, frames, prior, kind):
    regularisers = {
        "gs": partial(ours.gull_skilling_entropy, prior=torch.from_numpy(prior / FLUX)),
        "tv": partial(ours.total_variation, beam_pixels=BEAM_PIXELS),
        "tv2": partial(ours.squared_total_variation, beam_pixels=BEAM_PIXELS),
    }
    value, gradient = value_and_gradient(regularisers[kind], frames)
    everywhere = np.ones(SIDE**2, bool)
    given = (prior.ravel(), everywhere, FLUX, SIDE, SIDE, PIXEL, kind)
    further = {"norm_reg": True, "beam_size": BEAM_PIXELS * PIXEL, "epsilon_tv": FLUX**2 * ours.SMOOTHING}
    values = [static.regularizer(frame.ravel(), *given, **further) for frame in frames]
    gradients = [static.regularizergrad(frame.ravel(), *given, **further) for frame in frames]
    # Its entropy leaves out the constant that the prior's flux is: the sum over frames of what is missing.
    assert value == pytest.approx(sum(values), rel=1e-9)
    np.testing.assert_allclose(gradient, np.reshape(gradients, frames.shape), rtol=1e-6, atol=1e-9)


@pytest.mark.slow
def test_the_centroid_is_eht_imagings_but_for_half_a_pixel(static, frames):
    even = frames[:, :-1, :-1]
    value, _ = value_and_gradient(partial(ours.squared_centroid, beam_pixels=BEAM_PIXELS), even)
    side, everywhere = SIDE - 1, np.ones((SIDE - 1) ** 2, bool)

    def theirs(frame: np.ndarray) -> float:
        return -static.scm(frame.ravel(), side, side, PIXEL, FLUX, everywhere, beam_size=BEAM_PIXELS * PIXEL)

    # (c + f/2)^2 and, turned by half a turn, (-c + f/2)^2, along both axes.
    turned = sum(theirs(frame) + theirs(np.ascontiguousarray(frame[::-1, ::-1])) for frame in even) / 2
    halves = 2 * (even.sum(axis=(1, 2)) / FLUX / 2) ** 2
    assert value == pytest.approx(turned - halves.sum() / BEAM_PIXELS**2, rel=1e-9)


@pytest.mark.parametrize("sigma_pixels", [0.0, 1.3])
def test_the_change_between_frames_is_eht_imagings(dynamic, frames, sigma_pixels):
    value, gradient = value_and_gradient(partial(ours.change_between_frames, sigma_pixels=sigma_pixels), frames)
    kernel = np.zeros((SIDE, SIDE))
    if sigma_pixels:
        axis = np.arange(SIDE) - SIDE // 2
        kernel = np.exp(-(axis[:, None] ** 2 + axis**2) / 2 / sigma_pixels**2)
        kernel /= kernel.sum()
    scaled = frames / FLUX
    assert value == pytest.approx(len(frames) * dynamic.Rdt(scaled, kernel, metric="SymKL"), rel=1e-5)
    # Its gradient is that with respect to the logarithm of the frames.
    theirs = len(frames) * dynamic.Rdt_gradient(scaled, kernel, metric="SymKL").reshape(frames.shape)
    np.testing.assert_allclose(gradient * frames, theirs, rtol=1e-3, atol=1e-6)


def test_the_change_from_the_mean_is_eht_imagings(dynamic, frames):
    value, gradient = value_and_gradient(ours.change_from_mean, frames)
    scaled = frames / FLUX
    assert value == pytest.approx(len(frames) * dynamic.RdI(scaled, metric="SymKL"), rel=1e-9)
    theirs = len(frames) * dynamic.RdI_gradient(scaled, metric="SymKL").reshape(frames.shape)
    np.testing.assert_allclose(gradient * frames, theirs, rtol=1e-3, atol=1e-6)


def test_a_still_video_has_no_change_and_one_that_turns_has():
    still = torch.rand(1, SIDE, SIDE, generator=torch.Generator().manual_seed(0)).expand(3, -1, -1)
    moving = torch.stack([still[0].roll(step, 0) for step in range(3)])
    for change in (partial(ours.change_between_frames, sigma_pixels=1.0), ours.change_from_mean):
        assert change(still).item() == pytest.approx(0, abs=1e-4)
        assert change(moving).item() > 1


def test_a_blur_keeps_the_flux_of_what_is_far_from_the_edges(frames):
    blurred = ours.blur(torch.from_numpy(frames), 1.3)
    np.testing.assert_allclose(blurred.sum(dim=(1, 2)).numpy(), frames.sum(axis=(1, 2)), rtol=1e-3)
    assert blurred.amax().item() < frames.max()
