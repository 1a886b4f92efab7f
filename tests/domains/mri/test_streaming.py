import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from raw_files import random_image, to_kspace, write_mat
from step.domains.mri import ingest as ingest_mri
from step.domains.mri import prepare as prepare_mri
from step.domains.mri.video_format import CineFormat
from step.io.sequences import read_sequences
from step.io.videos import read_columns

STATUS = Path("/proc/self/status")
FORMAT = CineFormat(frames=12, crop=32, resolution=32, scale="peak", peak=1.0, reference_phase=True, window_stride=12)


def write_patient(root, n_sequences: int) -> None:
    """Write the raw file of a patient with `n_sequences` slices."""
    image = np.repeat(random_image((12, 1, 32, 32)), n_sequences, axis=1)
    name = f"TrainingSet/FullSample/P{n_sequences:03d}/cine_sax.mat"
    write_mat(root / "raw" / name, "kspace_single_full", to_kspace(image))


def run(root, ingestion, subject: str) -> None:
    raw, prepared = root / f"{subject}.h5", root / f"{subject}-prepared.h5"
    ingest_mri.ingest(ingestion, root / "raw", [subject], raw)
    prepare_mri.prepare(FORMAT, raw, prepared)


def write_multi_coil_patient(root, name: str, n_coils: int = 6) -> None:
    """Write a patient's fully sampled k-space of several coils, as an archive of any format has it."""
    image = random_image((12, 1, 32, 32))[:, 0]
    maps = np.exp(2j * np.pi * np.arange(n_coils) / n_coils)[:, None, None] * np.linspace(0.5, 1, 32)
    kspace = to_kspace(maps * image[:, None]).astype(np.complex64)
    (root / "raw" / name).mkdir(parents=True)
    np.savez(root / "raw" / name / "scan.npz", kspace=kspace)


def run_all(root, ingestion, subjects: str) -> None:
    ingest_mri.ingest(ingestion, root / "raw", subjects.split(), root / "all.h5")


def peak_mb(root, ingestion, subject: str, work: str = "run") -> float:
    """Return the peak memory of ingesting and preparing `subject` in a process of its own."""
    program = (
        "import sys; from pathlib import Path; sys.path[:0] = sys.argv[1].split(':');"
        "import test_streaming as t; from step.domains.mri.ingest import Settings as Ingestion;"
        "settings = Ingestion.model_validate_json(sys.argv[3]);"
        "print(t.own_peak_mb(lambda: getattr(t, sys.argv[5])(Path(sys.argv[2]), settings, sys.argv[4])))"
    )
    folders = ":".join([str(Path(__file__).parent), *sys.path])
    arguments = [sys.executable, "-c", program, folders, str(root), ingestion.model_dump_json(), subject, work]
    # glibc gives large arrays back to the system at once, as those of real sequences are; here smaller ones count too,
    # so that holes between them are not taken for what is kept.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "32768"}
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, env=environment)
    return float(done.stdout)


def own_peak_mb(work: Callable[[], None]) -> float:
    """Return the most memory of its own that this process has during `work`, pages of libraries and files left out."""
    seen, done = [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.002):
            seen.append(int(re.search(r"RssAnon:\s+(\d+) kB", STATUS.read_text())[1]))

    watcher = threading.Thread(target=watch)
    watcher.start()
    work()
    done.set()
    watcher.join()
    return max(seen) / 1024


@pytest.mark.long
@pytest.mark.skipif(not STATUS.exists(), reason="only Linux tells a process's own memory")
def test_memory_does_not_grow_with_the_number_of_sequences(tmp_path, ingestion):
    # The smaller number fills the pools of about 24 MB that HDF5 keeps.
    numbers = (300, 750)
    for n_sequences in numbers:
        write_patient(tmp_path, n_sequences)
    few, many = (peak_mb(tmp_path, ingestion, f"TrainingSet-P{n:03d}") for n in numbers)
    # The 450 sequences more are 42 MB as images and as many as videos.
    assert many - few < 12
    rows = read_columns(tmp_path / "TrainingSet-P750-prepared.h5", ["video"])
    assert len(rows) == 750


@pytest.mark.long
@pytest.mark.skipif(not STATUS.exists(), reason="only Linux tells a process's own memory")
def test_many_patients_of_several_coils_need_no_more_memory_than_a_few(tmp_path):
    names = [f"P{number:03d}" for number in range(61)]
    for name in names:
        write_multi_coil_patient(tmp_path, name)
    settings = ingest_mri.Settings(layout="kspace_archive", exclude=(), views=(), frames=12, phase=None)
    few = peak_mb(tmp_path, settings, " ".join(names[:1]), "run_all")
    many = peak_mb(tmp_path, settings, " ".join(names), "run_all")
    one_mb = 12 * 6 * 32 * 32 * 8 / 1e6  # a patient's k-space
    assert many - few < 60 * one_mb / 3
    assert len({one.subject for one in read_sequences(tmp_path / "all.h5")}) == len(names)
