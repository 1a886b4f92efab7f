"""Random anatomy and heart beat of one simulated patient.

Ranges are those of textbooks on adult cardiac MRI (ventricle sizes, ejection fractions, heart rates), from thick
and small to wide and failing hearts; they need only be plausible, so they are written where they are sampled rather
than in the configuration.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Beat:
    """How the heart of a patient moves."""

    ejection_fraction: float  # of the left ventricle
    systole: float  # share of the cycle from the R wave to end systole
    delay: float  # of the first frame after the R wave, share of the cycle
    shortening: float  # of the long axis, share of its length
    torsion_rad: float  # rotation of the apex against the base at end systole
    drift_mm: tuple[float, float]  # movement of the heart's centre (y, x) at end systole
    swirl_rad: float  # rotation of the blood against the wall at end systole
    inflow: float  # how much the blood's signal changes at the base while it streams fastest, share of it


@dataclass(frozen=True)
class Heart:
    """Shape of a heart at end diastole, and its place in the image."""

    centre_mm: tuple[float, float]  # (y, x) from the image's centre
    septum_rad: float  # direction from the left to the right ventricle
    axis_rad: float  # direction from base to apex in the long-axis view
    radius_mm: float  # of the left ventricle's pool at the base
    wall_mm: float  # thickness of its wall
    length_mm: float  # from base to apex
    right_mm: float  # width of the right ventricle at the base
    ellipticity: float  # relative amplitude of the pool's second harmonic
    papillary_rad: tuple[float, float]  # directions of the papillary muscles
    papillary_mm: tuple[float, float]  # their radii
    trabeculae: tuple[tuple[int, float, float], ...]  # folds of the inner wall: order, amplitude, phase
    fat_mm: float  # thickness of the fat around the heart


@dataclass(frozen=True)
class Signal:
    """Magnitudes of the tissues relative to blood."""

    muscle: float
    fat: float
    liver: float
    lung: float
    reach_mm: float  # depth behind the chest wall at which the surface coils see 1/e of the signal


@dataclass(frozen=True)
class Patient:
    """Everything that stays the same over a patient's slices."""

    beat: Beat
    heart: Heart
    signal: Signal
    build: float  # size of the chest relative to an average one
    tilt_rad: float  # rotation of the chest in the image
    peak: float  # largest magnitude of the images, raw units


def sample_patient(generator: np.random.Generator) -> Patient:
    """Return a random patient."""
    between = generator.uniform
    return Patient(
        beat=_sample_beat(generator),
        heart=_sample_heart(generator),
        signal=Signal(
            muscle=between(0.22, 0.42),
            fat=between(0.45, 0.95),
            liver=between(0.25, 0.5),
            lung=between(0.02, 0.1),
            reach_mm=between(140, 400),
        ),
        build=between(0.9, 1.15),
        tilt_rad=between(-0.4, 0.4),
        peak=between(2e-6, 4e-6),
    )


def contraction(beat: Beat, n_frames: int) -> np.ndarray:
    """Return the state of the heart (time,) over one cycle: 0 at end diastole, 1 at end systole.

    Systole is followed by rapid filling, a rest, and the last filling by the atria.
    """
    rest = beat.systole + 0.4 * (1 - beat.systole)
    times = np.array([0, beat.systole, rest, 0.5 * (rest + 1), 1])
    states = np.array([0, 1, 0.25, 0.18, 0])
    phase = (beat.delay + np.arange(n_frames) / n_frames) % 1
    piece = np.searchsorted(times, phase, side="right") - 1
    within = (phase - times[piece]) / np.diff(times)[piece]
    eased = (1 - np.cos(np.pi * within)) / 2
    return states[piece] + np.diff(states)[piece] * eased


def streaming(state: np.ndarray) -> np.ndarray:
    """Return how fast the ventricles empty (time,): 1 at the fastest, below 0 while they fill, over a cycle `state`."""
    speed = (np.roll(state, -1) - np.roll(state, 1)) / 2
    return speed / max(np.abs(speed).max(), np.finfo(state.dtype).tiny)


def _sample_beat(generator: np.random.Generator) -> Beat:
    between = generator.uniform
    # Systole lasts about 0.3 s at any heart rate, so its share of the cycle grows with the rate.
    rate_per_minute = between(50, 95)
    return Beat(
        ejection_fraction=between(0.35, 0.72),
        systole=0.3 * rate_per_minute / 60,
        # Scans are triggered by the R wave, with a delay that differs a little.
        delay=between(-0.08, 0.08),
        shortening=between(0.1, 0.18),
        torsion_rad=between(0.1, 0.25),
        drift_mm=(between(-3, 3), between(-3, 3)),
        swirl_rad=between(-0.8, 0.8),
        inflow=between(0.03, 0.18),
    )


def _sample_heart(generator: np.random.Generator) -> Heart:
    between = generator.uniform
    first_papillary = between(0, 2 * np.pi)
    return Heart(
        centre_mm=(between(-12, 12), between(-12, 12)),
        septum_rad=np.pi + between(-0.8, 0.8),
        axis_rad=between(0.3, 1.2),
        radius_mm=between(19, 31),
        wall_mm=between(6.5, 13),
        length_mm=between(78, 104),
        right_mm=between(20, 36),
        ellipticity=between(0, 0.08),
        papillary_rad=(first_papillary, first_papillary + between(1.8, 2.6)),
        papillary_mm=(between(3, 5.5), between(3, 5.5)),
        trabeculae=tuple((order, generator.normal(0, 0.03), between(0, 2 * np.pi)) for order in range(3, 9)),
        fat_mm=between(0.5, 7),
    )
