"""What the autoencoder keeps of some videos: the best that any method can do which samples its latents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from step.config.views import Display, ViewSettings, view_of_task
from step.figures import style
from step.figures.reading import ShownVideo, read_shown_videos
from step.figures.shown import ERROR_PERCENTILE, busiest_frame
from step.io.arrays import write_arrays
from step.metrics.psnr import METRIC as PSNR
from step.metrics.psnr import psnr
from step.products import Numbers, Pictures, Samples, Truths

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANEL_INCHES = 1.25
AUTOENCODER = "vae"
"""The name under which its reconstructions are read."""

Settings = ViewSettings
select = view_of_task


@dataclass(frozen=True)
class Files:
    """Videos and what the autoencoder makes of them."""

    truths: Truths
    reconstructions: Samples
    output: Pictures
    data: Numbers


def plot(files: Files, settings: ViewSettings) -> None:
    """Write the picture and its numbers; raises `InputError` where a truth or a reconstruction lacks."""
    videos = read_shown_videos(files.truths, {AUTOENCODER: files.reconstructions}, settings.display)
    passage = see_autoencoder(videos)
    style.save_figure(plot_autoencoder(passage, settings.display), files.output)
    write_autoencoder_data(passage, files.data)


@dataclass(frozen=True)
class Passage:
    """The numbers of the picture; a column for each video."""

    videos: tuple[str, ...]
    shown: np.ndarray  # (column,) the frame that is shown, counted from 0: the farthest from the time average
    truths: np.ndarray  # (column, y, x) in [0, 1]
    reconstructions: np.ndarray  # (column, y, x) in [0, 1]
    errors: np.ndarray  # (column, y, x), |reconstruction - truth|
    psnr_db: np.ndarray  # (column,) mean over all frames of the video


def see_autoencoder(videos: Sequence[ShownVideo]) -> Passage:
    """Return what the picture shows of `videos`, whose reconstructions named `AUTOENCODER` are the autoencoder's."""
    shown = np.array([busiest_frame(video.truth) for video in videos])
    truths = np.stack([video.truth[frame] for video, frame in zip(videos, shown, strict=True)])
    passed = [video.reconstructions[AUTOENCODER] for video in videos]
    reconstructions = np.stack([frames[frame] for frames, frame in zip(passed, shown, strict=True)])
    scores = [psnr(frames, video.truth) for frames, video in zip(passed, videos, strict=True)]
    return Passage(
        videos=tuple(video.name for video in videos),
        shown=shown,
        truths=truths,
        reconstructions=reconstructions,
        errors=np.abs(reconstructions - truths),
        psnr_db=np.array(scores),
    )


def plot_autoencoder(passage: Passage, display: Display) -> Figure:
    """Return the picture: a column for each video; rows for truth, reconstruction and error."""
    n_columns = len(passage.videos)
    with style.styled():
        figure = style.new_figure(figsize=(PANEL_INCHES * n_columns + 1.6, 3.3 * PANEL_INCHES + 0.5))
        axes = figure.subplots(3, n_columns, squeeze=False)
        brightness = {"cmap": style.BRIGHTNESS_COLOURS[display], "vmin": 0, "vmax": 1}
        error = {"cmap": style.ERROR_COLOURS, "vmin": 0, "vmax": np.percentile(passage.errors, ERROR_PERCENTILE) or 1}
        for row, (title, frames, look, label) in enumerate(
            (
                ("truth", passage.truths, brightness, style.BRIGHTNESS_LABELS[display]),
                (style.label(AUTOENCODER), passage.reconstructions, brightness, style.BRIGHTNESS_LABELS[display]),
                ("error", passage.errors, error, "|difference|"),
            )
        ):
            images = [one.imshow(frame, **look) for one, frame in zip(axes[row], frames, strict=True)]
            extend = "max" if row == 2 else "neither"
            figure.colorbar(images[0], ax=list(axes[row]), label=label, extend=extend, pad=0.01, aspect=12)
            axes[row, 0].set_ylabel(f"{title}\ny [pixel]")
        for column, video in enumerate(passage.videos):
            axes[0, column].set_title(f"{video}\nframe {passage.shown[column]}")
            axes[2, column].set_title(PSNR.say(passage.psnr_db[column]), pad=3)
            axes[2, column].set_xlabel("x [pixel]")
        for (row, column), one in np.ndenumerate(axes):
            one.tick_params(labelbottom=row == 2, labelleft=column == 0)
    return figure


def write_autoencoder_data(passage: Passage, path: Path) -> None:
    """Write the numbers of the picture to `path` (.npz), by the names of `Passage`."""
    write_arrays(path, asdict(passage))
