"""The blood in a ventricle: where it is, how its area changes over a beat, and which part of it is ejected.

Blood is bright and muscle dark in a cine of balanced steady-state free precession. The pool is looked for once, in one
video, and its area is measured in as many as there are: samples and truth are compared within the same region.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

N_RAYS = 48
STEP = 0.25
"""Rays along which the wall is followed, and pixels between places along them."""

CENTRE = 0.5
"""Share of each side of the frame in which the heart is looked for: cines are planned with it in the middle."""

SMALLEST_POOL = 0.002
LARGEST_POOL = 0.08
"""Area of a ventricle's pool as a share of the frame, between which it is looked for."""

WALL_REACH = 3.0
"""How far from the pool's centre its wall may reach, in radii of its region."""

SMALLEST_WALL = 1.0
"""Pixels of muscle that are a wall: an edge from blood to what is darker passes through its brightness, too."""

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

    def wall_thickness(self, videos: np.ndarray) -> np.ndarray:
        """Return how thick the wall around the blood is (video, time), pixels, nan where no ray crosses one.

        Along rays from the region's centre, the muscle's brightness begins where it falls below half-way between blood
        and muscle, and ends where it rises above that again, or falls as far below muscle: fat, the other ventricle's
        blood, or lung. It is the median over the rays that find both ends within the reach of `WALL_REACH` radii of the
        region; those through the septum and through the free wall count alike.
        """
        centre = np.argwhere(self.region).mean(axis=0)
        radius = np.sqrt(self.region.sum() / np.pi)
        angles = 2 * np.pi * np.arange(N_RAYS) / N_RAYS
        reach = np.arange(0, WALL_REACH * radius, STEP)
        places = centre[:, None, None] + np.stack([np.sin(angles), np.cos(angles)])[:, :, None] * reach
        return np.array([[self._thickness(frame, places) for frame in video] for video in videos])

    def _thickness(self, frame: np.ndarray, places: np.ndarray) -> float:
        """Return the median thickness, pixels, along rays at `places` (axis, ray, step) of one `frame`."""
        along = ndimage.map_coordinates(frame.astype(np.float64), places, order=1, mode="nearest")
        half = (self.blood + self.muscle) / 2
        is_muscle = np.abs(along - self.muscle) < half - self.muscle
        # From the edge of the blood outwards: a papillary muscle inside is not where the wall begins.
        blood_ends = [_last_of_first_run(ray > half) for ray in along]
        thickness = [
            STEP * _run_length(ray[end + 1 :])
            for ray, end in zip(is_muscle, blood_ends, strict=True)
            if end is not None
        ]
        found = [length for length in thickness if length >= SMALLEST_WALL]
        return float(np.median(found)) if len(found) >= N_RAYS // 4 else float("nan")


def _last_of_first_run(is_blood: np.ndarray) -> int | None:
    """Return the last step of the first run of blood, None where there is none."""
    if not is_blood.any():
        return None
    first = int(is_blood.argmax())
    run = is_blood[first:]
    return None if run.all() else first + int((~run).argmax()) - 1


def _run_length(is_muscle: np.ndarray) -> int:
    """Return how many steps from the first on are muscle; 0 where it does not end."""
    return 0 if is_muscle.all() else int((~is_muscle).argmax())


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
