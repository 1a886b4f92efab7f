"""The picture and the video of the modes of a posterior (Fig. 1)."""

import textwrap
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.image import AxesImage
from matplotlib.patches import FancyArrowPatch
from matplotlib.ticker import MaxNLocator

from step.figures import style
from step.figures.baselines import Coverage
from step.figures.modes import MODE_COLOURS, MODES_SHOWN, ROTATION_NOTE, ModesPicture, Rotation, Row, sense_of
from step.figures.panels import Panel, panel_video
from step.figures.posterior import Grid
from step.figures.rows import bar_of
from step.figures.scales import (
    TIME_LABELS,
    clock,
    clocks,
    frame_edges,
    plot_scale_bar,
    tell_utc,
)

FRAME_INCHES, MAP_INCHES, TEXT_INCHES, STRIP_INCHES = 1.0, 1.35, 1.9, 2.15
VIDEO_COLUMNS = 3
OTHER_MODES_COLOUR = "0.6"
ARROW_SIGMAS = 2.5  # of the ring's profile, outside of which the arrow of rotation lies
LONGEST_ARROW_DEG = 300  # a longer one would bite its tail
COURSE_SPAN = 2  # a course has room for the ticks of a span of time so many times as long
CHANGE_COLOURS = "RdBu_r"
SHADE = "#cfe2f3"


def plot_modes(picture: ModesPicture) -> Figure:
    """Return the picture: measurement, samples by mode and criterion above a row for the truth and each mode."""
    n_columns, n_rows = len(picture.shown), len(picture.rows)
    width = FRAME_INCHES * n_columns + MAP_INCHES + TEXT_INCHES + 1.1
    height = (FRAME_INCHES + 0.08) * n_rows + 0.55
    with style.styled():
        figure = Figure(figsize=(width, STRIP_INCHES + height + 0.35))
        figure.set_layout_engine("constrained", h_pad=0.03, w_pad=0.03, hspace=0, wspace=0)
        figure.suptitle(picture.title, fontsize=10, fontweight="bold")
        [[strip], [videos]] = figure.subfigures(2, 1, squeeze=False, height_ratios=[STRIP_INCHES, height])
        measured, scatter, criterion = strip.subplots(1, 3)
        _plot_measured(measured, picture)
        _plot_points(scatter, picture)
        _plot_criterion(criterion, picture)
        _plot_rows(videos, picture)
        lines = textwrap.wrap(picture.caption, int(width * 19))
        videos.supxlabel("\n".join(lines), fontsize=6, color="dimgray")
    return figure


def animate_modes(picture: ModesPicture) -> np.ndarray:
    """Return the video (time, height, width, 3), uint8: the truth and the sample in the middle of each mode."""
    colours = matplotlib.colormaps[style.BRIGHTNESS_COLOURS[picture.display]]
    quantity = style.BRIGHTNESS_LABELS[picture.display].replace("\n", " ")
    panels = [Panel(_video_title(row), row.video, colours, (0, 1), quantity) for row in picture.rows]
    grid = picture.grid
    texts = clocks(grid.times, grid.time_unit, grid.with_data)
    # The video shows the motion itself, without arrows.
    caption = f"{picture.title}. {picture.caption.replace(ROTATION_NOTE, '')}"
    return panel_video(
        panels, min(len(panels), VIDEO_COLUMNS), texts, bar_of(picture.grid, picture.rows[0].video.shape[-1]), caption
    )


def _plot_measured(axes: Axes, picture: ModesPicture) -> None:
    axes.set_title("measured")
    if picture.measured is None:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "neither baselines\nnor lines to show", ha="center", va="center")
    elif isinstance(picture.measured, Coverage):
        _plot_baselines(axes, picture.measured)
    else:
        _plot_lines(axes, picture.measured, picture.grid)


def _plot_baselines(axes: Axes, coverage: Coverage) -> None:
    points = np.concatenate([coverage.uv, -coverage.uv]) / 1e9
    times = np.tile(coverage.time_h, 2)
    first, last = coverage.edges_h[[0, -1]]
    x, y = points.T
    dots = axes.scatter(x, y, c=times, s=3, linewidths=0, cmap=style.TIME_COLOURS, vmin=first, vmax=last)
    reach = 1.08 * np.abs(points).max()
    axes.set(xlim=(reach, -reach), ylim=(-reach, reach), xlabel="u [Gλ]", ylabel="v [Gλ]", aspect="equal")
    axes.set_title("measured: baselines")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, symmetric=True))
    bar = axes.figure.colorbar(dots, ax=axes, label="UTC", pad=0.02, aspect=20)
    tell_utc(bar.ax.yaxis, first, last)


