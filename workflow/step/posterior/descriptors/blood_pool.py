"""The blood in a ventricle: where it is, how its area changes over a beat, and which part of it is ejected.

Blood is bright and muscle dark in a cine of balanced steady-state free precession. The pool is looked for once, in one
video, and its area is measured in as many as there are: samples and truth are compared within the same region.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

CENTRE = 0.5
"""Share of each side of the frame in which the heart is looked for: cines are planned with it in the middle."""

SMALLEST_POOL = 0.002
LARGEST_POOL = 0.08
"""Area of a ventricle's pool as a share of the frame, between which it is looked for."""

SMALLEST_CHANGE = 0.01
"""Temporal deviation along the edge of what beats, at least, in units of the video's largest brightness."""


@dataclass(frozen=True)
class BloodPool:
    """Where the blood of one ventricle is at its widest, and what brightness tells it from muscle."""

    region: np.ndarray  # (y, x) bool
    muscle: float  # brightness of the wall
    blood: float  # brightness of the pool

    def areas(self, videos: np.ndarray) -> np.ndarray:
        """Return the area of the blood (video, time), pixels, in `videos` (video, time, y, x).

        A pixel between muscle and blood counts by its brightness, so that edges do not jump from pixel to pixel.
        """
        inside = videos[..., self.region].astype(np.float64)
        return np.clip((inside - self.muscle) / (self.blood - self.muscle), 0, 1).sum(axis=-1)


def find_blood_pool(video: np.ndarray) -> BloodPool | None:
    """Return the pool of `video` (time, y, x) that is roundest and changes most, None where nothing looks like one.

    Brightness is divided in two (Otsu 1979) in the middle of the frames. Each connected bright area of each frame is
    scored by its roundness, ``4 pi A / P^2`` with ``P`` its perimeter, times the temporal deviation along its edge. The
    pool is followed from the best one through the beat; its region is all that it covers at any time, and a pixel
    around.
    """
    middle = tuple(slice(round(n * (1 - CENTRE) / 2), round(n * (1 + CENTRE) / 2)) for n in video.shape[1:])
    threshold = otsu_threshold(video[(slice(None), *middle)])
    if threshold is None:
        return None
    moving = video.std(axis=0)
    candidates = [area for frame in video for area in _bright_areas(frame > threshold, middle)]
    candidates = [area for area in candidates if moving[_edge(area)].mean() > SMALLEST_CHANGE * video.max()]
    if not candidates:
        return None
    scores = [_roundness(area) * moving[_edge(area)].mean() for area in candidates]
    core = candidates[int(np.argmax(scores))]
    largest = LARGEST_POOL * core.size
    covered = core.copy()
    for frame in video:
        labels, _ = ndimage.label(frame > threshold)
        touched = np.bincount(labels[core], minlength=labels.max() + 1)
        touched[0] = 0
        if touched.any():
            area = labels == touched.argmax()
            covered |= area if area.sum() <= largest else area & _near(core)
    region = ndimage.binary_dilation(covered)
    inside = video[:, region]
    bright = inside > threshold
    if bright.all() or not bright.any():
        return None
    return BloodPool(region, float(np.median(inside[~bright])), float(np.median(inside[bright])))


def otsu_threshold(values: np.ndarray, bins: int = 64) -> float | None:
    """Return the brightness that divides `values` into two classes of least variance, None of constant ones."""
    counts, edges = np.histogram(values, bins=bins)
    if edges[0] == edges[-1] or (counts > 0).sum() < 2:
        return None
    centres = (edges[:-1] + edges[1:]) / 2
    below = counts.cumsum()[:-1]
    above = counts.sum() - below
    sums = (counts * centres).cumsum()
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums[:-1] / below - (sums[-1] - sums[:-1]) / above) ** 2
    return float(edges[1 + int(np.nanargmax(between))])


def _bright_areas(bright: np.ndarray, middle: tuple[slice, ...]) -> list[np.ndarray]:
    """Return the connected areas (y, x) of `bright` of a pool's size with their centre in the `middle`."""
    labels, n_areas = ndimage.label(bright)
    sizes = np.bincount(labels.ravel(), minlength=n_areas + 1)[1:] / bright.size
    fitting = 1 + np.flatnonzero((sizes >= SMALLEST_POOL) & (sizes <= LARGEST_POOL))
    centres = ndimage.center_of_mass(bright, labels, fitting)
    within = [all(s.start <= at < s.stop for s, at in zip(middle, centre, strict=True)) for centre in centres]
    return [labels == label for label, is_within in zip(fitting, within, strict=True) if is_within]


def _edge(area: np.ndarray) -> np.ndarray:
    return ndimage.binary_dilation(area) & ~ndimage.binary_erosion(area)


def _near(area: np.ndarray) -> np.ndarray:
    """Return where (y, x) is nearer to `area` than a third of its equivalent radius."""
    radius = np.sqrt(area.sum() / np.pi)
    return ndimage.distance_transform_edt(~area) <= radius / 3


def _roundness(area: np.ndarray) -> float:
    """Return ``4 pi A / P^2``, about 1 of a disc; the perimeter by crossings along four directions (Crofton)."""
    padded = np.pad(area, 1)
    straight = (np.diff(padded, axis=0) != 0).sum() + (np.diff(padded, axis=1) != 0).sum()
    diagonal = (padded[1:, 1:] != padded[:-1, :-1]).sum() + (padded[1:, :-1] != padded[:-1, 1:]).sum()
    perimeter = np.pi / 8 * (straight + diagonal / np.sqrt(2))
    return float(4 * np.pi * area.sum() / perimeter**2)
