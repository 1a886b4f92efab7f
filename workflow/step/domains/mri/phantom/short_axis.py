"""The beating heart cut across its long axis."""

import math
from dataclasses import dataclass

import numpy as np

from step.domains.mri.phantom.anatomy import Patient, streaming
from step.domains.mri.phantom.canvas import Canvas, Grid, ellipse_distance, sample_texture
from step.domains.mri.phantom.ventricle import ventricle_radii


@dataclass(frozen=True)
class _Slice:
    """One slice's geometry over time; arrays broadcast to (time, y, x), lengths in mm."""

    patient: Patient
    level: float
    state: np.ndarray
    along: np.ndarray  # from the left ventricle's centre towards the right ventricle
    across: np.ndarray
    inner: np.ndarray
    outer: np.ndarray
    angle: np.ndarray  # material angle about the left ventricle's centre
    fresh: np.ndarray  # signal of the blood, relative to its mean: fresh blood is bright, fast blood dark


def paint_short_axis(
    grid: Grid,
    patient: Patient,
    torso: np.ndarray,
    level: float,
    state: np.ndarray,
    generator: np.random.Generator,
) -> np.ndarray:
    """Return the magnitudes (time, y, x) of the slice at `level`, for the contraction `state` (time,).

    `level` is 0 at the base and 1 at the apex, `state` 0 at end diastole and 1 at end systole.
    """
    cut = _place_slice(grid, patient, level, state[:, None, None].astype(np.float32))
    canvas = Canvas(grid, torso)
    muscle, blood = _sample_tissues(cut, generator)
    _paint_fat(canvas, cut)
    _paint_right_ventricle(canvas, cut, muscle, blood)
    _paint_left_ventricle(canvas, cut, muscle, blood)
    return canvas.image


def _place_slice(grid: Grid, patient: Patient, level: float, state: np.ndarray) -> _Slice:
    heart, beat = patient.heart, patient.beat
    y, x = (c + d * state for c, d in zip(heart.centre_mm, beat.drift_mm, strict=True))
    along, across = grid.turned((y, x), heart.septum_rad)
    # Tissue turns with the torsion, in opposite senses at base and apex.
    angle = np.arctan2(across, along) - np.float32(beat.torsion_rad * (level - 0.4)) * state
    fresh = 1 - np.float32(beat.inflow * (1 - level)) * streaming(state)
    return _Slice(patient, level, state, along, across, *ventricle_radii(patient, level, state), angle, fresh)


def _sample_tissues(cut: _Slice, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the signals of muscle and blood, with textures that move with the tissue."""
    grain, flow = (sample_texture(generator, 6, 20, 60) for _ in range(2))
    rest = np.hypot(cut.along, cut.across) * (np.float32(cut.patient.heart.radius_mm) / cut.outer)
    swirled = cut.angle + np.float32(cut.patient.beat.swirl_rad) * cut.state
    muscle = cut.patient.signal.muscle * (1 + 0.1 * grain(rest * np.sin(cut.angle), rest * np.cos(cut.angle)))
    return muscle, cut.fresh * (1 + 0.06 * flow(rest * np.sin(swirled), rest * np.cos(swirled)))


def _paint_fat(canvas: Canvas, cut: _Slice) -> None:
    """Paint the fat in which both ventricles lie; it follows them half-way."""
    heart = cut.patient.heart
    right, outer, fat = _right_size(cut.level) * heart.right_mm, (cut.outer + cut.outer.max()) / 2, heart.fat_mm
    edge = ellipse_distance(cut.along - right / 2, cut.across, outer + right / 2 + fat, outer + fat)
    canvas.paint(edge, cut.patient.signal.fat)


def _paint_right_ventricle(canvas: Canvas, cut: _Slice, muscle: np.ndarray, blood: np.ndarray) -> None:
    size = _right_size(cut.level)
    if size < 0.3:
        return
    reach = cut.outer + np.float32(cut.patient.heart.right_mm * size) * (1 - 0.5 * cut.state)
    half_across = cut.outer * (1.05 - 0.12 * cut.state) * (0.55 + 0.45 * size)
    # The ellipse starts inside the left ventricle, which is painted over it and leaves a crescent.
    start = 0.1 * cut.outer
    edge = ellipse_distance(cut.along - (reach + start) / 2, cut.across, (reach - start) / 2, half_across)
    canvas.paint(edge + 3.5, muscle)
    canvas.paint(edge, blood)


def _paint_left_ventricle(canvas: Canvas, cut: _Slice, muscle: np.ndarray, blood: np.ndarray) -> None:
    heart, radius = cut.patient.heart, np.hypot(cut.along, cut.across)
    shape = 1 + np.float32(heart.ellipticity) * np.cos(2 * cut.angle)
    canvas.paint(cut.outer * shape - radius, muscle)
    canvas.paint(cut.inner * (shape + _folds(cut)) - radius, blood)
    if not 0.2 < cut.level < 0.75:
        return
    for direction, size in zip(heart.papillary_rad, heart.papillary_mm, strict=True):
        # They stand on the wall, keep their size while the pool shrinks, and take most of it in systole.
        y, x = ((cut.inner - 0.8 * size) * turn(direction) for turn in (math.sin, math.cos))
        canvas.paint(size - np.hypot(cut.across - y, cut.along - x), muscle)


def _folds(cut: _Slice) -> np.ndarray:
    """Return by how much of its radius the inner wall is folded: more in systole, and not along the septum."""
    folds = sum(size * np.cos(order * cut.angle + np.float32(at)) for order, size, at in cut.patient.heart.trabeculae)
    return np.asarray(folds * (0.4 + 0.8 * cut.state) * (1 - np.cos(cut.angle)) / 2, np.float32)


def _right_size(level: float) -> float:
    """Return the right ventricle's size relative to the base; it ends before the left one."""
    return float(np.sqrt(max(1 - (level / 0.9) ** 2, 0)))
