"""I3D against the package its weights are from, and what is done to a video before it."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from step.errors import InputError
from step.metrics.i3d import build_i3d, pad_same, video_features

SOURCE = runpy.run_path(str(Path(__file__).with_name("i3d_source.py")))


@pytest.fixture(scope="module")
def network(learned_weights):
    return build_i3d(learned_weights("i3d").tensors)


@pytest.mark.slow
@pytest.mark.parametrize("n_frames", SOURCE["FRAME_COUNTS"])
def test_logits_equal_those_of_the_source(network, n_frames):
    expected = np.load(SOURCE["STORED"])[f"frames_{n_frames}"]
    clip = torch.from_numpy(SOURCE["clip"](n_frames)).permute(3, 0, 1, 2)
    with torch.no_grad():
        [logits] = network(clip[None]).numpy()
    assert expected.std() > 1
    np.testing.assert_allclose(logits, expected, atol=1e-4, rtol=0)


@pytest.mark.slow
def test_a_grey_clip_has_the_logits_of_three_channels_that_are_alike(learned_weights, network):
    grey = build_i3d(learned_weights("i3d").tensors, grey=True)
    clip = torch.from_numpy(SOURCE["clip"](SOURCE["FRAME_COUNTS"][0])).permute(3, 0, 1, 2)[:1]
    with torch.no_grad():
        expected, logits = network(clip.expand(3, -1, -1, -1)[None]), grey(clip[None])
    assert expected.std() > 1
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("side", "kernel", "stride", "padding"),
    [
        (224, 7, 2, (2, 3)),
        (9, 7, 2, (3, 3)),
        (12, 3, 2, (0, 1)),
        (9, 3, 2, (1, 1)),
        (12, 2, 2, (0, 0)),
        (5, 3, 1, (1, 1)),
    ],
)
def test_padding_is_tensorflows(side, kernel, stride, padding):
    padded = pad_same(torch.ones(1, 1, 1, 1, side), (1, 1, kernel), (1, 1, stride))
    [row] = padded[0, 0, 0].tolist()
    assert row == [0] * padding[0] + [1] * side + [0] * padding[1]


class Seen(torch.nn.Module):
    """Keeps the clips that it is given."""

    def forward(self, clips):
        self.clips = clips
        return torch.zeros(len(clips), 400)


def test_a_video_becomes_a_grey_clip_of_224_pixels_from_minus_one_to_one():
    network, frames = Seen(), torch.zeros(9, 2, 2)
    frames[:, :, 1] = 1
    assert video_features(network, frames).shape == (400,)
    assert network.clips.shape == (1, 1, 9, 224, 224)
    # Linear between the centres of the two pixels, which lie at a quarter and three quarters; constant beyond.
    row = network.clips[0, 0, 0, 0]
    expected = 2 * np.interp((np.arange(224) + 0.5) / 112 - 0.5, [0, 1], [0, 1]) - 1
    np.testing.assert_allclose(row, expected, atol=1e-6)


def test_large_frames_are_smoothed_as_they_shrink():
    network, frames = Seen(), torch.zeros(9, 448, 448)
    frames[:, :, ::2] = 1
    video_features(network, frames)
    assert network.clips[..., 2:-2].abs().max() < 0.3  # stripes of single pixels become grey


def test_too_few_frames_are_refused():
    with pytest.raises(InputError, match="a video has 8 frames, I3D needs 9"):
        video_features(Seen(), torch.zeros(8, 16, 16))
