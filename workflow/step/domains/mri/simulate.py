"""The simulated patients of a study of beating hearts."""

from collections.abc import Sequence
from pathlib import Path

from step.domains.mri.data import MriData
from step.domains.mri.phantom.settings import PatientSimulation as Settings


def settings_of(data: MriData, seed: int) -> Settings:
    """Return the settings of the simulated patients; how many there are changes none of them."""
    return Settings(seed=seed, frames=data.frames, **data.simulation.model_dump(exclude={"patients"}))


def simulate(settings: Settings, subjects: Sequence[str], root: Path) -> None:
    """Write the raw files of `subjects`, e.g. ``TrainingSet-P001``, under `root`."""
    from step.domains.mri.phantom.patient import simulate_patient
    from step.progress import track

    for subject in track(subjects, "simulate", "patient"):
        _, patient = subject.split("-")
        simulate_patient(settings, patient, root)
