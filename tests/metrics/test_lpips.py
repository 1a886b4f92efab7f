"""LPIPS against the package of its authors, with the weights that the study uses."""

import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter
from step.errors import InputError
from step.metrics.lpips import FRAMES_AT_ONCE, Lpips


def images(seed: int, n_frames: int, side: int) -> np.ndarray:
    return np.random.default_rng(seed).random((n_frames, side, side), np.float32)


@pytest.fixture(scope="module")
def weights(learned_weights):
    return learned_weights("vgg16")


@pytest.fixture(scope="module")
def ours(weights) -> Lpips:
    return Lpips(weights.tensors)


@pytest.fixture(scope="module")
def authors(weights):
    """Return the authors' network with its own heads, and our VGG16 in the place of the one it would download."""
    package = pytest.importorskip("lpips")
    network = package.LPIPS(net="vgg", pnet_rand=True, pretrained=True, verbose=False)
    # The package cuts `features` into five slices, and keeps the numbers of its layers as names.
    slices = {}
    for name in network.net.state_dict():
        _, place, kind = name.split(".")
        slices[name] = weights.tensors[f"features.{place}.{kind}"]
    network.net.load_state_dict(slices)
    return network.eval()


def test_the_heads_are_the_authors_own(weights, authors):
    for layer in range(5):
        assert torch.equal(weights.tensors[f"lin{layer}"], getattr(authors, f"lin{layer}").model[1].weight.flatten())


@pytest.mark.parametrize("side", [48, 64])
def test_it_equals_the_authors_package(ours, authors, side):
    frames, truth = images(0, 3, side), images(1, 3, side)
    rgb, true_rgb = (torch.from_numpy(video)[:, None].expand(-1, 3, -1, -1) for video in (frames, truth))
    with torch.no_grad():
        expected = authors(rgb, true_rgb, normalize=True).mean().item()
    assert expected > 0.1
    assert ours(frames, truth) == pytest.approx(expected, abs=1e-5)


def test_it_is_averaged_over_frames_however_many(ours):
    frames, truth = images(2, FRAMES_AT_ONCE + 1, 16), images(3, FRAMES_AT_ONCE + 1, 16)
    each = [ours(frames[t : t + 1], truth[t : t + 1]) for t in range(len(frames))]
    assert ours(frames, truth) == pytest.approx(sum(each) / len(each), abs=1e-5)
    assert ours(truth, truth) == 0


def test_a_blur_is_farther_than_a_dimmed_frame_of_equal_error(ours):
    truth = images(4, 2, 32).round()
    blurred = np.stack([uniform_filter(frame, 3) for frame in truth])
    dimmed = truth * (1 - np.sqrt(np.square(blurred - truth).mean() / np.square(truth).mean()))
    assert np.square(dimmed - truth).mean() == pytest.approx(np.square(blurred - truth).mean(), rel=1e-4)
    assert ours(blurred, truth) > ours(dimmed, truth)


def test_frames_too_small_for_five_stages_are_refused(ours):
    frames = np.zeros((2, 12, 20))
    with pytest.raises(InputError, match="frames are 12 x 20 pixels, LPIPS needs 16 per side"):
        ours(frames, frames)
