"""One simulated patient, from random anatomy to raw files."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from step.domains.mri.phantom.anatomy import Patient, contraction, sample_patient
from step.domains.mri.phantom.canvas import Grid, make_grid
from step.domains.mri.phantom.layout import patient_file
from step.domains.mri.phantom.long_axis import paint_long_axis
from step.domains.mri.phantom.matlab import write_kspace
from step.domains.mri.phantom.receiver import (
    N_COILS,
    sample_coil_maps,
    sample_object_phase,
    surface_shading,
    to_kspace,
)
from step.domains.mri.phantom.settings import PatientSimulation
from step.domains.mri.phantom.short_axis import paint_short_axis
from step.domains.mri.phantom.torso import paint_torso
from step.seeds import derive_seed

RIGHT_HEART_SEEN = (1.0, 0.0, 0.5)
"""Of the four-, two- and three-chamber view, the long-axis slices in the order of the challenge's files."""


def simulate_patient(settings: PatientSimulation, name: str, root: Path) -> None:
    """Write the fully sampled files of the patient `name`, e.g. ``P001``, under `root`.

    The patient depends on the study's seed and its own name alone, not on who else is simulated; the heart is
    the same whatever the coils and the noise.
    """
    patient = sample_patient(_generator(settings, name, "anatomy"))
    for view, n_slices in (("sax", settings.short_axis_slices), ("lax", settings.long_axis_slices)):
        if n_slices:
            tissue, receiver = (_generator(settings, name, view, part) for part in ("tissue", "receiver"))
            matrix = settings.matrix_sizes[tissue.integers(len(settings.matrix_sizes))]
            grid = make_grid(matrix, settings.pixel_mm)
            magnitudes = simulate_magnitudes(settings, patient, view, n_slices, grid, tissue)
            multi = settings.coils == "multi"
            write_kspace(
                patient_file(root, settings.coils, name, view),
                "kspace_full" if multi else "kspace_single_full",
                (settings.frames, n_slices, *((N_COILS,) if multi else ()), *matrix),
                _acquire(settings, patient, magnitudes, grid, receiver),
            )


def simulate_magnitudes(
    settings: PatientSimulation,
    patient: Patient,
    view: str,
    n_slices: int,
    grid: Grid,
    generator: np.random.Generator,
) -> Iterator[np.ndarray]:
    """Yield the magnitudes (time, y, x) of a patient's slices of `view`, relative to blood in the heart's middle."""
    state = contraction(patient.beat, settings.frames)
    shading = surface_shading(grid, patient.signal.reach_mm)
    for number in range(n_slices):
        if view == "sax":
            # From just below the valves to just above the apex.
            level = 0.08 + 0.8 * (number + 0.5) / n_slices
            torso = paint_torso(grid, patient, level, generator)
            yield shading * paint_short_axis(grid, patient, torso, level, state, generator)
        else:
            torso = paint_torso(grid, patient, 0.5, generator)
            right = RIGHT_HEART_SEEN[number % len(RIGHT_HEART_SEEN)]
            yield shading * paint_long_axis(grid, patient, torso, right, state, generator)


def _acquire(
    settings: PatientSimulation,
    patient: Patient,
    magnitudes: Iterable[np.ndarray],
    grid: Grid,
    generator: np.random.Generator,
) -> Iterator[np.ndarray]:
    """Yield the k-space (time, [coil,] ky, kx) of slices with `magnitudes` (time, y, x)."""
    rotation = patient.peak * np.exp(1j * sample_object_phase(grid, generator))
    if settings.coils == "multi":
        rotation = rotation * sample_coil_maps(grid, generator)
    for magnitude in magnitudes:
        relative = np.expand_dims(magnitude / magnitude.max(), tuple(range(1, rotation.ndim - 1)))
        yield to_kspace(relative * rotation.astype(np.complex64), settings.noise * patient.peak, generator)


def _generator(settings: PatientSimulation, *names: str) -> np.random.Generator:
    return np.random.default_rng(derive_seed(settings.seed, "heart", *names))