def _plot_lines(axes: Axes, mask: np.ndarray, grid: Grid) -> None:
    first = -(mask.shape[1] // 2) - 0.5
    begin, *_, end = frame_edges(grid.times)
    axes.imshow(
        mask.T,
        cmap="gray",
        vmin=0,
        vmax=1,
        aspect="auto",
        origin="lower",
        extent=(begin, end, first, first + mask.shape[1]),
    )
    axes.set_title(f"measured: {mask.mean():.0%} of the lines (white)".replace("%", " %"))
    axes.set(xlabel=TIME_LABELS[grid.time_unit], ylabel="ky [1 / field of view]", box_aspect=1)
    if grid.time_unit == "frame":
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _plot_points(axes: Axes, picture: ModesPicture) -> None:
    for mode in range(picture.n_modes):
        x, y = picture.points[picture.labels == mode].T
        known = mode < MODES_SHOWN
        label = f"mode {mode + 1}" if known else "other modes" if mode == MODES_SHOWN else None
        axes.scatter(x, y, s=9, alpha=0.8, linewidths=0, color=_colour(mode), label=label)
    if picture.truth_point is not None:
        x, y = picture.truth_point
        axes.scatter(x, y, s=90, marker="*", color="black", edgecolors="white", label="truth", zorder=3)
    axes.set(title="samples, as they were clustered", xlabel=picture.point_axes[0], ylabel=picture.point_axes[1])
    axes.set_box_aspect(1)
    axes.legend(frameon=False, handletextpad=0.1, borderaxespad=0, loc="upper left", bbox_to_anchor=(1.02, 1))


def _plot_criterion(axes: Axes, picture: ModesPicture) -> None:
    counts = np.arange(1, len(picture.scores) + 1)
    axes.axvspan(picture.n_modes - 0.5, picture.n_modes + 0.5, color=SHADE, linewidth=0, zorder=0)
    axes.bar(counts, picture.scores - picture.scores[0], color=OTHER_MODES_COLOUR, width=0.6)
    axes.axhline(0, color="black", linewidth=0.6)
    axes.set(xlabel="number of modes (shaded: chosen)", ylabel="criterion above one mode's\n(bars; lower is better)")
    axes.set_title("support of their number")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    right = axes.twinx()
    right.plot(counts, picture.stability, "o-", color="black", markersize=3, linewidth=0.8)
    right.set(ylim=(-0.05, 1.08), ylabel="stability over resamples\n(line; 1 is the same modes)")


def _plot_rows(figure: SubFigure, picture: ModesPicture) -> None:
    shown, rows = picture.shown, picture.rows
    widths = [FRAME_INCHES] * len(shown) + [MAP_INCHES, TEXT_INCHES]
    axes = figure.subplots(len(rows), len(widths), squeeze=False, width_ratios=widths)
    largest = max(float(np.abs(row.course).max()) for row in rows) or 1.0
    for across, row in zip(axes, rows, strict=True):
        across[0].set_ylabel(row.name.replace("mode", "mode "), color=row.colour, fontweight="bold")
        frames = [_plot_frame(one, picture, row, number) for one, number in zip(across, shown, strict=False)]
        course = _plot_course(across[-2], picture, row, largest)
        _plot_text(across[-1], row)
    for top, number in zip(axes[0], shown, strict=False):
        text = clock(picture.grid.times[number], picture.grid.time_unit)
        top.set_title(text if picture.grid.with_data[number] else f"{text}\n(no data)")
    axes[0, -2].set_title("along the ring,\nminus its time mean" if picture.x is None else f"slice at x = {picture.x}")
    for above in axes[:-1, -2]:
        above.tick_params(labelbottom=False)
    axes[-1, -2].set_xlabel(TIME_LABELS[picture.grid.time_unit])
    label = style.BRIGHTNESS_LABELS[picture.display]
    figure.colorbar(frames[0], ax=list(axes[:, : len(shown)].flat), label=label, location="left", pad=0.01, aspect=25)
    course_label = label.split("\n")[0] if picture.x is not None else "change of brightness"
    figure.colorbar(course, ax=list(axes[:, -2]), label=course_label, pad=0.03, aspect=25)
    plot_scale_bar(axes[0, 0], bar_of(picture.grid, picture.rows[0].video.shape[-1]), rows[0].video.shape[1])


def _plot_frame(axes: Axes, picture: ModesPicture, row: Row, number: int) -> AxesImage:
    axes.set(xticks=[], yticks=[])
    if picture.x is not None:
        axes.axvline(picture.x, color=style.MARK_COLOUR, linewidth=0.6)
    elif row.rotation is not None and number != picture.shown[-1]:
        _plot_arrow(axes, row, row.rotation, number, int(picture.shown[1]))
    return axes.imshow(row.video[number], cmap=style.BRIGHTNESS_COLOURS[picture.display], vmin=0, vmax=1)


def _plot_arrow(axes: Axes, row: Row, rotation: Rotation, number: int, n_frames: int) -> None:
    """Plot from where to where the pattern turns until the next frame of the picture, `n_frames` later."""
    ring = rotation.ring
    turn = np.clip(n_frames * rotation.rate_deg, -LONGEST_ARROW_DEG, LONGEST_ARROW_DEG)
    azimuth = np.deg2rad(_followed(row, rotation)[number] + np.linspace(0, turn, 50))
    height, width = row.video.shape[1:]
    radius = min(ring.radius + ARROW_SIGMAS * ring.sigma, 0.46 * min(height, width))
    y, x = ring.places(radius, azimuth)
    path = matplotlib.path.Path(np.stack([x, y], axis=1))
    arrow: dict[str, Any] = {"arrowstyle": "->", "mutation_scale": 7, "linewidth": 1.1, "color": style.MARK_COLOUR}
    axes.add_patch(FancyArrowPatch(path=path, clip_on=True, shrinkA=0, shrinkB=0, **arrow))


def _plot_course(axes: Axes, picture: ModesPicture, row: Row, largest: float) -> AxesImage:
    edges, n_places = frame_edges(picture.grid.times), row.course.shape[1]
    if row.rotation is not None:
        looks: dict[str, Any] = {"cmap": CHANGE_COLOURS, "vmin": -largest, "vmax": largest, "origin": "lower"}
        low, high = np.array([-0.5, n_places - 0.5]) * 360 / n_places
    else:
        looks = {"cmap": style.BRIGHTNESS_COLOURS[picture.display], "vmin": 0, "vmax": largest, "origin": "upper"}
        low, high = n_places - 0.5, -0.5
    image = axes.imshow(row.course.T, aspect="auto", extent=(edges[0], edges[-1], low, high), **looks)
    axes.set_ylabel("azimuth [°]" if picture.x is None else "y [pixel]", labelpad=1)
    if row.rotation is not None:
        axes.set_yticks([0, 90, 180, 270])
        azimuth = _followed(row, row.rotation)
        passes = np.abs(np.diff(azimuth, prepend=azimuth[0])) > 180
        shown = np.where(passes, np.nan, azimuth)  # the line is broken where it passes 360
        axes.plot(picture.grid.times, shown, color="black", linewidth=0.9, linestyle="--")
        axes.set_ylim(low, high)
    if picture.grid.time_unit == "UTC h":
        tell_utc(axes.xaxis, edges[0], edges[0] + COURSE_SPAN * (edges[-1] - edges[0]))
    return image


def _followed(row: Row, rotation: Rotation) -> np.ndarray:
    """Return where (time,), degree in [0, 360), the point is that turns with the pattern where it is brightest."""
    spacing_deg = 360 / row.course.shape[1]
    turned_deg = rotation.rate_deg * np.arange(len(row.course))
    turned_back = [
        np.roll(along, -round(turned / spacing_deg)) for along, turned in zip(row.course, turned_deg, strict=True)
    ]
    return (spacing_deg * np.mean(turned_back, axis=0).argmax() + turned_deg) % 360


def _plot_text(axes: Axes, row: Row) -> None:
    axes.set_axis_off()
    axes.text(0, 1, row.title, color=row.colour, fontweight="bold", va="top", transform=axes.transAxes)
    axes.text(0, 0.84, row.text, fontsize=6.5, va="top", linespacing=1.2, transform=axes.transAxes)


def _video_title(row: Row) -> str:
    return row.title if row.rotation is None else f"{row.title}, {sense_of(row.rotation.rate_deg)}"


def _colour(mode: int) -> str:
    return MODE_COLOURS[mode] if mode < MODES_SHOWN else OTHER_MODES_COLOUR
