"""The beating heart cut along its long axis, with ventricles and atria."""

import math
from dataclasses import dataclass

import numpy as np

from step.domains.mri.phantom.anatomy import Patient, streaming
from step.domains.mri.phantom.canvas import Canvas, Grid, ellipse_distance, sample_texture
from step.domains.mri.phantom.ventricle import ventricle_radii

WIDEST_LEVEL = 0.2
"""Where along the axis the left ventricle's width is taken from; its long-axis outline is half an ellipse."""

ATRIUM_MM = 42
"""From the valves at end diastole to the back of the atria, which stays in place."""


@dataclass(frozen=True)
class _Slice:
    """One slice's geometry over time; arrays broadcast to (time, y, x), lengths in mm."""

    patient: Patient
    right: float  # how much of the right heart the plane sees
    state: np.ndarray
    along: np.ndarray  # from the heart's centre towards the apex
    across: np.ndarray  # away from the right heart
    inner: np.ndarray
    outer: np.ndarray
    valve: np.ndarray  # position of the mitral valve on `along`

    @property
    def apex(self) -> float:
        """Position of the inner apex on `along`."""
        return self.patient.heart.length_mm / 2

    @property
    def back(self) -> float:
        """Position of the atria's back on `along`."""
        return -self.patient.heart.length_mm / 2 - ATRIUM_MM


def paint_long_axis(
    grid: Grid,
    patient: Patient,
    torso: np.ndarray,
    right: float,
    state: np.ndarray,
    generator: np.random.Generator,
) -> np.ndarray:
    """Return the magnitudes (time, y, x) of a long-axis slice for the contraction `state` (time,).

    `right` is how much of the right heart the plane sees: 1 in the four-chamber view, 0 in the two-chamber
    view. The apex stays in place; the valves move towards it in systole and back in diastole.
    """
    cut = _place_slice(grid, patient, right, state[:, None, None].astype(np.float32))
    canvas = Canvas(grid, torso)
    muscle, blood = _sample_tissues(cut, generator)
    _paint_fat(canvas, cut)
    if right > 0:
        _paint_right_heart(canvas, cut, muscle, blood)
    _paint_left_heart(canvas, cut, muscle, blood)
    return canvas.image


def _place_slice(grid: Grid, patient: Patient, right: float, state: np.ndarray) -> _Slice:
    heart = patient.heart
    along, across = grid.turned(heart.centre_mm, heart.axis_rad)
    valve = heart.length_mm * (np.float32(patient.beat.shortening) * state - np.float32(0.5))
    radii = ventricle_radii(patient, WIDEST_LEVEL, state)
    return _Slice(patient, right, state, along, across, *radii, valve)


def _sample_tissues(cut: _Slice, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the signals of muscle and blood, with textures that move with the tissue."""
    grain, flow = (sample_texture(generator, 6, 20, 60) for _ in range(2))
    rest = cut.across * (np.float32(cut.patient.heart.radius_mm) / cut.outer)
    depth = (cut.along - cut.apex) * (cut.patient.heart.length_mm / (cut.apex - cut.valve))
    fresh = 1 - np.float32(cut.patient.beat.inflow / 2) * streaming(cut.state)
    return cut.patient.signal.muscle * (1 + 0.1 * grain(depth, rest)), fresh * (1 + 0.06 * flow(depth, rest))


def _paint_fat(canvas: Canvas, cut: _Slice) -> None:
    """Paint the fat around all chambers; it follows them half-way."""
    heart = cut.patient.heart
    right, outer, fat = cut.right * heart.right_mm, (cut.outer + cut.outer.max()) / 2, heart.fat_mm
    middle, half = (cut.apex + cut.back) / 2, (cut.apex - cut.back) / 2
    edge = ellipse_distance(cut.along - middle, cut.across + right / 2, half + 11 + fat, outer + right / 2 + fat)
    canvas.paint(edge, cut.patient.signal.fat)


def _paint_right_heart(canvas: Canvas, cut: _Slice, muscle: np.ndarray, blood: np.ndarray) -> None:
    width = np.float32(cut.right * cut.patient.heart.right_mm)
    # The right ventricle shortens more than the left one.
    valve = cut.valve + 0.3 * (cut.valve - cut.valve.min()) + 4
    inside, reach = 0.4 * cut.outer, 0.6 * cut.outer + width * (1 - 0.35 * cut.state)
    ventricle = ellipse_distance(cut.along - valve, cut.across + inside, 0.88 * (cut.apex - valve), reach)
    _paint_chamber(canvas, np.minimum(ventricle, cut.along - valve), 3.5, muscle, blood)
    centre = cut.outer.max() * 0.7 + width / 2
    _paint_atrium(canvas, cut, valve, cut.across + centre, 0.3 * cut.outer.max() + 0.45 * width, muscle, blood)


def _paint_left_heart(canvas: Canvas, cut: _Slice, muscle: np.ndarray, blood: np.ndarray) -> None:
    beyond = cut.along - cut.valve
    wall = ellipse_distance(beyond, cut.across, cut.apex - cut.valve + 0.6 * (cut.outer - cut.inner), cut.outer)
    canvas.paint(np.minimum(wall, beyond), muscle)
    canvas.paint(np.minimum(ellipse_distance(beyond, cut.across, cut.apex - cut.valve, cut.inner), beyond), blood)
    _paint_papillary_muscles(canvas, cut, muscle)
    _paint_atrium(canvas, cut, cut.valve, cut.across, 0.8 * cut.patient.heart.radius_mm, muscle, blood)
    # The mitral valve is shut in systole; open leaflets are too thin to be seen.
    canvas.paint(np.minimum(1.5 - np.abs(beyond), cut.inner - np.abs(cut.across)), blood + cut.state * (muscle - blood))


def _paint_papillary_muscles(canvas: Canvas, cut: _Slice, muscle: np.ndarray) -> None:
    """Paint them as rods on the wall, the longer the better the plane meets them: their directions say how well."""
    heart = cut.patient.heart
    for direction, size, side in zip(heart.papillary_rad, heart.papillary_mm, (-1, 1), strict=True):
        length = 0.18 * heart.length_mm * abs(math.sin(direction))
        middle = cut.apex - 0.42 * (cut.apex - cut.valve)
        edge = ellipse_distance(cut.along - middle, cut.across - side * (0.85 * cut.inner - size), length + size, size)
        canvas.paint(edge, muscle)


def _paint_atrium(
    canvas: Canvas,
    cut: _Slice,
    valve: np.ndarray,
    across: np.ndarray,
    half_across: float,
    muscle: np.ndarray,
    blood: np.ndarray,
) -> None:
    """Paint a chamber between the atria's back and its valve: it fills while the ventricle empties."""
    half = (valve - cut.back) / 2
    edge = ellipse_distance(cut.along - cut.back - half, across, half + 2, half_across)
    _paint_chamber(canvas, np.minimum(edge, valve - cut.along), 2.5, muscle, blood)


def _paint_chamber(canvas: Canvas, edge: np.ndarray, wall_mm: float, muscle: np.ndarray, blood: np.ndarray) -> None:
    canvas.paint(edge + wall_mm, muscle)
    canvas.paint(edge, blood)
