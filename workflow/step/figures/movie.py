"""Videos that play: the truth next to the methods, one row per video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from step.config.views import ViewSettings, view_of_task
from step.figures import style
from step.figures.movies import colour_tiles, write_movie
from step.figures.reading import ShownVideo, read_shown_videos
from step.products import Methods, Movie, Truths

TILE_PIXELS = 192  # small videos are enlarged to about this size
GAP_PIXELS = 4
FONT_PIXELS = 14
TITLE_PIXELS = 3 * FONT_PIXELS  # room for a label of two lines

Settings = ViewSettings
select = view_of_task


@dataclass(frozen=True)
class Files:
    """Some videos and their reconstructions."""

    truths: Truths
    methods: Methods
    output: Movie


def plot(files: Files, settings: ViewSettings) -> None:
    """Write the movie."""
    videos = read_shown_videos(files.truths, files.methods, settings.display)
    write_movie(animate(videos, settings.display), files.output)


def animate(videos: Sequence[ShownVideo], display: str) -> np.ndarray:
    """Return the movie (time, height, width, 3), uint8: a column for the truth and each method, labelled.

    Frames are enlarged to about `TILE_PIXELS`.
    """
    methods = list(videos[0].reconstructions)
    rows = [[video.truth, *(video.reconstructions[method] for method in methods)] for video in videos]
    colours = style.colours(style.BRIGHTNESS_COLOURS[display])
    tiles = [[colour_tiles(frames, colours, TILE_PIXELS) for frames in row] for row in rows]
    canvas = _labelled_canvas(tiles, ["truth", *methods], [video.name for video in videos])
    movie = np.repeat(canvas[None], len(videos[0].truth), axis=0)
    for row, of_video in enumerate(tiles):
        for column, tile in enumerate(of_video):
            top, left = _corner(row, column, tile.shape[1], tile.shape[2])
            movie[:, top : top + tile.shape[1], left : left + tile.shape[2]] = tile
    return movie


def _corner(row: int, column: int, height: int, width: int) -> tuple[int, int]:
    """Return where a tile begins; labels are above the first row and left of the first column."""
    return TITLE_PIXELS + row * (height + GAP_PIXELS), 2 * FONT_PIXELS + column * (width + GAP_PIXELS)


def _labelled_canvas(tiles: list[list[np.ndarray]], columns: list[str], rows: list[str]) -> np.ndarray:
    """Return a white picture (height, width, 3) with labels of columns and rows, and room for tiles."""
    from matplotlib import font_manager

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
