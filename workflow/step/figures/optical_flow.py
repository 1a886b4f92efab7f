"""The optical flow that noise is moved with: as colours, as arrows, and where its two directions disagree."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import numpy as np

from step.config.views import ViewSettings, view_of_task
from step.errors import InputError
from step.figures import style
from step.figures.scales import evenly_spaced
from step.figures.vectors import colour_vectors, plot_wheel
from step.io.arrays import write_arrays
from step.io.optical_flows import VideoOpticalFlow, read_optical_flow_attributes, read_optical_flows
from step.io.truths import read_truth
from step.physics.display import to_unit_range
from step.products import About, Numbers, Pictures, Truth

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

COLUMNS = 4
ARROWS = 10  # along a frame's longer side
PANEL_INCHES = 1.35

Settings = ViewSettings
select = view_of_task


@dataclass(frozen=True)
class Files:
    """One video and its optical flow."""

    truth: Truth
    optical_flow: Annotated[Path, About(help="optical flows, the video's among them, HDF5")]
    output: Pictures
    data: Numbers


def plot(files: Files, settings: ViewSettings) -> None:
    """Write the picture and its numbers; raises `InputError` where truth or optical flow lacks, or they do not fit."""
    name = files.truth.stem
    truth = read_truth(files.truth, name)
    optical_flow = read_optical_flows(files.optical_flow, [name])[name]
    attributes = read_optical_flow_attributes(files.optical_flow)
    n_frames, _, height, width = truth.shape
    if optical_flow.forward.shape != (n_frames - 1, 2, height, width):
        shapes = f"{optical_flow.forward.shape}, its video {truth.shape}"
        raise InputError(
            f"{files.optical_flow}: the optical flow of {name} is {shapes}; run the optical_flow stage again"
        )
    frames = to_unit_range(truth, truth, settings.display)
    origin, error_px = cast(tuple[str, float], (attributes["optical_flow"], attributes["end_point_error_px"]))
    picture = see_optical_flow(frames, optical_flow, origin, error_px)
    style.save_figure(plot_optical_flow(picture, settings.display), files.output)
    write_optical_flow_data(picture, files.data)


@dataclass(frozen=True)
class OpticalFlowPicture:
    """The numbers of the picture; a column for each of some pairs of frames t and t + 1."""

    title: str
    pairs: np.ndarray  # (column,) t, counted from 0
    frames: np.ndarray  # (column, y, x) the truth's frame t, in [0, 1]
    forward: np.ndarray  # (column, 2, y, x), pixels; component 0 along x, 1 along y
    backward: np.ndarray  # (column, 2, y, x), pixels
    inconsistency: np.ndarray  # (column, y, x), pixels

    @property
    def largest(self) -> float:
        """The largest displacement of both optical flows, pixels per frame."""
        return float(np.linalg.norm([self.forward, self.backward], axis=2).max())


def see_optical_flow(
    truth: np.ndarray, optical_flow: VideoOpticalFlow, origin: str, end_point_error_px: float
) -> OpticalFlowPicture:
    """Return what the picture shows of `optical_flow`, next to `truth` (time, y, x) in [0, 1].

    `origin` says what the optical flow was estimated from and how; `end_point_error_px` is the estimator's where the
    motion is known.
    """
    pairs = pairs_shown(truth)
    forward, backward = optical_flow.forward[pairs], optical_flow.backward[pairs]
    return OpticalFlowPicture(
        title=f"optical flow of {origin}\n"
        f"its end-point error on a rotated and shifted texture: {end_point_error_px:.2f} pixel",
        pairs=pairs,
        frames=truth[pairs],
        forward=forward,
        backward=backward,
        inconsistency=np.stack([inconsistency(*both) for both in zip(forward, backward, strict=True)]),
    )


def pairs_shown(truth: np.ndarray) -> np.ndarray:
    """Return `COLUMNS` frames t, or all: from first to last, and the one after which `truth` (time, y, x) changes most.

    That one takes the place of the nearest.
    """
    changes = np.abs(np.diff(truth, axis=0)).sum(axis=(1, 2))
    pairs, busiest = evenly_spaced(len(changes), COLUMNS), changes.argmax()
    pairs[np.abs(pairs - busiest).argmin()] = busiest
    return pairs


def inconsistency(forward: np.ndarray, backward: np.ndarray) -> np.ndarray:
    """Return (y, x), pixels: how far from itself a pixel ends that goes `forward` and then `backward` (2, y, x).

    It is ``|F(p) + B(p + F(p))|``, bilinear between pixels; beyond the edge B is as at the edge.
    """
    from scipy.ndimage import map_coordinates

    rows_and_columns = np.indices(forward.shape[1:]) + forward[::-1]
    returned = [map_coordinates(component, rows_and_columns, order=1, mode="nearest") for component in backward]
    return np.linalg.norm(forward + np.stack(returned), axis=0)


def plot_optical_flow(picture: OpticalFlowPicture, display: str) -> Figure:
    """Return the picture: rows for the frame with arrows, the colours of both directions, and their disagreement."""
    n_columns = len(picture.pairs)
    colours, wheel = colour_optical_flows(picture)
    with style.styled():
        figure = style.new_figure(figsize=(PANEL_INCHES * (n_columns + 1) + 1.0, 4 * PANEL_INCHES + 0.9))
        figure.suptitle(picture.title, fontsize=8)
        axes = figure.subplots(4, n_columns + 1, squeeze=False, width_ratios=[1] * n_columns + [0.8])
        for column, pair in enumerate(picture.pairs):
            axes[0, column].set_title(f"frames {pair}, {pair + 1}")
            brightness = _plot_frame(axes[0, column], picture, column, display)
            for row, direction in enumerate(colours, start=1):
                axes[row, column].imshow(direction[column])
            distance = _plot_inconsistency(axes[3, column], picture, column)
            _label(axes[:4, column], first=column == 0)
        for row, place in ((0, "frame t, forward"), (1, "forward, t to t + 1"), (2, "backward, t + 1 to t")):
            axes[row, 0].set_ylabel(f"{place}\ny [pixel]")
        axes[3, 0].set_ylabel("there and back\ny [pixel]")
        for row, image, text in (
            (0, brightness, style.BRIGHTNESS_LABELS[display]),
            (3, distance, "distance from\nwhere it began [pixel]"),
        ):
            axes[row, -1].set_axis_off()
            figure.colorbar(image, ax=axes[row, -1], label=text, location="left", fraction=0.2, aspect=12)
        grid = axes[0, 0].get_gridspec()
        for below in axes[1:3, -1]:
            below.remove()
        title = f"largest: {picture.largest:.2g}\npixels per frame"
        around = figure.add_subplot(grid[1:3, -1])
        around.set(xlabel="x [pixel/frame]", ylabel="y [pixel/frame]")
        plot_wheel(around, wheel, picture.largest, title)
    return figure


def colour_optical_flows(picture: OpticalFlowPicture) -> tuple[np.ndarray, np.ndarray]:
    """Return the colours (2, column, y, x, 3), uint8, of the optical flow in both directions, and of the wheel."""
    return colour_vectors(np.stack([picture.forward, picture.backward]), picture.largest)


def write_optical_flow_data(picture: OpticalFlowPicture, path: Path) -> None:
    """Write the numbers of the picture to `path` (.npz), by the names of `OpticalFlowPicture`."""
    write_arrays(path, asdict(picture))


def _plot_frame(axes: Axes, picture: OpticalFlowPicture, column: int, display: str) -> AxesImage:
    """Plot the frame with arrows in its own pixels; one that stays is a dot."""
    step = max(1, max(picture.frames.shape[1:]) // ARROWS)
    chosen = (slice(step // 2, None, step),) * 2
    y, x = (indices[chosen] for indices in np.indices(tuple(picture.frames.shape[1:])))
    along_x, along_y = (component[chosen] for component in picture.forward[column])
    # The longest arrow of the picture is as long as one and a half distances between arrows.
    scale = picture.largest / (1.5 * step) or 1
    axes.quiver(
        x,
        y,
        along_x,
        along_y,
        angles="xy",
        scale_units="xy",
        scale=scale,
        color=style.MARK_COLOUR,
        width=0.009,
        headwidth=3.5,
        headlength=3.5,
        headaxislength=3,
        minlength=0.5,
    )
    return axes.imshow(picture.frames[column], cmap=style.BRIGHTNESS_COLOURS[display], vmin=0, vmax=1)


def _plot_inconsistency(axes: Axes, picture: OpticalFlowPicture, column: int) -> AxesImage:
    largest = picture.inconsistency.max()
    return axes.imshow(picture.inconsistency[column], cmap=style.ERROR_COLOURS, vmin=0, vmax=largest or 1)


def _label(column: np.ndarray, first: bool) -> None:
    for axes in column:
        axes.tick_params(labelbottom=axes is column[-1], labelleft=first)
    column[-1].set_xlabel("x [pixel]")
