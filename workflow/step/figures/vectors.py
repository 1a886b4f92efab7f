"""Displacements as colours, and the wheel that explains them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WHEEL_PIXELS = 201  # across the wheel of colours


def colour_vectors(optical_flows: np.ndarray, largest: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the colours (..., y, x, 3), uint8, of `optical_flows` (..., 2, y, x), and those of the wheel.

    The wheel (y, x, 3) has at its centre the colour of rest, at its rim those of displacements of `largest`, in the
    direction from the centre, and is white beyond. Longer displacements are coloured as at the rim.
    """
    import torch
    from torchvision.utils import flow_to_image

    vectors = np.moveaxis(optical_flows.astype(np.float32), -3, -1)
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    vectors = vectors * np.float32(largest) / np.maximum(lengths, np.float32(largest or 1))
    across = np.linspace(-1, 1, WHEEL_PIXELS, dtype=np.float32)
    places = np.stack(np.meshgrid(across, across, indexing="xy"), axis=-1)
    within = np.linalg.norm(places, axis=-1, keepdims=True) <= 1
    disc = np.where(within, places * np.float32(largest), 0)
    # The colours are relative to the largest displacement of all that are coloured together.
    together = np.concatenate([vectors.reshape(-1, 2), disc.reshape(-1, 2)])
    coloured = flow_to_image(torch.from_numpy(together.T[:, None].copy()))[:, 0].numpy().T
    n_vectors = vectors.size // 2
    colours = coloured[:n_vectors].reshape(*vectors.shape[:-1], 3)
    wheel = coloured[n_vectors:].reshape(WHEEL_PIXELS, WHEEL_PIXELS, 3)
    return colours, np.where(within, wheel, np.uint8(255))


def plot_wheel(axes: Axes, wheel: np.ndarray, largest: float, title: str) -> None:
    """Plot the `wheel` of colours (y, x, 3), whose rim is at `largest` pixels per frame."""
    axes.imshow(wheel, extent=(-largest, largest, largest, -largest) if largest else None)
    axes.set_title(title, pad=3)
    axes.spines[:].set_visible(False)
