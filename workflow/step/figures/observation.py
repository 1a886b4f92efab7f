"""A picture and a video of what was reconstructed of a real observation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from step.config.study import Config
from step.config.views import Display, ViewSettings, view_of_task
from step.figures import style
from step.figures.movies import write_movie
from step.figures.panels import Panel, panel_video
from step.figures.posterior import BAND, Posterior, read_posterior, summarise_light_curves
from step.figures.scales import (
    TIME_LABELS,
    ScaleBar,
    clock,
    clocks,
    evenly_spaced,
    frame_edges,
    plot_scale_bar,
    scale_bar,
    spans_without_data,
    tell_utc,
)
from step.products import Measurement, Movie, Pictures, Samples, Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.image import AxesImage

FRAMES_SHOWN, SAMPLES_SHOWN = 6, 3
PANEL_INCHES = 1.15
LIGHT_CURVE_INCHES = 1.8
QUANTITIES = {"magnitude": "magnitude\n[mean's maximum]", "unit_range": "brightness"}
SPREADS = {"magnitude": "standard deviation\n[mean's maximum]", "unit_range": "standard deviation\nof brightness"}
CAPTION = (
    "No truth is known. What was not measured the prior fills in: where the data say little, "
    "the samples may agree and be wrong together."
)
SKY = "North is up, east to the left."

Settings = ViewSettings


def select(config: Config, observation: str) -> ViewSettings:
    """Return how the videos of `observation` are shown."""
    return view_of_task(config, config.observations[observation].task)


@dataclass(frozen=True)
class Files:
    """One observation and its samples."""

    measurement: Measurement
    summary: Summary
    reconstructions: Samples
    output: Pictures
    movie: Movie


def plot(files: Files, settings: ViewSettings) -> None:
    """Write picture and movie."""
    posterior = read_posterior(files.measurement, files.summary, files.reconstructions, settings.display)
    style.save_figure(plot_observation(posterior, settings.display), files.output)
    write_movie(animate_observation(posterior, settings.display), files.movie)


def plot_observation(posterior: Posterior, display: Display) -> Figure:
    """Return the picture: mean, standard deviation and samples over time, above the light curve of all samples."""
    grid = posterior.grid
    frames = evenly_spaced(len(grid.times), FRAMES_SHOWN)
    n_rows = 2 + len(posterior.samples[:SAMPLES_SHOWN])
    with style.styled():
        height = PANEL_INCHES * n_rows + 0.5
        figure = style.new_figure(figsize=(PANEL_INCHES * len(frames) + 1.4, height + LIGHT_CURVE_INCHES))
        figure.set_layout_engine("constrained", h_pad=0.03, w_pad=0.02, hspace=0, wspace=0)
        [[videos], [light_curve]] = figure.subfigures(2, 1, squeeze=False, height_ratios=[height, LIGHT_CURVE_INCHES])
        _plot_videos(videos, posterior, frames, display)
        _plot_light_curve(light_curve.subplots(), posterior, frames)
        light_curve.supxlabel(_caption(posterior), fontsize=6, color="dimgray")
    return figure


def animate_observation(posterior: Posterior, display: Display) -> np.ndarray:
    """Return the video (time, height, width, 3), uint8: mean, standard deviation and samples, three in a row."""
    colours, quantity = style.colours(style.BRIGHTNESS_COLOURS[display]), QUANTITIES[display].replace("\n", " ")
    spread = Panel(
        title="posterior standard deviation",
        frames=posterior.std,
        colours=style.colours(style.SPREAD_COLOURS),
        limits=(0, _largest(posterior.std)),
        quantity=SPREADS[display].replace("\n", " "),
    )
    panels = [
        Panel("posterior mean", posterior.mean, colours, (0, 1), quantity),
        spread,
        *(Panel(f"sample {n + 1}", sample, colours, (0, 1), quantity) for n, sample in enumerate(posterior.samples)),
    ]
    grid = posterior.grid
    texts = clocks(grid.times, grid.time_unit, grid.with_data)
    return panel_video(panels, 3, texts, _bar(posterior), _caption(posterior))


def _plot_videos(figure: SubFigure, posterior: Posterior, frames: np.ndarray, display: Display) -> None:
    samples = posterior.samples[:SAMPLES_SHOWN]
    titles = ["posterior mean", "posterior\nstandard deviation", *(f"sample {n + 1}" for n in range(len(samples)))]
    axes = figure.subplots(len(titles), len(frames), squeeze=False)
    for row, (title, video) in enumerate(zip(titles, [posterior.mean, posterior.std, *samples], strict=True)):
        colours, largest, label = style.BRIGHTNESS_COLOURS[display], 1.0, QUANTITIES[display]
        if row == 1:
            colours, largest, label = style.SPREAD_COLOURS, _largest(posterior.std), SPREADS[display]
        axes[row, 0].set_ylabel(title)
        images = [_plot_frame(axes[row, n], video[frame], colours, largest) for n, frame in enumerate(frames)]
        figure.colorbar(images[0], ax=list(axes[row]), label=label, pad=0.01, aspect=12)
    for top, frame in zip(axes[0], frames, strict=True):
        text = clock(posterior.grid.times[frame], posterior.grid.time_unit)
        top.set_title(text if posterior.grid.with_data[frame] else f"{text}\n(no data)")
    plot_scale_bar(axes[0, 0], _bar(posterior), posterior.mean.shape[1])


def _plot_frame(axes: Axes, frame: np.ndarray, colours: str, largest: float) -> AxesImage:
    axes.set(xticks=[], yticks=[])
    return axes.imshow(frame, cmap=colours, vmin=0, vmax=largest)


def _plot_light_curve(axes: Axes, posterior: Posterior, frames: np.ndarray) -> None:
    grid, curve = posterior.grid, summarise_light_curves(posterior.light_curves)
    edges = frame_edges(grid.times)
    low, high = (round(100 * quantile) for quantile in BAND)
    band = f"{low} to {high} % of {len(posterior.light_curves)} samples"
    axes.fill_between(grid.times, curve.low, curve.high, color="tab:blue", alpha=0.3, linewidth=0, label=band)
    axes.plot(grid.times, curve.mean, color="tab:blue", label="mean of the samples")
    for number, (begin, end) in enumerate(spans_without_data(edges, grid.with_data)):
        label = "no data" if number == 0 else None
        axes.axvspan(begin, end, color=style.NO_DATA_COLOUR, linewidth=0, zorder=0, label=label)
    for number, frame in enumerate(frames):
        label = "frames above" if number == 0 else None
        axes.axvline(grid.times[frame], color="black", linewidth=0.6, linestyle=":", label=label)
    axes.set(xlim=edges[[0, -1]], xlabel=TIME_LABELS[grid.time_unit], ylabel="summed brightness\n[its time mean]")
    if grid.time_unit == "UTC h":
        tell_utc(axes.xaxis, *edges[[0, -1]])
    axes.legend(frameon=False, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1))


def _bar(posterior: Posterior) -> ScaleBar:
    return scale_bar(posterior.mean.shape[-1], posterior.grid.pixel_size, posterior.grid.pixel_unit)


def _caption(posterior: Posterior) -> str:
    recalibrated = f"Recalibrated: {posterior.recalibration}." if posterior.recalibration else ""
    sky = SKY if posterior.grid.pixel_unit == "uas" else ""
    return " ".join(filter(None, (CAPTION, recalibrated, sky)))


def _largest(std: np.ndarray) -> float:
    return float(std.max()) or 1.0
