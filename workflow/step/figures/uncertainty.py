"""What is known of a simulated measurement's video: how far samples of the posterior spread, and how far they err."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from step.config.calibration import ProperFraction
from step.config.study import Config
from step.config.views import Display, GridSettings, grid_of_task
from step.errors import InputError
from step.figures import style
from step.figures.movies import write_movie
from step.figures.panels import Panel, panel_video
from step.figures.posterior import Grid, frames_with_data
from step.figures.rows import bar_of, grid_of, plot_rows, size_of_rows, titles_of_columns
from step.figures.scales import clocks, evenly_spaced
from step.io.arrays import write_arrays
from step.io.reconstructions import read_measurement, read_quantiles, read_recalibration, read_reconstructions
from step.io.truths import read_truth
from step.physics.display import to_unit_range
from step.posterior.calibration import bright_pixels
from step.products import Measurement, Movie, Numbers, Pictures, Samples, Summary, Truth

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure


FRAMES_SHOWN = 6
VIDEO_COLUMNS = 3
SCALE_PERCENTILE = 99.5  # the scale of error and spread ends here, so that one wild pixel does not darken all maps
ERROR_LABELS = {"magnitude": "magnitude\n[truth's maximum]", "unit_range": "brightness"}
BRIGHTNESS_ROWS, ERROR_ROWS = 4, 2
CAPTION_INCHES = 0.25


class UncertaintySettings(GridSettings):
    """How videos are shown, and which of their pixels count."""

    bright_fraction: ProperFraction


Settings = UncertaintySettings


def select(config: Config, task: str) -> UncertaintySettings:
    """Return how the videos of `task` are shown, and which of their pixels count."""
    return UncertaintySettings(**dict(grid_of_task(config, task)), bright_fraction=config.calibration.bright_fraction)


@dataclass(frozen=True)
class Files:
    """One measurement, its truth and its samples."""

    measurement: Measurement
    truth: Truth
    summary: Summary
    reconstructions: Samples
    output: Pictures
    movie: Movie
    data: Numbers


def plot(files: Files, settings: UncertaintySettings) -> None:
    """Write picture, movie and numbers; raises `InputError` where the files do not belong together."""
    uncertainty = read_uncertainty(
        files.measurement,
        files.truth,
        files.summary,
        files.reconstructions,
        settings.display,
        settings.geometry,
        settings.bright_fraction,
    )
    style.save_figure(plot_uncertainty(uncertainty, settings.display), files.output)
    write_movie(animate_uncertainty(uncertainty, settings.display), files.movie)
    write_uncertainty_data(uncertainty, files.data)


@dataclass(frozen=True)
class Uncertainty:
    """The numbers of picture and video, as brightness; its arrays are (time, y, x) in [0, 1]."""

    name: str
    grid: Grid
    truth: np.ndarray
    mean: np.ndarray  # over the samples
    error: np.ndarray  # |mean - truth|
    std: np.ndarray  # over the samples
    low: np.ndarray  # the quantiles over the samples, at `levels`
    high: np.ndarray
    levels: tuple[float, float]
    n_samples: int
    error_over_spread: float  # of rms over bright pixels; the spread is corrected for few samples
    recalibration: str = ""  # how the quantiles were recalibrated; '' where they were not

    @property
    def quantile_titles(self) -> list[str]:
        """Return what the videos `low` and `high` are called."""
        return [f"{100 * level:g} % quantile" for level in self.levels]

    @property
    def caption(self) -> str:
        """What must be said beneath picture and video."""
        recalibrated = f" Quantiles are recalibrated: {self.recalibration}." if self.recalibration else ""
        return (
            f"{self.name}, {self.n_samples} posterior samples. Where pixels are bright, the error of their mean is "
            f"{self.error_over_spread:.2g} times their spread (rms); 1 is calibrated, more is over-confident."
            f"{recalibrated}"
        )

    @property
    def scale(self) -> float:
        """The end of the colours of error and spread, which have one scale."""
        return float(np.percentile([self.error, self.std], SCALE_PERCENTILE)) or 1.0


def read_uncertainty(
    measurement: Path,
    true_video: Path,
    summary: Path,
    reconstructions: Sequence[Path],
    display: Display,
    geometry: Mapping[str, float],
    bright_fraction: float,
) -> Uncertainty:
    """Return what the samples in `reconstructions` and their `summary` say of the video of `measurement`.

    Mean and deviation are those of the brightness, so that they compare with its error. `geometry` says how large
    frames are and when, `bright_fraction` which pixels count for `error_over_spread`: see `bright_pixels`. Raises
    `InputError` where the files do not belong together.
    """
    name = measurement.stem
    measured, truth = read_measurement(measurement), read_truth(true_video, name)
    found, quantiles = read_reconstructions(list(reconstructions), [name]), read_quantiles(summary)
    if name not in found:
        raise InputError(f"{name} is not among the videos of the reconstructions; sample it")
    samples = found[name].equal_samples
    shape = (truth.shape[0], *truth.shape[2:])
    if samples.shape[1:] != truth.shape or quantiles.videos.shape[1:] != shape:
        shapes = f"samples {samples.shape[1:]} and quantiles {quantiles.videos.shape[1:]}, the truth is {truth.shape}"
        raise InputError(f"{name} has {shapes}; sample and summarise it again")
    if len(samples) < 2:
        raise InputError(f"{name} has {len(samples)} sample, which has no spread; sample two or more")
    brightness = to_unit_range(truth, truth, display)
    mean, std = _mean_and_std(samples, truth, display)
    # A quantile is the value of one channel, in the units of the videos.
    low, high = (to_unit_range(video[:, None], truth, display) for video in (quantiles.videos[0], quantiles.videos[-1]))
    return Uncertainty(
        name=name,
        grid=grid_of(truth.shape, geometry, frames_with_data(measured)),
        truth=brightness,
        mean=mean,
        error=np.abs(mean - brightness),
        std=std,
        low=low,
        high=high,
        levels=(float(quantiles.levels[0]), float(quantiles.levels[-1])),
        n_samples=len(samples),
        error_over_spread=error_over_spread(brightness, mean, std, len(samples), bright_fraction),
        recalibration=read_recalibration(summary),
    )


def error_over_spread(
    truth: np.ndarray, mean: np.ndarray, std: np.ndarray, n_samples: int, bright_fraction: float
) -> float:
    """Return the rms error of `mean` over the rms spread, over bright pixels; 1 if the posterior is calibrated.

    All videos are (time, y, x); `std` is the deviation of `n_samples` from their own mean. As unbiased variance and
    with the error of the mean itself, the spread is ``std^2 (L + 1) / (L - 1)``. Raises `InputError` where it is 0.
    """
    members = (n_samples * mean + truth) / (n_samples + 1)
    bright = bright_pixels(members[None], bright_fraction)
    spread = np.square(std[bright], dtype=np.float64).mean() * (n_samples + 1) / (n_samples - 1)
    if not spread > 0:
        raise InputError("all samples are the same, so they have no spread; sample them with different seeds")
    return float(np.sqrt(np.square(mean - truth, dtype=np.float64)[bright].mean() / spread))


def plot_uncertainty(uncertainty: Uncertainty, display: Display) -> Figure:
    """Return the picture: truth, mean and quantiles above error and standard deviation, from first to last frame."""
    frames = evenly_spaced(len(uncertainty.truth), FRAMES_SHOWN)
    bar = bar_of(uncertainty.grid, uncertainty.truth.shape[-1])
    low, high = uncertainty.quantile_titles
    rows = [
        ("truth", uncertainty.truth[frames]),
        ("posterior mean", uncertainty.mean[frames]),
        (low, uncertainty.low[frames]),
        (high, uncertainty.high[frames]),
    ]
    with style.styled():
        width, height = size_of_rows(BRIGHTNESS_ROWS + ERROR_ROWS, len(frames))
        figure = style.new_figure(figsize=(width, height + CAPTION_INCHES))
        figure.set_layout_engine("constrained", h_pad=0.02, w_pad=0.02, hspace=0, wspace=0)
        [[above], [below]] = figure.subfigures(2, 1, squeeze=False, height_ratios=[BRIGHTNESS_ROWS, ERROR_ROWS])
        titles = titles_of_columns(uncertainty.grid, frames)
        plot_rows(above, rows, titles, display, style.BRIGHTNESS_LABELS[display], bar)
        _plot_errors(below, uncertainty, frames, display)
        figure.supxlabel(uncertainty.caption, fontsize=6, color="dimgray")
    return figure


def animate_uncertainty(uncertainty: Uncertainty, display: Display) -> np.ndarray:
    """Return the video (time, height, width, 3), uint8: truth, mean and error above quantiles and deviation."""
    brightness = style.colours(style.BRIGHTNESS_COLOURS[display]), (0.0, 1.0), _label(display)
    error, spread = (
        (style.colours(colours), (0.0, uncertainty.scale), f"{quantity} {_label(display)}")
        for colours, quantity in ((style.ERROR_COLOURS, "error,"), (style.SPREAD_COLOURS, "deviation,"))
    )
    low, high = uncertainty.quantile_titles
    panels = [
        Panel("truth", uncertainty.truth, *brightness),
        Panel("posterior mean", uncertainty.mean, *brightness),
        Panel("|mean - truth|", uncertainty.error, *error),
        Panel(low, uncertainty.low, *brightness),
        Panel(high, uncertainty.high, *brightness),
        Panel("standard deviation", uncertainty.std, *spread),
    ]
    grid = uncertainty.grid
    texts = clocks(grid.times, grid.time_unit, grid.with_data)
    return panel_video(panels, VIDEO_COLUMNS, texts, bar_of(grid, uncertainty.truth.shape[-1]), uncertainty.caption)


def write_uncertainty_data(uncertainty: Uncertainty, path: Path) -> None:
    """Write the numbers of picture and video to `path` (.npz): videos (time, y, x), and times with their unit."""
    names = ("truth", "mean", "error", "std", "low", "high", "levels", "n_samples", "error_over_spread")
    numbers: dict[str, Any] = {"times": uncertainty.grid.times, "time_unit": uncertainty.grid.time_unit}
    write_arrays(path, numbers | {name: getattr(uncertainty, name) for name in names})


def _mean_and_std(samples: np.ndarray, reference: np.ndarray, display: Display) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation (time, y, x) over the brightness of `samples`, seen one at a time."""
    mean = cast(np.ndarray, sum(_see(sample, reference, display) for sample in samples)) / len(samples)
    squares = cast(np.ndarray, sum(np.square(_see(sample, reference, display) - mean) for sample in samples))
    return mean.astype(np.float32), np.sqrt(squares / len(samples)).astype(np.float32)


def _see(sample: np.ndarray, reference: np.ndarray, display: Display) -> np.ndarray:
    return to_unit_range(sample, reference, display).astype(np.float64)


def _plot_errors(figure: SubFigure, uncertainty: Uncertainty, frames: np.ndarray, display: Display) -> None:
    axes = figure.subplots(ERROR_ROWS, len(frames), squeeze=False)
    for row, title, video, colours in (
        (axes[0], "|mean - truth|", uncertainty.error, style.ERROR_COLOURS),
        (axes[1], "standard deviation", uncertainty.std, style.SPREAD_COLOURS),
    ):
        row[0].set_ylabel(title)
        for one, frame in zip(row, video[frames], strict=True):
            one.set(xticks=[], yticks=[])
            image = one.imshow(frame, cmap=colours, vmin=0, vmax=uncertainty.scale)
        figure.colorbar(image, ax=list(row), label=ERROR_LABELS[display], pad=0.01, aspect=10, extend="max")


def _label(display: Display) -> str:
    return style.BRIGHTNESS_LABELS[display].replace("\n", " ")
