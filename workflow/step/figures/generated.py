"""Unconditional samples of the priors of one domain: what each believes before it sees a measurement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np

from step.config.views import Display, GridSettings, grid_of_domain
from step.errors import InputError
from step.figures import style
from step.figures.movies import write_movie
from step.figures.panels import Panel, panel_video
from step.figures.posterior import Grid
from step.figures.rows import bar_of, grid_of, plot_rows, size_of_rows, titles_of_columns
from step.figures.scales import clock, evenly_spaced
from step.io.arrays import write_arrays
from step.io.reconstructions import read_reconstructions
from step.physics.display import to_unit_range
from step.products import About, Movie, Numbers, Pictures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SAMPLES_SHOWN, FRAMES_SHOWN = 3, 6
OF_FRAMES = "image"
"""The prior whose frames are independent of each other."""

QUANTITIES = {"magnitude": "magnitude\n[sample's own maximum]", "unit_range": "brightness"}
FRAMES_APART = "The image prior knows single frames only: those of one of its samples are independent of each other."

Settings = GridSettings
select = grid_of_domain


@dataclass(frozen=True)
class Files:
    """The unconditional samples of some priors."""

    priors: Annotated[
        Mapping[str, Path],
        About(
            help="a prior and its unconditional samples, HDF5; once per prior, in the order of the picture",
            words=("NAME", "FILE"),
        ),
    ]
    output: Pictures
    movie: Movie
    data: Numbers


def plot(files: Files, settings: GridSettings) -> None:
    """Write picture, movie and numbers; raises `InputError` where the files do not fit together."""
    generated = read_generated(files.priors, settings.geometry, settings.display)
    style.save_figure(plot_generated(generated, settings.display), files.output)
    write_movie(animate_generated(generated, settings.display), files.movie)
    write_generated_data(generated, files.data)


@dataclass(frozen=True)
class Generated:
    """The numbers of picture and video: samples as brightness, without any measurement.

    With display ``magnitude`` each sample is relative to its own maximum, as there is no truth that it has to match.
    """

    priors: tuple[str, ...]
    grid: Grid
    videos: np.ndarray  # (prior, sample, time, y, x) in [0, 1]

    @property
    def caption(self) -> str:
        """What must be said beneath the video."""
        return FRAMES_APART if OF_FRAMES in self.priors else ""


def read_generated(files: Mapping[str, Path], geometry: Mapping[str, float], display: Display) -> Generated:
    """Return the first `SAMPLES_SHOWN` samples of each prior in `files`, as many of all of them.

    `geometry` is what the domain says of its videos. Raises `InputError` where a file is of another prior, or the
    samples of two are not of one size.
    """
    samples = {prior: _read_samples(path, prior) for prior, path in files.items()}
    shapes = {prior: array.shape[1:] for prior, array in samples.items()}
    if len(set(shapes.values())) != 1:
        raise InputError(f"the samples of the priors have shapes {shapes}; generate them again, in one study")
    [shape] = set(shapes.values())
    shown = min(SAMPLES_SHOWN, *map(len, samples.values()))
    videos = [[to_unit_range(sample, sample, display) for sample in array[:shown]] for array in samples.values()]
    return Generated(tuple(files), grid_of(shape, geometry, np.ones(shape[0], bool)), np.array(videos))


def plot_generated(generated: Generated, display: Display) -> Figure:
    """Return the picture: for each prior a row per sample and a column per frame, from first to last."""
    n_priors, n_samples, n_frames = generated.videos.shape[:3]
    frames = evenly_spaced(n_frames, FRAMES_SHOWN)
    width, height = size_of_rows(n_samples, len(frames))
    with style.styled():
        figure = style.new_figure(figsize=(width, (height + 0.2) * n_priors))
        parts = figure.subfigures(n_priors, 1, squeeze=False)[:, 0]
        for part, prior, videos in zip(parts, generated.priors, generated.videos, strict=True):
            part.suptitle(_title(prior), fontsize=9)
            rows = [(f"sample {number + 1}", video[frames]) for number, video in enumerate(videos)]
            columns = _columns(generated, prior, frames)
            plot_rows(part, rows, columns, display, QUANTITIES[display], bar_of(generated.grid, videos.shape[-1]))
    return figure


def animate_generated(generated: Generated, display: Display) -> np.ndarray:
    """Return the video (time, height, width, 3), uint8: a row for each prior, its samples side by side."""
    colours, quantity = style.colours(style.BRIGHTNESS_COLOURS[display]), QUANTITIES[display].replace("\n", " ")
    panels = [
        Panel(f"{prior} prior, sample {number + 1}", video, colours, (0, 1), quantity)
        for prior, videos in zip(generated.priors, generated.videos, strict=True)
        for number, video in enumerate(videos)
    ]
    grid, n_samples = generated.grid, generated.videos.shape[1]
    texts = [clock(time, grid.time_unit) for time in grid.times]
    return panel_video(panels, n_samples, texts, bar_of(grid, generated.videos.shape[-1]), generated.caption)


def write_generated_data(generated: Generated, path: Path) -> None:
    """Write the numbers of picture and video to `path` (.npz): priors, times with their unit, and videos."""
    grid, priors, videos = generated.grid, generated.priors, generated.videos
    write_arrays(path, {"priors": priors, "times": grid.times, "time_unit": grid.time_unit, "videos": videos})


def _read_samples(path: Path, prior: str) -> np.ndarray:
    found = read_reconstructions([path])
    if prior not in found:
        raise InputError(f"{path} holds samples of {list(found) or 'nothing'}, not of the {prior} prior; generate them")
    return found[prior].samples


def _title(prior: str) -> str:
    return f"{prior} prior: independent frames" if prior == OF_FRAMES else f"{prior} prior"


def _columns(generated: Generated, prior: str, frames: np.ndarray) -> list[str]:
    """Return what is above the columns: times, and where frames are independent only their numbers."""
    if prior == OF_FRAMES:
        return [f"frame {frame}" for frame in frames]
    return titles_of_columns(generated.grid, frames)
