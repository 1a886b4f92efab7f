"""The modes of a posterior: what was measured, a sample of each mode, and how well their number is supported (Fig. 1).

Rotation is positive counter-clockwise as displayed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np

from step.config.sections import Fraction, ModuleName
from step.config.study import Config
from step.config.views import Display, GridSettings
from step.errors import InputError
from step.figures import style
from step.figures.baselines import Coverage, cover
from step.figures.movies import write_movie
from step.figures.posterior import Grid, frames_with_data
from step.figures.rows import grid_of
from step.figures.scales import (
    LENGTH_UNITS,
    evenly_spaced,
)
from step.figures.shown import busiest_column
from step.io.arrays import write_arrays
from step.io.modes import Modes, read_modes
from step.io.reconstructions import read_measurement, read_reconstructions
from step.io.truths import read_truth
from step.physics.display import to_unit_range
from step.products import About, Measurement, Movie, Numbers, Pictures, Samples, Truth

if TYPE_CHECKING:
    from step.posterior.descriptors.ring import Ring


FRAMES_SHOWN, MODES_SHOWN = 5, 4
RING = "ring"  # the descriptor whose videos turn
MODE_COLOURS = ("tab:blue", "tab:orange", "tab:green", "tab:purple")
ANGLE_UNIT = "deg"  # of features for which 360 is 0
RATE = "rotation_rate"
FRAMES_NOTE = "Frames are of the sample in the middle of each mode."
ROTATION_NOTE = "Arrow: how far its pattern turns until the next frame; dashed: how it goes on at that rate."
SKY = "North is up, east to the left; azimuth is from north to east."
SMALLEST_NUMBER = 1e-3  # smaller ones are written as a power of ten


class ModesFigureSettings(GridSettings):
    """How the videos of a task are shown and described."""

    descriptor: ModuleName  # what samples were told apart by, e.g. ring
    interval: Fraction  # coverage of the intervals of the shares


Settings = ModesFigureSettings


def select(config: Config, task: str) -> ModesFigureSettings:
    """Return how the videos of `task` are shown and described."""
    domain = config.tasks[task].domain
    video = config.video_format(domain)
    return ModesFigureSettings(
        display=video.display,
        descriptor=config.modes.descriptors[domain],
        geometry=video.geometry,
        interval=config.modes.interval,
    )


@dataclass(frozen=True)
class Files:
    """One measurement, its samples and their modes."""

    measurement: Measurement
    modes: Annotated[Path, About(help="the modes among the samples, HDF5")]
    reconstructions: Samples
    output: Pictures
    movie: Movie
    data: Numbers
    truth: Truth | None = None


def plot(files: Files, settings: ModesFigureSettings) -> None:
    """Write picture, movie and numbers; raises `InputError` where the files do not belong together."""
    from step.figures.mode_plots import animate_modes, plot_modes

    picture = read_modes_picture(files.measurement, files.truth, files.modes, files.reconstructions, settings)
    style.save_figure(plot_modes(picture), files.output)
    write_modes_data(picture, files.data)
    write_movie(animate_modes(picture), files.movie)


@dataclass(frozen=True)
class Rotation:
    """A ring that turns."""

    ring: Ring
    rate_deg: float  # degree per frame, positive counter-clockwise


@dataclass(frozen=True)
class Row:
    """One video of the picture: the truth, or the sample in the middle of a mode."""

    name: str
    title: str
    text: str
    colour: str
    video: np.ndarray  # (time, y, x) in [0, 1]
    course: np.ndarray  # (time, place): along its ring, minus the time mean, by azimuth; else along y, as it is
    rotation: Rotation | None  # None where videos do not turn


@dataclass(frozen=True)
class ModesPicture:
    """What picture and video show."""

    title: str
    caption: str
    display: Display
    grid: Grid
    measured: Coverage | np.ndarray | None  # baselines; or lines (time, ky) of bool; or nothing that can be plotted
    rows: tuple[Row, ...]
    x: int | None  # the column of pixels that the courses follow, counted from 0; None of rings
    labels: np.ndarray  # (sample,) the mode of each sample, 0 is the largest
    points: np.ndarray  # (sample, 2) its first two reduced components, or the only one and the data misfit
    point_axes: tuple[str, str]
    truth_point: np.ndarray | None  # (2,)
    scores: np.ndarray  # (candidate,) the criterion of 1, 2, ... modes, lower is better
    stability: np.ndarray  # (candidate,)

    @property
    def shown(self) -> np.ndarray:
        """The numbers of the frames that the picture has, counted from 0."""
        return evenly_spaced(len(self.grid.times), FRAMES_SHOWN)

    @property
    def n_modes(self) -> int:
        """How many modes were found."""
        return int(self.labels.max()) + 1


def read_modes_picture(
    measurement: Path,
    true_video: Path | None,
    modes: Path,
    reconstructions: Sequence[Path],
    settings: ModesFigureSettings,
) -> ModesPicture:
    """Return what is shown of the `modes` among the samples in `reconstructions` of one `measurement`.

    The truth is shown if the file `true_video` is given. Raises `InputError` where the files do not belong together.
    """
    name, found = measurement.stem, read_modes(modes)
    by_video = read_reconstructions(list(reconstructions))
    if name not in by_video:
        raise InputError(f"{name} is not among the videos of the reconstructions, {list(by_video)}; sample it")
    samples = by_video[name].samples
    if len(samples) != len(found.labels):
        numbers = f"{len(found.labels)} samples, the reconstructions of {name} are {len(samples)}"
        raise InputError(f"{modes} is of {numbers}; give all their files, or run the modes stage again")
    truth = None if true_video is None else read_truth(true_video, name)
    if truth is not None and truth.shape != samples.shape[1:]:
        shapes = f"the truth is {truth.shape}, its samples are {samples.shape[1:]}"
        raise InputError(f"{measurement}: {shapes}; sample this measurement again")
    representatives = samples[found.representatives[:MODES_SHOWN]]
    reference = samples.mean(axis=0) if truth is None else truth
    videos = [to_unit_range(video, reference, settings.display) for video in representatives]
    shown_truth = None if truth is None else to_unit_range(truth, truth, settings.display)
    return see_modes(found, videos, shown_truth, (read_measurement(measurement), measurement), settings)


def see_modes(
    modes: Modes,
    representatives: Sequence[np.ndarray],
    truth: np.ndarray | None,
    measurement: tuple[Mapping[str, np.ndarray], Path],
    settings: ModesFigureSettings,
) -> ModesPicture:
    """Return what is shown of `modes`.

    `representatives` are the samples in the middle of the first modes and `truth` the true video, (time, y, x) in
    [0, 1]; `measurement` are the arrays of the measurement and the file that they are from.
    """
    arrays, source = measurement
    measured = _measured(arrays, source, settings)
    x = None if settings.descriptor == RING else busiest_column(representatives[0] if truth is None else truth)
    rows = [
        _row(f"mode{mode + 1}", *_say_mode(modes, mode, settings), video, x)
        for mode, video in enumerate(representatives)
    ]
    if truth is not None:
        rows.insert(0, _row("truth", "truth", _say_truth(modes), "black", truth, x))
    points, point_axes = modes.reduced[:, :2], ("component 1", "component 2")
    truth_point = None if modes.truth_reduced is None else modes.truth_reduced[:2]
    if points.shape[1] == 1:
        points, point_axes = np.stack([points[:, 0], modes.misfits], axis=1), ("component 1", "data misfit")
        truth_point = None
    return ModesPicture(
        title=say_number(modes),
        caption=_caption(modes, settings),
        display=settings.display,
        grid=_grid(arrays, measured, representatives[0], settings),
        measured=measured,
        rows=tuple(rows),
        x=x,
        labels=modes.labels,
        points=points,
        point_axes=point_axes,
        truth_point=truth_point,
        scores=modes.scores,
        stability=modes.stability,
    )


def sense_of(rate: float) -> str:
    """Return which way a pattern turns by the sign of its `rate`."""
    return "counter-clockwise" if rate > 0 else "clockwise" if rate < 0 else "neither way"


def say_number(modes: Modes) -> str:
    """Return how many modes there are among how many samples."""
    n_modes, n_samples = len(modes.shares), len(modes.labels)
    found = "one mode" if n_modes == 1 else f"{n_modes} modes"
    most = f", the {MODES_SHOWN} largest are shown" if n_modes > MODES_SHOWN else ""
    return f"{found} found among {n_samples} posterior samples{most}"


def mean_and_spread(values: np.ndarray, unit: str) -> tuple[float, float]:
    """Return mean and standard deviation of `values` (sample,).

    Where `unit` is `ANGLE_UNIT` the mean is the direction of the mean vector, in (-180, 180], and the deviations from
    it are the shorter way round.
    """
    if unit != ANGLE_UNIT:
        return float(values.mean()), float(values.std())
    mean = float(np.angle(np.exp(1j * np.deg2rad(values)).mean(), deg=True))
    around = (values - mean + 180) % 360 - 180
    return mean, float(np.sqrt((around**2).mean()))


def with_spread(mean: float, spread: float) -> str:
    """Return ``mean ± spread``, with two digits of the spread."""
    largest = max(abs(mean), spread)
    if 0 < largest < SMALLEST_NUMBER:
        return f"{mean:.2e} ± {spread:.1e}"
    decimals = int(np.clip(1 - np.floor(np.log10(spread)), 0, 4)) if spread > 0 else 3
    rounded = round(mean, decimals) + 0.0  # 0 has no sign
    return f"{rounded:.{decimals}f} ± {spread:.{decimals}f}".replace("-", "−")


def write_modes_data(picture: ModesPicture, path: Path) -> None:
    """Write the numbers of the picture to `path` (.npz).

    Frames are (row, column, y, x), courses (row, time, place), each row by its name in `rows`; of baselines `uv` in
    wavelengths and their `uv_time_h`, of lines `mask` (time, ky).
    """
    shown, rows = picture.shown, picture.rows
    numbers = {
        "rows": np.array([row.name for row in rows]),
        "frame": shown,
        "frame_time": picture.grid.times[shown],
        "frames": np.stack([row.video[shown] for row in rows]),
        "courses": np.stack([row.course for row in rows]),
        "labels": picture.labels,
        "points": picture.points,
        "scores": picture.scores,
        "stability": picture.stability,
    }
    if picture.truth_point is not None:
        numbers["truth_point"] = picture.truth_point
    if picture.x is None:
        rotations = [row.rotation for row in rows if row.rotation is not None]
        numbers["rotation_deg_per_frame"] = np.array([rotation.rate_deg for rotation in rotations])
    else:
        numbers["x"] = np.array(picture.x)
    if isinstance(picture.measured, Coverage):
        numbers |= {"uv": picture.measured.uv, "uv_time_h": picture.measured.time_h}
    elif picture.measured is not None:
        numbers["mask"] = picture.measured
    write_arrays(path, numbers)


def _measured(
    arrays: Mapping[str, np.ndarray], source: Path, settings: ModesFigureSettings
) -> Coverage | np.ndarray | None:
    if "uv" in arrays and "cadence_s" in settings.geometry:
        return cover(arrays, settings.geometry["cadence_s"], source)
    # Where samples were measured, not lines: the lines that have any.
    mask = arrays.get("mask")
    return None if mask is None else np.asarray(mask.reshape(*mask.shape[:2], -1).any(axis=2))


def _grid(
    arrays: Mapping[str, np.ndarray],
    measured: Coverage | np.ndarray | None,
    video: np.ndarray,
    settings: ModesFigureSettings,
) -> Grid:
    """Return when and how large frames are: UTC where it was measured, else s, else the frame's number."""
    grid = grid_of((len(video), 1, *video.shape[1:]), settings.geometry, frames_with_data(arrays))
    if isinstance(measured, Coverage):
        return replace(grid, times=measured.edges_h[:-1], time_unit="UTC h")
    return grid


