"""What does not beat: chest wall, lungs, liver, spine and aorta."""

import numpy as np

from step.domains.mri.phantom.anatomy import Patient
from step.domains.mri.phantom.canvas import Canvas, Grid, ellipse_distance, sample_texture

N_VESSELS = 16


def paint_torso(grid: Grid, patient: Patient, level: float, generator: np.random.Generator) -> np.ndarray:
    """Return the magnitude (y, x) of the chest around the heart, which lies near the grid's centre.

    `level` goes from 0 (base of the heart) to 1 (apex), towards the liver. What lies beyond the field of view
    is cut off, as a scanner's oversampling and saturation bands do.
    """
    signal = patient.signal
    across, down = (coordinate / patient.build for coordinate in grid.turned((0, 0), patient.tilt_rad))
    grain, shading = (sample_texture(generator, 24, *band)(down, across) for band in ((18, 45), (40, 90)))
    canvas = Canvas(grid, np.zeros_like(grain))

    def paint(y: float, x: float, half_y: float, half_x: float, value: np.ndarray) -> None:
        canvas.paint(ellipse_distance(across - x, down - y, half_x, half_y), value)

    # Centre and half-axes in mm of an average chest, seen from the heart, which lies in front and to the
    # left.
    skin, muscle, lung, mediastinum, spine = (
        (35, -30, 118, 168),
        (35, -30, 104, 150),
        (32, -30, 90, 134),
        (105, -40, 48, 40),
        (112, -40, 17, 19),
    )
    paint(*skin, signal.fat * (1 + 0.06 * grain))
    paint(*muscle, signal.muscle * (1 + 0.1 * grain))
    paint(*lung, signal.lung * (1 + 0.4 * np.maximum(grain, 0)))
    paint(*mediastinum, signal.muscle * (1.1 + 0.15 * shading))
    paint(*spine, 1.3 * signal.muscle * (1 + 0.1 * grain))
    aorta, liver, stomach = (78, -12, 11, 11), (98 - 22 * level, -92, 62, 78), (108 - 22 * level, 48, 44, 50)
    paint(*aorta, 0.9 + 0.03 * grain)
    paint(*liver, signal.liver * (1 + 0.12 * shading + 0.08 * grain))
    paint(*stomach, signal.muscle * (0.9 + 0.3 * shading))
    _paint_vessels(canvas, grid, patient, generator)
    return canvas.image


def _paint_vessels(canvas: Canvas, grid: Grid, patient: Patient, generator: np.random.Generator) -> None:
    """Paint the vessels of the lungs, of which a plane sees short pieces."""
    for _ in range(N_VESSELS):
        y, x = generator.uniform(-55, 95), generator.uniform(-100, 100)
        along, across = grid.turned((y * patient.build, x * patient.build), generator.uniform(0, np.pi))
        length, width = generator.uniform(1, 5), generator.uniform(0.8, 2)
        canvas.paint(ellipse_distance(along, across, length, width), generator.uniform(0.2, 0.8))
