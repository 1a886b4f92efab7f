"""I3D: Inception-v1 with its filters inflated in time (Carreira and Zisserman 2017), for the features of FVD.

Conventions are those of the original: convolutions and pools pad as TensorFlow's `SAME` does, at the end more
than at the start where the padding is odd, and batch normalisation has no scale. Weights are those of
`conversion.convert_i3d`.
"""

import functools
from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional

from step.errors import InputError

SIDE = 224  # pixels, the size of the frames that the network was trained on
MIN_FRAMES = 9  # fewer leave a single frame for the last pool, which spans two
N_FEATURES = 400  # logits, one for each action of Kinetics-400
BATCH_NORM_EPSILON = 1e-3
FIRST_FILTERS = "Conv3d_1a_7x7.convolution.weight"

MIXED = {
    "Mixed_3b": (192, (64, 96, 128, 16, 32, 32)),
    "Mixed_3c": (256, (128, 128, 192, 32, 96, 64)),
    "Mixed_4b": (480, (192, 96, 208, 16, 48, 64)),
    "Mixed_4c": (512, (160, 112, 224, 24, 64, 64)),
    "Mixed_4d": (512, (128, 128, 256, 24, 64, 64)),
    "Mixed_4e": (512, (112, 144, 288, 32, 64, 64)),
    "Mixed_4f": (528, (256, 160, 320, 32, 128, 128)),
    "Mixed_5b": (832, (256, 160, 320, 32, 128, 128)),
    "Mixed_5c": (832, (384, 192, 384, 48, 128, 128)),
}
"""Input channels, and the output channels of the six convolutions in the order of the branches."""


def build_i3d(state: Mapping[str, torch.Tensor], grey: bool = False) -> "I3D":
    """Return the network with the weights `state`, ready to be evaluated.

    If `grey`, it takes the one channel of clips whose three are alike: same logits, half of the first convolution.
    """
    weights = dict(state)
    if grey:
        weights[FIRST_FILTERS] = weights[FIRST_FILTERS].sum(dim=1, keepdim=True)
    network = I3D(n_channels=1 if grey else 3)
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False)


def video_features(network: "I3D", frames: torch.Tensor) -> torch.Tensor:
    """Return the logits (400,) of one video, `frames` (time, y, x) in [0, 1], by the network for grey clips.

    Frames become 224 x 224 pixels, by bilinear interpolation with pixel centres at halves (with smoothing where they
    shrink), in [-1, 1]. Raises `InputError` for fewer than 9 frames.
    """
    if len(frames) < MIN_FRAMES:
        raise InputError(f"a video has {len(frames)} frames, I3D needs {MIN_FRAMES}; leave FVD out, weights.i3d: null")
    resized = functional.interpolate(
        frames.float()[:, None], size=(SIDE, SIDE), mode="bilinear", antialias=min(frames.shape[-2:]) > SIDE
    )
    clip = (2 * resized - 1).transpose(0, 1)
    with torch.no_grad():
        return network(clip[None])[0]


class I3D(nn.Module):
    """The network, from clips (batch, channel, time, 224, 224) in [-1, 1] to logits (batch, 400), a mean over time."""

    Mixed_3b: "Mixed"
    Mixed_3c: "Mixed"
    Mixed_4b: "Mixed"
    Mixed_4c: "Mixed"
    Mixed_4d: "Mixed"
    Mixed_4e: "Mixed"
    Mixed_4f: "Mixed"
    Mixed_5b: "Mixed"
    Mixed_5c: "Mixed"

    def __init__(self, n_channels: int = 3) -> None:
        super().__init__()
        self.Conv3d_1a_7x7 = Unit(n_channels, 64, kernel=7, stride=2)
        self.Conv3d_2b_1x1 = Unit(64, 64, kernel=1)
        self.Conv3d_2c_3x3 = Unit(64, 192, kernel=3)
        for name, (n_inputs, n_outputs) in MIXED.items():
            self.add_module(name, Mixed(n_inputs, n_outputs))
        self.Logits = nn.ModuleDict({"Conv3d_0c_1x1": Logits(sum(MIXED["Mixed_5c"][1][i] for i in (0, 2, 4, 5)))})

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        """Return the logits (batch, 400) of `clips` (batch, channel, time, y, x)."""
        features = max_pool(self.Conv3d_1a_7x7(clips), kernel=(1, 3, 3), stride=(1, 2, 2))
        features = self.Conv3d_2c_3x3(self.Conv3d_2b_1x1(features))
        features = max_pool(features, kernel=(1, 3, 3), stride=(1, 2, 2))
        features = self.Mixed_3c(self.Mixed_3b(features))
        features = max_pool(features, kernel=(3, 3, 3), stride=(2, 2, 2))
        features = self.Mixed_4d(self.Mixed_4c(self.Mixed_4b(features)))
        features = self.Mixed_4f(self.Mixed_4e(features))
        features = max_pool(features, kernel=(2, 2, 2), stride=(2, 2, 2))
        features = self.Mixed_5c(self.Mixed_5b(features))
        pooled = functional.avg_pool3d(features, kernel_size=(2, 7, 7), stride=1)
        return self.Logits["Conv3d_0c_1x1"](pooled).mean(dim=(2, 3, 4))


