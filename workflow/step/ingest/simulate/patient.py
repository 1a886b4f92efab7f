"""One simulated patient, from random anatomy to raw files."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from step.ingest.simulate.anatomy import Patient, contraction, draw_patient
from step.ingest.simulate.drawing import Grid, make_grid
from step.ingest.simulate.layout import patient_file
from step.ingest.simulate.long_axis import paint_long_axis
from step.ingest.simulate.matlab import write_kspace
from step.ingest.simulate.receiver import N_COILS, draw_coil_maps, draw_object_phase, to_kspace
from step.ingest.simulate.settings import PatientSimulation
from step.ingest.simulate.short_axis import paint_short_axis
from step.ingest.simulate.torso import paint_torso
from step.seeds import derive_seed

RIGHT_HEART_SEEN = (1.0, 0.0, 0.5)
"""Of the four-, two- and three-chamber view, the long-axis slices in the order of the challenge's files."""


def simulate_patient(settings: PatientSimulation, name: str, root: Path) -> None:
    """Write the fully sampled files of the patient `name`, e.g. ``P001``, under `root`.

    The patient depends on the study's seed and its own name alone, not on who else is simulated.
    """
    generator = np.random.default_rng(derive_seed(settings.seed, "heart", name))
    patient = draw_patient(generator)
    for view, n_slices in (("sax", settings.short_axis_slices), ("lax", settings.long_axis_slices)):
        if n_slices:
            matrix = settings.matrix_sizes[generator.integers(len(settings.matrix_sizes))]
            coils = (N_COILS,) if settings.coils == "multi" else ()
            variable = "kspace_full" if settings.coils == "multi" else "kspace_single_full"
            write_kspace(
                patient_file(root, settings.coils, name, view),
                variable,
                (settings.frames, n_slices, *coils, *matrix),
                _acquire(settings, patient, view, n_slices, matrix, generator),
            )


def simulate_magnitudes(
    settings: PatientSimulation,
    patient: Patient,
    view: str,
    n_slices: int,
    grid: Grid,
    generator: np.random.Generator,
) -> Iterator[np.ndarray]:
    """Yield the magnitudes (time, y, x) of a patient's slices of `view`, relative to blood."""
    state = contraction(patient.beat, settings.frames)
    for number in range(n_slices):
        if view == "sax":
            # From just below the valves to just above the apex.
            level = 0.08 + 0.8 * (number + 0.5) / n_slices
            torso = paint_torso(grid, patient, level, generator)
            yield paint_short_axis(grid, patient, torso, level, state, generator)
        else:
            torso = paint_torso(grid, patient, 0.5, generator)
            right = RIGHT_HEART_SEEN[number % len(RIGHT_HEART_SEEN)]
            yield paint_long_axis(grid, patient, torso, right, state, generator)


def _acquire(
    settings: PatientSimulation,
    patient: Patient,
    view: str,
    n_slices: int,
    matrix: tuple[int, int],
    generator: np.random.Generator,
) -> Iterator[np.ndarray]:
    """Yield the k-space (time, [coil,] ky, kx) of a patient's slices of `view`."""
    grid = make_grid(matrix, settings.pixel_mm)
    rotation = patient.peak * np.exp(1j * draw_object_phase(grid, generator))
    if settings.coils == "multi":
        rotation = rotation * draw_coil_maps(grid, generator)
    for magnitude in simulate_magnitudes(settings, patient, view, n_slices, grid, generator):
        relative = magnitude / magnitude.max()
        image = (relative[:, None] if settings.coils == "multi" else relative) * rotation.astype(np.complex64)
        yield to_kspace(image, settings.noise * patient.peak, generator)
