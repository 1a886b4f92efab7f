"""How the left ventricle's size depends on the place along its axis and on the beat."""

import numpy as np

from step.domains.mri.phantom.anatomy import Patient


def ventricle_radii(patient: Patient, level: float, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return inner and outer mean radius in mm, as `state`, of the left ventricle in a plane fixed in space.

    `level` is 0 at the base and 1 at the apex, `state` 0 at end diastole and 1 at end systole. The base moves
    towards the apex by `shortening`, so the plane sees tissue from nearer the base. The pool's area falls so
    that area times length loses the ejection fraction; the wall keeps its volume and so thickens.
    """
    beat, heart = patient.beat, patient.heart
    length = 1 - beat.shortening * state
    tissue = np.clip((level - beat.shortening * state) / length, 0, 1)
    rest = heart.radius_mm * np.sqrt(np.maximum(1 - tissue**2.2, 0.01))
    kept = (1 - beat.ejection_fraction) / (1 - beat.shortening)
    inner = rest * np.sqrt(1 - (1 - kept) * state)
    wall = heart.wall_mm * (1 - 0.3 * tissue)
    outer = np.sqrt(inner**2 + ((rest + wall) ** 2 - rest**2) / length)
    return inner, outer
