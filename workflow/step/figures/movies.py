"""Videos as files that play, and their frames in colours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import imageio_ffmpeg
import numpy as np
from PIL import Image

from step.errors import InputError
from step.io.atomic import whole_file
from step.progress import track

if TYPE_CHECKING:
    from matplotlib.colors import Colormap

FRAMES_PER_SECOND = 12
ANIMATION_FRAMES_PER_SECOND = 8  # looked at more closely than a movie
WEBP_QUALITY = 80  # of 100; a page holds several
PASSES = 6  # a video is a heartbeat or so: shown once it would be over before it is seen


def write_movie(movie: np.ndarray, path: Path) -> None:
    """Write `movie` (time, height, width, 3), uint8, as H.264 (.mp4) or as an animation (.gif, .webp).

    An mp4 plays the movie `PASSES` times, an animation repeats by itself. Raises `InputError` for another suffix.
    """
    writers = {".mp4": _write_mp4, ".gif": _write_gif, ".webp": _write_webp}
    if path.suffix not in writers:
        raise InputError(f"no movie can be written as {path.name}; end its name in one of {list(writers)}")
    with whole_file(path) as part:
        writers[path.suffix](movie, part)


def colour_tiles(frames: np.ndarray, colours: Colormap, side: int) -> np.ndarray:
    """Return `frames` (time, y, x) in [0, 1] enlarged and in `colours`: (time, height, width, 3), uint8.

    They are enlarged by a whole factor, with cubic interpolation, to about `side` pixels.
    """
    factor = enlargement(frames.shape[1:], side)
    size = (frames.shape[2] * factor, frames.shape[1] * factor)
    enlarged = [
        np.asarray(Image.fromarray(frame.astype(np.float32)).resize(size, Image.Resampling.BICUBIC)) for frame in frames
    ]
    return colours(np.clip(np.stack(enlarged), 0, 1), bytes=True)[..., :3]


def enlargement(shape: tuple[int, ...], side: int) -> int:
    """Return the whole factor, 1 or more, by which frames of `shape` (y, x) come closest to `side` pixels."""
    return max(1, round(side / max(shape)))


def _write_mp4(movie: np.ndarray, part: Path) -> None:
    n_frames, height, width = movie.shape[:3]
    # yuv420p, the one pixel format that every player has, halves the colours: height and width must be even.
    movie = np.pad(movie, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), constant_values=255)
    writer = imageio_ffmpeg.write_frames(
        str(part),
        (movie.shape[2], movie.shape[1]),
        fps=FRAMES_PER_SECOND,
        codec="libx264",
        pix_fmt_out="yuv420p",
        macro_block_size=1,
        quality=None,
        # The same quality in less than half of the time of the default preset, in files a tenth larger.
        output_params=["-crf", "18", "-preset", "veryfast", "-movflags", "+faststart", "-f", "mp4"],
        ffmpeg_log_level="error",
    )
    writer.send(None)
    for number in track(range(PASSES * n_frames), "video", "frame"):
        writer.send(np.ascontiguousarray(movie[number % n_frames]))
    writer.close()
    # The writer does not tell whether ffmpeg ended well.
    written, _ = imageio_ffmpeg.count_frames_and_secs(str(part))
    if written != PASSES * n_frames:
        raise OSError(f"{part} has {written} of {PASSES * n_frames} frames: ffmpeg failed, perhaps on a full disk")


def _write_gif(movie: np.ndarray, part: Path) -> None:
    first, *others = [Image.fromarray(frame).quantize(256, dither=Image.Dither.NONE) for frame in movie]
    duration_ms = round(1000 / FRAMES_PER_SECOND)
    first.save(part, format="GIF", save_all=True, append_images=others, duration=duration_ms, loop=0)


def _write_webp(movie: np.ndarray, part: Path) -> None:
    first, *others = map(Image.fromarray, movie)
    duration_ms = round(1000 / ANIMATION_FRAMES_PER_SECOND)
    first.save(
        part, format="WEBP", save_all=True, append_images=others, duration=duration_ms, loop=0, quality=WEBP_QUALITY
    )
