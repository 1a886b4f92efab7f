"""Lines of k-space over time."""

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
