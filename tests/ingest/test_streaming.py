import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
from raw_files import random_image, to_kspace, write_mat
from step.ingest import mri as ingest_mri
from step.io.videos import read_columns
from step.prepare import mri as prepare_mri
from step.prepare.settings import CineFormat

FORMAT = CineFormat(frames=12, crop=32, resolution=32, scale="peak", reference_phase=True, window_stride=12)


def write_patient(root, n_sequences: int) -> None:
    """Write the raw file of a patient with `n_sequences` slices."""
    image = np.repeat(random_image((12, 1, 32, 32)), n_sequences, axis=1)
    name = f"TrainingSet/FullSample/P{n_sequences:03d}/cine_sax.mat"
    write_mat(root / "raw" / name, "kspace_single_full", to_kspace(image))


def run(root, ingestion, subject: str) -> None:
    raw, prepared = root / f"{subject}.h5", root / f"{subject}-prepared.h5"
    ingest_mri.ingest(ingestion, root / "raw", [subject], raw)
    prepare_mri.prepare(FORMAT, raw, prepared)


def peak_mb(root, ingestion, subject: str) -> float:
    """Return the peak memory of ingesting and preparing `subject` in a process of its own."""
    program = (
        "import sys; from pathlib import Path; sys.path[:0] = sys.argv[1].split(':');"
        "import test_streaming as t; from step.ingest.mri import Settings as Ingestion;"
        "settings = Ingestion.model_validate_json(sys.argv[3]);"
        "t.run(Path(sys.argv[2]), settings, sys.argv[4]); print(t.own_peak_mb())"
    )
    folders = ":".join([str(Path(__file__).parent), *sys.path])
    arguments = [sys.executable, "-c", program, folders, str(root), ingestion.model_dump_json(), subject]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    return float(done.stdout)


def own_peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def test_memory_does_not_grow_with_the_number_of_sequences(tmp_path, ingestion):
    for n_sequences in (50, 500):
        write_patient(tmp_path, n_sequences)
    few, many = (peak_mb(tmp_path, ingestion, f"TrainingSet-P{n:03d}") for n in (50, 500))
    # The 450 sequences more are 42 MB as images and as many as videos.
    assert many - few < 12
    rows = read_columns(tmp_path / "TrainingSet-P500-prepared.h5", ["video"])
    assert len(rows) == 500
