"""Videos of panels, each with its title and its own colours, beneath one clock."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from step.figures.movies import colour_tiles, enlargement
from step.figures.scales import ScaleBar

if TYPE_CHECKING:
    from matplotlib.colors import Colormap

PANEL_PIXELS = 384  # frames are enlarged to about this size
MARGIN = 14
CLOCK_PIXELS, TITLE_PIXELS, SMALL_PIXELS = 22, 17, 13  # sizes of the letters
# With these a frame begins on an even row, as the colours of H.264 do, which have half the rows.
CLOCK_HEIGHT = CLOCK_PIXELS + MARGIN
TITLE_HEIGHT = TITLE_PIXELS + 11
BAR_HEIGHT = 10
FOOT_HEIGHT = BAR_HEIGHT + SMALL_PIXELS + 23
BAR_THICKNESS = 4
OUTLINE = 2


@dataclass(frozen=True)
class Panel:
    """One of the pictures that play together."""

    title: str
    frames: np.ndarray  # (time, y, x)
    colours: Colormap
    limits: tuple[float, float]  # the values of the first and the last colour
    quantity: str  # what the values are, beneath the colours


def panel_video(
    panels: Sequence[Panel], n_columns: int, clocks: Sequence[str], bar: ScaleBar, caption: str
) -> np.ndarray:
    """Return the video (time, height, width, 3), uint8: `panels` row by row, all of one size, `n_columns` in a row.

    `clocks` (time,) are the texts above; `bar` lies in the first panel, whose pixels it measures.
    """
    shape = panels[0].frames.shape[1:]
    factor = enlargement(shape, PANEL_PIXELS)
    height, width = (side * factor for side in shape)
    tiles = [colour_tiles(_to_unit(panel), panel.colours, PANEL_PIXELS) for panel in panels]
    corners = [
        (MARGIN + (number % n_columns) * (width + MARGIN), _top(number // n_columns, height))
        for number in range(len(panels))
    ]
    canvas = _canvas(panels, corners, (width, height), min(n_columns, len(panels)), caption)
    pictures = np.empty((len(clocks), canvas.height, canvas.width, 3), np.uint8)
    for time, text in enumerate(clocks):
        frame = canvas.copy()
        for tile, corner in zip(tiles, corners, strict=True):
            frame.paste(Image.fromarray(tile[time]), corner)
        plot_scale_bar(frame, (corners[0][0], corners[0][1] + height), bar, factor)
        plot_clock(frame, text)
        pictures[time] = np.asarray(frame)
    return pictures


def plot_clock(frame: Image.Image, text: str) -> None:
    """Write `text` on top of `frame`, its digits always in the same places."""
    place = (frame.width / 2, MARGIN + CLOCK_PIXELS / 2)
    ImageDraw.Draw(frame).text(place, text, "black", _font(CLOCK_PIXELS, "DejaVu Sans Mono"), anchor="mm")


def plot_scale_bar(frame: Image.Image, corner: tuple[int, int], bar: ScaleBar, factor: int) -> None:
    """Plot `bar` into the panel whose lower left `corner` is (x, y), whose frames are enlarged by `factor`."""
    left, bottom = corner[0] + MARGIN, corner[1] - MARGIN
    ends = (left, bottom - BAR_THICKNESS, left + round(bar.pixels * factor) - 1, bottom - 1)
    draw = ImageDraw.Draw(frame)
    # White on black: it is read on whatever the frame shows beneath it.
    draw.rectangle((ends[0] - 1, ends[1] - 1, ends[2] + 1, ends[3] + 1), "black")
    draw.rectangle(ends, "white")
    draw.text(
        ((ends[0] + ends[2]) / 2, ends[1] - 5),
        bar.label,
        "white",
        _font(SMALL_PIXELS),
        anchor="mb",
        stroke_width=OUTLINE,
        stroke_fill="black",
    )


def _canvas(
    panels: Sequence[Panel],
    corners: Sequence[tuple[int, int]],
    size: tuple[int, int],
    n_columns: int,
    caption: str,
) -> Image.Image:
    """Return the white picture with all that stays: titles, colours and the caption."""
    width, height = size
    picture_width = MARGIN + n_columns * (width + MARGIN)
    font = _font(SMALL_PIXELS)
    letters = (picture_width - 2 * MARGIN) / font.getlength("n")
    lines = textwrap.wrap(caption, max(1, int(letters)))
    text_top = corners[-1][1] + height + FOOT_HEIGHT
    canvas = Image.new("RGB", (picture_width, text_top + (SMALL_PIXELS + 4) * len(lines) + MARGIN), "white")
    draw = ImageDraw.Draw(canvas)
    for number, line in enumerate(lines):
        draw.text((picture_width / 2, text_top + (SMALL_PIXELS + 4) * number), line, "dimgray", font, anchor="ma")
    for panel, (left, top) in zip(panels, corners, strict=True):
        draw.text((left + width / 2, top - 8), panel.title, "black", _font(TITLE_PIXELS), anchor="ms")
        _plot_colours(canvas, panel, (left, top + height), width)
    return canvas


def _plot_colours(canvas: Image.Image, panel: Panel, corner: tuple[int, int], width: int) -> None:
    left, top = corner[0], corner[1] + 4
    strip = panel.colours(np.linspace(0, 1, width), bytes=True)[None, :, :3]
    canvas.paste(Image.fromarray(np.repeat(strip, BAR_HEIGHT, axis=0)), (left, top))
    draw, font, below = ImageDraw.Draw(canvas), _font(SMALL_PIXELS), top + BAR_HEIGHT + 3
    for place, text, anchor in (
        (left, f"{panel.limits[0]:.2g}", "la"),
        (left + width / 2, panel.quantity, "ma"),
        (left + width, f"{panel.limits[1]:.2g}", "ra"),
    ):
        draw.text((place, below), text, "black", font, anchor=anchor)


def _top(row: int, height: int) -> int:
    return MARGIN + CLOCK_HEIGHT + TITLE_HEIGHT + row * (height + FOOT_HEIGHT + TITLE_HEIGHT)


def _to_unit(panel: Panel) -> np.ndarray:
    low, high = panel.limits
    return (panel.frames - low) / (high - low)


def _font(pixels: int, name: str = "DejaVu Sans") -> ImageFont.FreeTypeFont:
    from matplotlib import font_manager

    return ImageFont.truetype(font_manager.findfont(name), pixels)
