"""Which lines of k-space are measured (the paper's Fig. 9)."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from step.figures import style
from step.io.tables import write_table

PANEL_INCHES = 2.6


def draw_masks(masks: Mapping[str, np.ndarray]) -> Figure:
    """Return the picture of `masks`, each (ky,) of bool with the zero frequency at index n // 2, by title.

    Measured lines are white. The frames are square, so kx has as many samples as ky, all of them measured.
    """
    with style.styled():
        figure = Figure(figsize=((PANEL_INCHES + 0.4) * len(masks), PANEL_INCHES + 0.7))
        for axes, (title, mask) in zip(figure.subplots(1, len(masks), squeeze=False)[0], masks.items(), strict=True):
            _draw_mask(axes, title, mask)
    return figure


def write_mask_data(masks: Mapping[str, np.ndarray], path: Path) -> None:
    """Write the lines as a table: mask, ky (cycles per field of view) and whether it is measured (0 or 1)."""
    rows = [
        {"mask": title, "ky": line - len(mask) // 2, "measured": int(measured)}
        for title, mask in masks.items()
        for line, measured in enumerate(mask)
    ]
    write_table(path, rows)


def _draw_mask(axes: Axes, title: str, mask: np.ndarray) -> None:
    n_lines = len(mask)
    first = -(n_lines // 2) - 0.5
    extent = (first, first + n_lines, first + n_lines, first)
    axes.imshow(np.repeat(mask[:, None], n_lines, axis=1), cmap="gray", vmin=0, vmax=1, extent=extent)
    axes.set_title(f"{title}\n{int(mask.sum())} of {n_lines} lines measured")
    axes.set_xlabel("frequency encoding kx\n[cycles per field of view]")
    axes.set_ylabel("phase encoding ky\n[cycles per field of view]")