class Unit(nn.Module):
    """A convolution, batch normalisation by stored statistics, and a rectifier."""

    shift: torch.Tensor
    mean: torch.Tensor
    variance: torch.Tensor

    def __init__(self, n_inputs: int, n_outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv3d(n_inputs, n_outputs, kernel, stride, bias=False)
        for name in ("shift", "mean", "variance"):
            self.register_buffer(name, torch.zeros(n_outputs))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return (batch, n_outputs, time, y, x), each side divided by the stride and rounded up."""
        padded = pad_same(features, self.convolution.kernel_size, self.convolution.stride)
        normalised = functional.batch_norm(
            self.convolution(padded), self.mean, self.variance, bias=self.shift, eps=BATCH_NORM_EPSILON
        )
        return normalised.relu_()


class Logits(nn.Module):
    """The last convolution, which has a bias and neither normalisation nor rectifier."""

    def __init__(self, n_inputs: int) -> None:
        super().__init__()
        self.convolution = nn.Conv3d(n_inputs, N_FEATURES, kernel_size=1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return (batch, 400, time, y, x)."""
        return self.convolution(features)


class Mixed(nn.Module):
    """An inception module: four branches, of which the channels are joined."""

    def __init__(self, n_inputs: int, n_outputs: tuple[int, int, int, int, int, int]) -> None:
        super().__init__()
        a, b, c, d, e, f = n_outputs
        self.Branch_0 = nn.ModuleDict({"Conv3d_0a_1x1": Unit(n_inputs, a, 1)})
        self.Branch_1 = nn.ModuleDict({"Conv3d_0a_1x1": Unit(n_inputs, b, 1), "Conv3d_0b_3x3": Unit(b, c, 3)})
        self.Branch_2 = nn.ModuleDict({"Conv3d_0a_1x1": Unit(n_inputs, d, 1), "Conv3d_0b_3x3": Unit(d, e, 3)})
        self.Branch_3 = nn.ModuleDict({"Conv3d_0b_1x1": Unit(n_inputs, f, 1)})

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return (batch, channel, time, y, x), sides unchanged."""
        outputs = []
        for branch in (self.Branch_0, self.Branch_1, self.Branch_2, self.Branch_3):
            output = max_pool(features, (3, 3, 3), (1, 1, 1)) if branch is self.Branch_3 else features
            for unit in branch.values():
                output = unit(output)
            outputs.append(output)
        return torch.cat(outputs, dim=1)


def max_pool(features: torch.Tensor, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> torch.Tensor:
    """Return the maxima of `features` (batch, channel, time, y, x), which are never negative: zeros pad as nothing.

    A box's maximum is that along one axis after the other, which takes a tenth of PyTorch's own on a processor.
    """
    features = pad_same(features, kernel, stride)
    for axis, width, step in zip((2, 3, 4), kernel, stride, strict=True):
        windows = features.unfold(axis, width, step).unbind(-1)
        features = functools.reduce(torch.maximum, windows)
    return features


def pad_same(features: torch.Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> torch.Tensor:
    """Return `features` with zeros around (time, y, x), so that each output side is ceil(side / stride)."""
    padding: list[int] = []
    for side, width, step in zip(features.shape[2:], kernel, stride, strict=True):
        total = max((-(-side // step) - 1) * step + width - side, 0)
        padding = [total // 2, total - total // 2, *padding]  # `pad` counts from the last axis
    return functional.pad(features, padding) if any(padding) else features
