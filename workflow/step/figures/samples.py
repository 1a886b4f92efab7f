"""Posterior samples of one measurement, beneath the truth where it is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from step.config.study import Config
from step.config.tasks import MeasurementOfDomain
from step.config.views import Display, ViewSettings
from step.errors import InputError
from step.figures import style
from step.figures.movies import write_movie
from step.figures.panels import Panel, panel_video
from step.figures.posterior import FRAME_ATTRIBUTES, Grid, frames_with_data, read_grid
from step.figures.rows import bar_of, grid_of, plot_rows, size_of_rows, titles_of_columns
from step.figures.scales import clocks, evenly_spaced
from step.io.arrays import write_arrays
from step.io.reconstructions import read_attributes, read_measurement, read_reconstructions
from step.io.truths import read_truth
from step.physics.display import to_unit_range
from step.products import Measurement, Movie, Numbers, Pictures, Samples, Truth

if TYPE_CHECKING:
    from matplotlib.figure import Figure


SAMPLES_SHOWN, FRAMES_SHOWN = 8, 6
VIDEO_COLUMNS = 3


class SamplesSettings(ViewSettings):
    """The likelihood for the misfits, and how videos are shown."""

    measurement: MeasurementOfDomain


Settings = SamplesSettings


def select(config: Config, task: str) -> SamplesSettings:
    """Return how the videos of `task` are measured and shown."""
    display = config.video_format(config.tasks[task].domain).display
    return SamplesSettings(measurement=config.measurement_of(task), display=display)


def modules(settings: SamplesSettings) -> list[str]:
    """Return the modules that the measurement names, which are imported by name."""
    return settings.measurement.modules


@dataclass(frozen=True)
class Files:
    """One measurement and its samples."""

    measurement: Measurement
    reconstructions: Samples
    output: Pictures
    movie: Movie
    data: Numbers
    truth: Truth | None = None


def plot(files: Files, settings: SamplesSettings) -> None:
    """Write picture, movie and numbers; raises `InputError` where measurement and samples do not fit."""
    from step.physics.forward_models import fit_to_data

    geometry = settings.measurement.geometry
    sampled = read_samples(files.measurement, files.truth, files.reconstructions, geometry)
    measured = read_measurement(files.measurement)
    misfits, _ = fit_to_data(sampled.videos, measured, settings.measurement, files.measurement)
    shown = see_samples(sampled, misfits, settings.display)
    style.save_figure(plot_samples(shown, settings.display), files.output)
    write_movie(animate_samples(shown, settings.display), files.movie)
    write_samples_data(shown, files.data)


@dataclass(frozen=True)
class SampledVideos:
    """The truth, if it is known, and samples of one measurement, as they were reconstructed."""

    name: str
    grid: Grid
    truth: np.ndarray | None  # (time, channel, y, x)
    samples: np.ndarray  # (sample, time, channel, y, x), the first `SAMPLES_SHOWN`
    n_samples: int  # of which they are

    @property
    def videos(self) -> np.ndarray:
        """All of them (video, time, channel, y, x), the truth first."""
        return self.samples if self.truth is None else np.concatenate([self.truth[None], self.samples])


@dataclass(frozen=True)
class ShownSamples:
    """The numbers of picture and video; the first of `videos` is the truth where it is known."""

    name: str
    grid: Grid
    titles: tuple[str, ...]  # of each video
    videos: np.ndarray  # (video, time, y, x) in [0, 1]
    misfits: np.ndarray  # (video,) data misfit as the paper reports it
    reference: str  # with display `magnitude`, whose maximum is 1: the truth's, or the mean's of the samples

    @property
    def caption(self) -> str:
        """What must be said beneath the video."""
        return f"{self.name}: posterior samples of one measurement; where they differ, the data do not decide."


def read_samples(
    measurement: Path, true_video: Path | None, reconstructions: Sequence[Path], geometry: dict[str, float]
) -> SampledVideos:
    """Return the first `SAMPLES_SHOWN` samples of `measurement`, and its truth if the file `true_video` is given.

    Times and lengths are the file's own, else the domain's, which `geometry` says. Raises `InputError` where the
    measurement was not sampled, or truth and samples are not of one size.
    """
    name, found = measurement.stem, read_reconstructions(list(reconstructions))
    if name not in found:
        raise InputError(f"{name} is not among the reconstructed {list(found)}; sample it")
    samples = found[name].equal_samples
    truth = None if true_video is None else read_truth(true_video, name)
    if truth is not None and truth.shape != samples.shape[1:]:
        raise InputError(f"{name} was reconstructed as {samples.shape[1:]}, it is {truth.shape}; sample it again")
    if set(FRAME_ATTRIBUTES) <= read_attributes(measurement).keys():
        grid = read_grid(measurement)
    else:
        grid = grid_of(samples.shape[1:], geometry, frames_with_data(read_measurement(measurement)))
    return SampledVideos(name, grid, truth, samples[:SAMPLES_SHOWN], len(samples))


def see_samples(sampled: SampledVideos, misfits: np.ndarray, display: Display) -> ShownSamples:
    """Return what picture and video show; `misfits` (video,) are those of ``sampled.videos``."""
    known = sampled.truth is not None
    reference = sampled.samples.mean(axis=0) if sampled.truth is None else sampled.truth
    numbers = range(1, len(sampled.samples) + 1)
    return ShownSamples(
        name=sampled.name,
        grid=sampled.grid,
        titles=(*(["truth"] if known else []), *(f"sample {n} of {sampled.n_samples}" for n in numbers)),
        videos=to_unit_range(sampled.videos, reference, display),
        misfits=misfits,
        reference="truth" if known else "mean",
    )


def plot_samples(shown: ShownSamples, display: Display) -> Figure:
    """Return the picture: a row for the truth and each sample, a column per frame, from first to last."""
    grid, frames = shown.grid, evenly_spaced(shown.videos.shape[1], FRAMES_SHOWN)
    titles = [f"{title}\nmisfit {misfit:.2f}" for title, misfit in zip(shown.titles, shown.misfits, strict=True)]
    rows = [(title, video[frames]) for title, video in zip(titles, shown.videos, strict=True)]
    with style.styled():
        figure = style.new_figure(figsize=size_of_rows(len(rows), len(frames)))
        figure.set_layout_engine("constrained", h_pad=0.02, w_pad=0.02, hspace=0, wspace=0)
        bar = bar_of(grid, shown.videos.shape[-1])
        plot_rows(figure, rows, titles_of_columns(grid, frames), display, _quantity(shown, display), bar)
    return figure


def animate_samples(shown: ShownSamples, display: Display) -> np.ndarray:
    """Return the video (time, height, width, 3), uint8: truth and samples, `VIDEO_COLUMNS` in a row."""
    colours, quantity = style.colours(style.BRIGHTNESS_COLOURS[display]), _quantity(shown, display)
    panels = [
        Panel(title, video, colours, (0, 1), quantity.replace("\n", " "))
        for title, video in zip(shown.titles, shown.videos, strict=True)
    ]
    grid = shown.grid
    texts = clocks(grid.times, grid.time_unit, grid.with_data)
    return panel_video(panels, VIDEO_COLUMNS, texts, bar_of(grid, shown.videos.shape[-1]), shown.caption)


def write_samples_data(shown: ShownSamples, path: Path) -> None:
    """Write the numbers of picture and video to `path` (.npz): titles, times with their unit, videos and misfits."""
    numbers: dict[str, Any] = {
        "titles": shown.titles,
        "times": shown.grid.times,
        "time_unit": shown.grid.time_unit,
        "videos": shown.videos,
        "misfits": shown.misfits,
    }
    write_arrays(path, numbers)


def _quantity(shown: ShownSamples, display: Display) -> str:
    return {"magnitude": f"magnitude\n[{shown.reference}'s maximum]", "unit_range": "brightness"}[display]
