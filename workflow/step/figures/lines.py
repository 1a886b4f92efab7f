"""Lines and trajectories of k-space over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_lines_over_time(axes: Axes, mask: np.ndarray) -> None:
    """Plot `mask` (time, ky) into `axes`: measured lines are white, time goes to the right."""
    n_frames, n_lines = mask.shape
    first = -(n_lines // 2) - 0.5
    extent = (-0.5, n_frames - 0.5, first + n_lines, first)
    axes.imshow(mask.T, cmap="gray", vmin=0, vmax=1, extent=extent, aspect="auto", interpolation="nearest")
    axes.set_xlabel("frame")
    axes.set_ylabel("phase encoding ky\n[cycles per field of view]")


def plot_trajectory_over_time(axes: Axes, points: np.ndarray) -> None:
    """Plot `points` (time, readout, sample, 2), (ky, kx) in cycles per field of view, into `axes`.

    Each readout is a line, whose colour is that of its frame: dark at first, bright at last.
    """
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    scale = Normalize(0, max(1, len(points) - 1))
    colours = colormaps["viridis"]
    for frame, readouts in enumerate(points):
        axes.plot(readouts[..., 1].T, readouts[..., 0].T, color=colours(scale(frame)), linewidth=0.5)
    axes.set_aspect("equal")
    axes.invert_yaxis()
    axes.set_xlabel("kx [cycles per field of view]")
    axes.set_ylabel("ky [cycles per field of view]")
    figure = axes.figure
    figure.colorbar(ScalarMappable(scale, colours), ax=axes, label="frame", shrink=0.7)
