"""Videos that play: the truth beside the methods, one row per video."""

from collections.abc import Sequence
from pathlib import Path

import imageio_ffmpeg
import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.colors import Colormap
from PIL import Image, ImageDraw, ImageFont

from step.errors import InputError
from step.figures import style
from step.figures.reading import ShownVideo
from step.io.atomic import whole_file
from step.progress import track

FRAMES_PER_SECOND = 12
PASSES = 6  # a video is a heartbeat or so: shown once it would be over before it is seen
TILE_PIXELS = 192  # small videos are enlarged to about this size
GAP_PIXELS = 4
FONT_PIXELS = 14
TITLE_PIXELS = 3 * FONT_PIXELS  # room for a label of two lines


def animate(videos: Sequence[ShownVideo], display: str) -> np.ndarray:
    """Return the movie (time, height, width, 3), uint8: a column for the truth and each method, labelled.

    Frames are enlarged to about `TILE_PIXELS`.
    """
    methods = list(videos[0].reconstructions)
    rows = [[video.truth, *(video.reconstructions[method] for method in methods)] for video in videos]
    colours = matplotlib.colormaps[style.BRIGHTNESS_COLOURS[display]]
    tiles = [[colour_tiles(frames, colours, TILE_PIXELS) for frames in row] for row in rows]
    canvas = _labelled_canvas(tiles, ["truth", *methods], [video.name for video in videos])
    movie = np.repeat(canvas[None], len(videos[0].truth), axis=0)
    for row, of_video in enumerate(tiles):
        for column, tile in enumerate(of_video):
            top, left = _corner(row, column, tile.shape[1], tile.shape[2])
            movie[:, top : top + tile.shape[1], left : left + tile.shape[2]] = tile
    return movie


def write_movie(movie: np.ndarray, path: Path) -> None:
    """Write `movie` (time, height, width, 3), uint8, as H.264 (.mp4) or as an animation (.gif).

    An mp4 plays the movie `PASSES` times, a gif repeats it by itself. Raises `InputError` for another suffix.
    """
    writers = {".mp4": _write_mp4, ".gif": _write_gif}
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
    enlarged = [Image.fromarray(frame.astype(np.float32)).resize(size, Image.Resampling.BICUBIC) for frame in frames]
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
    for number in track(range(PASSES * n_frames), "film", "frame"):
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


def _corner(row: int, column: int, height: int, width: int) -> tuple[int, int]:
    """Return where a tile begins; labels are above the first row and left of the first column."""
    return TITLE_PIXELS + row * (height + GAP_PIXELS), 2 * FONT_PIXELS + column * (width + GAP_PIXELS)


def _labelled_canvas(tiles: list[list[np.ndarray]], columns: list[str], rows: list[str]) -> np.ndarray:
    """Return a white picture (height, width, 3) with labels of columns and rows, and room for tiles."""
    height, width = tiles[0][0].shape[1:3]
    bottom, right = _corner(len(rows), len(columns), height, width)
    canvas = Image.new("RGB", (right, bottom), "white")
    font = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), FONT_PIXELS)
    for column, name in enumerate(columns):
        _, left = _corner(0, column, height, width)
        text = ImageDraw.Draw(canvas)
        text.multiline_text(
            (left + width / 2, TITLE_PIXELS / 2),
            style.label(name),
            "black",
            font,
            anchor="mm",
            align="center",
        )
    for row, name in enumerate(rows):
        top, _ = _corner(row, 0, height, width)
        strip = Image.new("RGB", (height, 2 * FONT_PIXELS), "white")
        ImageDraw.Draw(strip).text((height / 2, FONT_PIXELS), name, "black", font, anchor="mm")
        canvas.paste(strip.rotate(90, expand=True), (0, top))
    return np.array(canvas)