def _row(name: str, title: str, text: str, colour: str, video: np.ndarray, x: int | None) -> Row:
    from step.posterior.descriptors.appearance import average_image
    from step.posterior.descriptors.ring import fit_ring, unroll
    from step.posterior.descriptors.rotation import pattern_rotation

    if x is not None:
        return Row(name, title, text, colour, video, video[:, :, x], None)
    ring = fit_ring(average_image(video))
    along = unroll(video, ring)
    # A bright side that stays would hide the pattern that turns.
    course = along - along.mean(axis=0)
    return Row(name, title, text, colour, video, course, Rotation(ring, pattern_rotation(course)))


def _caption(modes: Modes, settings: ModesFigureSettings) -> str:
    """Return what the pictures mean, and the criterion."""
    criterion = str(modes.attributes.get("criterion", ""))
    notes = [FRAMES_NOTE, ROTATION_NOTE if settings.descriptor == RING else ""]
    notes += [
        SKY if "field_of_view_uas" in settings.geometry else "",
        criterion and f"{criterion[0].upper()}{criterion[1:]}.",
    ]
    return " ".join(filter(None, notes))


def _say_mode(modes: Modes, mode: int, settings: ModesFigureSettings) -> tuple[str, str, str]:
    """Return title, text and colour of a mode."""
    members = modes.labels == mode
    lines = [f"data misfit {with_spread(*mean_and_spread(modes.misfits[members], ''))}"]
    if len(modes.shares) > 1:
        low, high = modes.share_low[mode], modes.share_high[mode]
        lines.insert(0, f"{settings.interval:.0%} interval {low:.0%} to {high:.0%}")
    if RATE in modes.features:
        lines.append(_say_sense(modes.features[RATE][members]))
    lines += [
        f"{_plain(name)} {with_spread(*mean_and_spread(values[members], modes.units[name]))}{_unit(modes.units[name])}"
        for name, values in modes.features.items()
    ]
    title = f"mode {mode + 1}: {modes.shares[mode]:.0%} of samples".replace("%", " %")
    return title, "\n".join(lines).replace("%", " %"), MODE_COLOURS[mode]


def _say_sense(rates: np.ndarray) -> str:
    commonest = 1 if (rates > 0).sum() >= (rates < 0).sum() else -1
    return f"{(rates * commonest > 0).sum()} of {len(rates)} turn {sense_of(commonest)}"


def _say_truth(modes: Modes) -> str:
    if modes.truth_features is None:
        return ""
    lines = [
        f"{_plain(name)} {value:.3g}{_unit(modes.units[name])}".replace("-", "−")
        for name, value in modes.truth_features.items()
    ]
    if RATE in modes.truth_features:
        lines.insert(0, f"turns {sense_of(modes.truth_features[RATE])}")
    return "\n".join(lines)


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _unit(unit: str) -> str:
    if unit.startswith(ANGLE_UNIT):
        return unit.replace(ANGLE_UNIT, "°")
    return f" {LENGTH_UNITS.get(unit, unit)}" if unit else ""
