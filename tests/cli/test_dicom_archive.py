"""The stage `ingest` on archives of DICOM cines: who and what comes out, or the one line and the exit status."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_series import frames_of, write_cine
from step.__main__ import main
from step.cli import ingest
from step.config.settings import dump_settings
from step.config.study import BASE_CONFIG, Config, load_config, overlaid
from step.domains.mri.ingest import find_files
from step.io.sequences import read_sequences


@pytest.fixture(scope="module")
def config() -> Config:
    return load_config(BASE_CONFIG.with_name("demo.yaml"), BASE_CONFIG.with_name("cine_archive.yaml"))


@pytest.fixture
def run(config, tmp_path, capfd) -> Callable[..., tuple[int, str]]:
    """Ingest the subjects of an archive of 12 frames a cine; return the exit status and what was printed."""

    def run_stage(root: Path, *subjects: str) -> tuple[int, str]:
        mri = {"data": {"mri": {"root": str(root), "frames": 12}}}
        study = Config.model_validate(overlaid(config.model_dump(mode="json"), mri))
        subjects = subjects or tuple(find_files(study.data["mri"]))
        command = ["ingest", "--settings", dump_settings(ingest.select(study, "mri"))]
        command += ["--root", str(root), "--subjects", *subjects, "--output", str(tmp_path / "out/000.h5")]
        status = main(command)
        return status, capfd.readouterr().err

    return run_stage


def cines(tmp_path: Path) -> dict[str, list[float]]:
    return {
        sequence.source: np.abs(sequence.image[:, 0, 0]).round(3).tolist()
        for sequence in read_sequences(tmp_path / "out/000.h5")
    }


def turned(s: int, t: int) -> dict:
    angle = np.pi * s / 3
    return {"ImageOrientationPatient": [float(np.cos(angle)), float(np.sin(angle)), 0, 0, 0, 1]}


THREE = {f"heart-{s:02d}": frames_of(s) for s in range(3)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"n_slices": 3, "of_image": lambda s, t: {"SliceLocation": 10.0 * s}}, THREE),
        ({"n_slices": 3}, THREE),
        ({"n_slices": 3, "TriggerTime": None}, THREE),
        ({"n_slices": 3, "of_image": turned, "ImagePositionPatient": None, "SliceLocation": 0.0}, THREE),
        ({"of_image": lambda s, t: {"SliceLocation": 10 + 1e-6 * t}}, {"heart-00": frames_of(0)}),
        ({"RescaleSlope": 0.5, "RescaleIntercept": -10}, {"heart-00": [40 + 0.5 * t for t in range(12)]}),
    ],
    ids=["base", "without_slice_location", "without_location_and_trigger", "radial_long_axis", "jittered", "rescaled"],
)
def test_each_slice_comes_out_as_a_cine_of_its_frames(run, tmp_path, how, expected):
    write_cine(tmp_path / "raw", **how)
    status, _ = run(tmp_path / "raw")
    assert status == 0
    assert cines(tmp_path) == expected


@pytest.mark.slow
def test_phase_images_are_left_out_with_a_line_that_counts_them(run, tmp_path):
    number = write_cine(tmp_path / "raw", ImageType=["ORIGINAL", "PRIMARY", "M", "FFE"])
    phase = {"ImageType": ["DERIVED", "PRIMARY", "P", "FFE"], "RescaleSlope": 2, "RescaleIntercept": -4096}
    write_cine(tmp_path / "raw", first=number, **phase)
    status, printed = run(tmp_path / "raw")
    assert status == 0
    assert cines(tmp_path) == {"heart-00": frames_of(0)}
    assert r"left out 12 phase images of ImageType DERIVED\PRIMARY\P\FFE" in printed


@pytest.mark.slow
def test_two_ids_and_two_patients_without_one_are_four_subjects(run, tmp_path):
    for folder, patient in {"a": "STUDY 1", "b": "STUDY#1", "patient1": "", "patient2": ""}.items():
        write_cine(tmp_path / "raw" / folder, PatientID=patient)
    status, printed = run(tmp_path / "raw")
    assert status == 0
    assert sorted(cines(tmp_path)) == ["STUDY-1-311a8956-00", "STUDY-1-51955ad6-00", "patient1-00", "patient2-00"]
    assert "DICOM files without PatientID: 24" in printed


def test_files_without_preamble_are_read(run, tmp_path):
    write_cine(tmp_path / "raw")
    for path in (tmp_path / "raw").iterdir():
        path.write_bytes(path.read_bytes()[132:])
    status, _ = run(tmp_path / "raw")
    assert status == 0
    assert cines(tmp_path) == {"heart-00": frames_of(0)}


def repeated(folder: Path) -> None:
    write_cine(folder)
    write_cine(folder, first=13)


def multi_frame(folder: Path) -> None:
    write_cine(folder, NumberOfFrames=12)


def bright_as_dark(folder: Path) -> None:
    write_cine(folder, PhotometricInterpretation="MONOCHROME1")


def bad_number(folder: Path) -> None:
    write_cine(folder, NumberOfFrames=77)
    path = folder / "I0001"
    path.write_bytes(path.read_bytes().replace(b"IS\x02\x0077", b"IS\x02\x001A"))
    assert "1A" in str(pydicom.dcmread(path).get_item("NumberOfFrames").value)


def cut_short(folder: Path) -> None:
    write_cine(folder)
    (folder / "I0001").write_bytes((folder / "I0001").read_bytes()[:-20])


def empty(folder: Path) -> None:
    write_cine(folder)
    (folder / "I0001.dcm").touch()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("write", "says"),
    [
        (repeated, "24 images at one place of series 1 have 12 different TriggerTimes"),
        (multi_frame, "12 frames in one DICOM file without functional groups"),
        (bright_as_dark, "PhotometricInterpretation is 'MONOCHROME1', bright stored as dark"),
        (bad_number, "NumberOfFrames is '1A', not a number"),
        (cut_short, "less than expected"),
        (empty, "I0001.dcm is empty despite its name"),
    ],
)
def test_an_archive_that_cannot_be_used_ends_in_one_line_and_status_1(run, tmp_path, write, says):
    write(tmp_path / "raw")
    (tmp_path / "out").mkdir()
    status, printed = run(tmp_path / "raw", "heart")
    assert status == 1
    lines = [line for line in printed.replace("\r", "\n").splitlines() if line.strip() and "it/s" not in line]
    assert lines[-1].startswith("error: ")
    assert says in lines[-1]
    assert str(tmp_path / "raw/I0001") in lines[-1]
    assert "Traceback" not in printed
    assert list((tmp_path / "out").iterdir()) == []
