"""Where the simulated raw files of a patient lie."""

from pathlib import Path

VIEWS = ("sax", "lax")


def patient_folder(root: Path, coils: str, patient: str) -> Path:
    """Return the folder of a simulated patient's files; `coils` is single or multi."""
    return root / "ChallengeData" / f"{coils.capitalize()}Coil" / "Cine" / "TrainingSet" / "FullSample" / patient


def patient_file(root: Path, coils: str, patient: str, view: str) -> Path:
    """Return the path of a simulated patient's file of `view`, sax or lax."""
    return patient_folder(root, coils, patient) / f"cine_{view}.mat"
