"""One look for all figures, and the paper's words for the methods.

Matplotlib is loaded where something is plotted, here and in every figure: who plans a study reads what figures need.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from step.errors import InputError
from step.io.atomic import whole_file

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

METHOD_LABELS = {
    "truth": "truth",
    "bis": "BIS",
    "bcs": "BCS",
    "bilinear": "Bilinear",
    "bicubic": "Bicubic",
    "nearest": "Nearest",
    "integral": "∫-noise",
    "gp_warp": "GP-Warp",
    "step_video": "STeP\n(video only)",
    "step_joint": "STeP\n(image-video joint)",
    "zero_filled": "zero-filled",
    "dirty": "dirty video",
    "total_variation": "total variation",
    "low_rank_sparse": "low rank\n+ sparse",
    "regularised_maximum_likelihood": "regularised\nlikelihood",
    "dynamical_imaging": "dynamical\nimaging",
    "starwarps": "StarWarps",
    "static": "static truth",
    "vae": "autoencoder",
}

BRIGHTNESS_COLOURS = {"magnitude": "gray", "unit_range": "afmhot"}
"""The colour map of frames, by the domain's `display`."""

BRIGHTNESS_LABELS = {"magnitude": "magnitude\n[truth's maximum]", "unit_range": "brightness"}
ERROR_COLOURS = "inferno"
SPREAD_COLOURS = "viridis"
TIME_COLOURS = "plasma"
NO_DATA_COLOUR = "0.88"
MARK_COLOUR = "cyan"

FORMATS = (".png", ".pdf", ".svg")

STYLE: dict[Any, Any] = {  # matplotlib's stubs know each of its keys
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.2,
    "image.interpolation": "nearest",
    "figure.constrained_layout.use": True,
    "savefig.dpi": 200,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "step",
}


def label(method: str) -> str:
    """Return the paper's name of `method`, in at most two lines; another name, or its last part, is shown as it is."""
    return METHOD_LABELS.get(method, method.rpartition(".")[2].replace("_", " "))


def styled() -> AbstractContextManager:
    """Return the context in which a figure is plotted: the style holds inside it, and is gone after it."""
    import matplotlib

    return matplotlib.rc_context(STYLE)


def new_figure(figsize: tuple[float, float]) -> Figure:
    """Return an empty figure of `figsize`, width and height in inches; to be called within `styled`."""
    from matplotlib.figure import Figure

    return Figure(figsize=figsize)


def colours(name: str) -> Colormap:
    """Return the colour map called `name`."""
    import matplotlib

    return matplotlib.colormaps[name]


def save_figure(figure: Figure, paths: Iterable[Path]) -> None:
    """Write `figure` to each of `paths`, whole or not at all, in the format that its suffix names.

    The same figure gives the same bytes: no date is written. Its layout is found for the first file and kept for the
    others. Raises `InputError` unless the suffix is one of `FORMATS`.
    """
    paths = list(paths)
    for path in paths:
        if path.suffix not in FORMATS:
            raise InputError(f"no pictures can be written as {path.name}; end its name in one of {FORMATS}")
    for path in paths:
        dated = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}
        with styled(), whole_file(path) as part:
            figure.savefig(part, format=path.suffix[1:], metadata=dated.get(path.suffix))
        figure.set_layout_engine("none")  # all is in its place now, which takes as long to find as to plot
