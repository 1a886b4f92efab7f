"""Lengths and times as pictures and videos say them: scale bars, clocks, and spans of time without data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

LENGTH_UNITS = {"uas": "µas", "mm": "mm", "pixel": "pixels"}
TIME_LABELS = {"UTC h": "UTC", "s": "time [s]", "frame": "frame"}

TICK_MINUTES = (1, 2, 5, 10, 20, 30, 60, 120, 240)
MOST_TICKS = 7

BAR_SHARE = 0.4  # a scale bar is at most this share of the frame's width


@dataclass(frozen=True)
class ScaleBar:
    """A bar of a round length."""

    pixels: float  # its length in pixels of the video
    label: str


def scale_bar(n_pixels: int, pixel_size: float, unit: str) -> ScaleBar:
    """Return the longest bar of 1, 2 or 5 times a power of ten that takes `BAR_SHARE` of a frame, or less.

    The frame is `n_pixels` wide, a pixel has the side `pixel_size` in `unit`, one of `LENGTH_UNITS`.
    """
    longest = BAR_SHARE * n_pixels * pixel_size
    power = 10.0 ** np.floor(np.log10(longest))
    length = power * max(digit for digit in (1, 2, 5) if digit * power <= longest)
    return ScaleBar(length / pixel_size, f"{length:g} {LENGTH_UNITS[unit]}")


def plot_scale_bar(axes: Axes, bar: ScaleBar, n_rows: int) -> None:
    """Plot `bar` into the lower left of a frame of `n_rows` pixels, its label above its beginning."""
    from matplotlib.patheffects import withStroke

    # White on black: it is read on whatever the frame shows beneath it.
    outline = [withStroke(linewidth=2.5, foreground="black")]
    left, bottom = 0.06 * n_rows, 0.94 * n_rows
    axes.plot([left, left + bar.pixels], [bottom, bottom], color="white", linewidth=1.5, path_effects=outline)
    above = left, bottom - 0.03 * n_rows
    axes.annotate(bar.label, above, color="white", ha="left", va="bottom", fontsize=6, path_effects=outline)


def clock(time: float, unit: str) -> str:
    """Return what a clock shows at `time` in `unit`, one of `TIME_LABELS`."""
    if unit == "UTC h":
        return f"{hours_minutes_seconds(time)} UTC"
    return f"t = {time:.2f} s" if unit == "s" else f"frame {time:.0f}"


def clocks(times: np.ndarray, unit: str, with_data: np.ndarray) -> list[str]:
    """Return what a clock shows at each of `times` (time,), and where there are no data that there are none."""
    texts = [clock(time, unit) for time in times]
    return [text if seen else f"{text}, no data" for text, seen in zip(texts, with_data, strict=True)]


def hours_minutes_seconds(time_h: float) -> str:
    """Return `time_h`, rounded to seconds, as hh:mm:ss of its day."""
    minutes, seconds = divmod(round(time_h * 3600), 60)
    return f"{minutes // 60 % 24:02}:{minutes % 60:02}:{seconds:02}"


def tell_utc(axis: Axis, first_h: float, last_h: float) -> None:
    """Mark `axis`, whose values are hours, as hh:mm, with `MOST_TICKS` or fewer from `first_h` to `last_h`."""
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    enough = [minutes for minutes in TICK_MINUTES if (last_h - first_h) * 60 / minutes < MOST_TICKS]
    axis.set_major_locator(MultipleLocator((enough or TICK_MINUTES[-1:])[0] / 60))
    axis.set_major_formatter(FuncFormatter(lambda time_h, _: hours_minutes_seconds(time_h)[:5]))


def frame_edges(times: np.ndarray) -> np.ndarray:
    """Return (time + 1,): where frames begin and end that are seen at `times` (time,), halfway between neighbours."""
    if len(times) == 1:
        return times[0] + np.array([-0.5, 0.5])
    between = (times[:-1] + times[1:]) / 2
    return np.concatenate([[2 * times[0] - between[0]], between, [2 * times[-1] - between[-1]]])


def spans_without_data(edges: np.ndarray, with_data: np.ndarray) -> list[tuple[float, float]]:
    """Return begin and end of each run of frames without data; `edges` (time + 1,), `with_data` (time,) of bool."""
    turns = np.flatnonzero(np.diff(np.concatenate([[True], with_data, [True]]).astype(int)))
    return [(float(edges[first]), float(edges[end])) for first, end in turns.reshape(-1, 2)]


def evenly_spaced(n_frames: int, n_shown: int) -> np.ndarray:
    """Return `n_shown` frames from the first to the last of `n_frames`, all of them where there are fewer."""
    return np.unique(np.linspace(0, n_frames - 1, n_shown).round().astype(int))
