"""From the arrays of the original files to the names and axes of the PyTorch networks.

Flax keeps kernels as (y, x, in, out) or (time, y, x, in, out), PyTorch as (out, in, ...).
"""

from collections.abc import Callable, Mapping

import numpy as np

from step.errors import InputError

VGG16_CONVOLUTIONS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
"""Where the 13 convolutions stand in torchvision's `vgg16().features`."""

VGG16_LAYERS = 5
"""The layers whose features LPIPS compares, each with a linear head."""


def convert(network: str, original: Mapping) -> dict[str, np.ndarray]:
    """Return the state dict of `network` from the arrays of its `original` file.

    Raises `InputError` where the file lacks an array, as that of another network does.
    """
    try:
        return _CONVERSIONS[network](original)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"the file for weights.{network} holds other arrays ({error}); give the known file") from None


def convert_vgg16(original: Mapping) -> dict[str, np.ndarray]:
    """Return `features.<n>.weight`, `features.<n>.bias` and the heads `lin<n>` (channel,)."""
    state = {}
    for number, place in enumerate(VGG16_CONVOLUTIONS):
        convolution = original["VGG16_0"][f"Conv_{number}"]
        state[f"features.{place}.weight"] = _channels_first(convolution["kernel"])
        state[f"features.{place}.bias"] = convolution["bias"]
    for layer in range(VGG16_LAYERS):
        state[f"lin{layer}"] = original[f"NetLinLayer_{layer}"]["Conv_0"]["kernel"].reshape(-1)
    return state


def convert_i3d(original: Mapping) -> dict[str, np.ndarray]:
    """Return the state dict of `i3d.I3D`."""
    statistics = original["batch_stats"]
    state: dict[str, np.ndarray] = {}
    for name, block in original["params"].items():
        if name.startswith("Mixed"):
            for branch, unit in block.items():
                state |= _unit(f"{name}.{_module(branch)}", unit, statistics[name][branch])
        else:
            state |= _unit(_module(name), block, statistics.get(name))
    return state


def _unit(name: str, unit: Mapping, statistics: Mapping | None) -> dict[str, np.ndarray]:
    """Return the arrays of a convolution, and of the batch normalisation if one follows it."""
    convolution = unit["Conv_0"]
    state = {f"{name}.convolution.weight": _channels_first(convolution["kernel"])}
    if statistics is None:
        return state | {f"{name}.convolution.bias": convolution["bias"]}
    normalisation = statistics["BatchNorm_0"]
    return state | {
        f"{name}.shift": unit["BatchNorm_0"]["bias"],
        f"{name}.mean": normalisation["mean"].reshape(-1),
        f"{name}.variance": normalisation["var"].reshape(-1),
    }


def _module(name: str) -> str:
    """Return a name of the original as one of PyTorch: ``Branch_0/Conv3d_0a_1x1`` is ``Branch_0.Conv3d_0a_1x1``."""
    return name.replace("/", ".")


def _channels_first(kernel: np.ndarray) -> np.ndarray:
    spatial = range(kernel.ndim - 2)
    return kernel.transpose(kernel.ndim - 1, kernel.ndim - 2, *spatial)


_CONVERSIONS: dict[str, Callable[[Mapping], dict[str, np.ndarray]]] = {
    "vgg16": convert_vgg16,
    "i3d": convert_i3d,
    "raft": dict,  # it has torchvision's names already
}
