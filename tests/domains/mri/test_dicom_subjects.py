"""Whose DICOM files are, and which files of a folder are used at all."""

import os
from pathlib import Path

import numpy as np
import pytest
from dicom_series import frames_of, image, values, write_cine
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MediaStorageDirectoryStorage
from step.domains.mri.cine_archive import find_archive
from step.domains.mri.cine_dicom import read_dicom_slices
from step.domains.mri.dicom_subjects import name_of_id
from step.errors import InputError


def without_preamble(folder: Path) -> None:
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[132:])


def as_bare_data_sets(folder: Path, implicit: bool) -> None:
    for path in folder.iterdir():
        import pydicom

        data = pydicom.dcmread(path)
        bare = Dataset({element.tag: element for element in data})
        bare.save_as(path, implicit_vr=implicit, little_endian=True)


def names(root: Path, *exclude: str) -> dict[str, list[str]]:
    return {
        name: sorted({path.parent.relative_to(root).as_posix() for path in files})
        for name, files in find_archive(root, exclude).items()
    }


def test_two_ids_that_differ_in_punctuation_are_two_subjects_with_names_of_their_own(tmp_path):
    write_cine(tmp_path / "a", PatientID="STUDY 1")
    write_cine(tmp_path / "b", PatientID="STUDY#1")
    write_cine(tmp_path / "c", PatientID="STUDY-1")
    both = names(tmp_path)
    assert both == {"STUDY-1-51955ad6": ["a"], "STUDY-1-311a8956": ["b"], "STUDY-1": ["c"]}
    assert names(tmp_path, "a/*", "c/*") == {"STUDY-1-311a8956": ["b"]}


@pytest.mark.parametrize("patient", ["STUDY_1", "0042", "a.b", "SCD0000101"])
def test_an_id_that_is_a_name_stays_as_it_is(patient):
    assert name_of_id(patient) == patient


def test_ids_of_punctuation_alone_are_told_apart():
    assert len({name_of_id(patient) for patient in ("##", "#", "..", "- -", "/", "..x")}) == 6


def test_blanks_around_an_id_are_no_part_of_it(tmp_path):
    write_cine(tmp_path / "a", PatientID=" P1 ")
    assert names(tmp_path) == {"P1": ["a"]}


@pytest.mark.slow
@pytest.mark.parametrize("patient", ["", None, " "])
def test_patients_without_an_id_are_kept_apart_by_their_folders(tmp_path, log, patient):
    write_cine(tmp_path / "patient1", PatientID=patient)
    write_cine(tmp_path / "patient2", PatientID=patient)
    assert names(tmp_path) == {"patient1": ["patient1"], "patient2": ["patient2"]}
    assert "DICOM files without PatientID: 24; their folders are the subjects: patient1, patient2" in log.text


def test_folders_of_one_study_without_an_id_are_one_subject(tmp_path):
    for series in ("sax1", "sax2"):
        write_cine(tmp_path / "p1" / series, PatientID="", StudyInstanceUID="1.2.1")
    write_cine(tmp_path / "p2/sax1", PatientID="", StudyInstanceUID="1.2.2")
    assert names(tmp_path) == {"p1": ["p1/sax1", "p1/sax2"], "p2-sax1": ["p2/sax1"]}


def test_files_without_an_id_in_the_root_itself_bear_its_name(tmp_path):
    write_cine(tmp_path / "heart 7", PatientID="")
    assert list(find_archive(tmp_path / "heart 7", ())) == ["heart-7"]


def save_npz(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, img=np.ones((1, 12, 4, 4)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (lambda root: save_npz(root / "a/b.npz"), lambda root: save_npz(root / "a-b.npz")),
        (lambda root: save_npz(root / "a.npz"), lambda root: write_cine(root / "x", PatientID="a")),
        (lambda root: write_cine(root / "a", PatientID=""), lambda root: write_cine(root / "x", PatientID="a")),
        (lambda root: write_cine(root / "a b", PatientID=""), lambda root: write_cine(root / "a#b", PatientID="")),
    ],
    ids=["two npz", "npz and id", "folder and id", "two folders"],
)
def test_two_subjects_of_one_name_are_refused(tmp_path, first, second):
    first(tmp_path)
    second(tmp_path)
    with pytest.raises(InputError, match=r"would both be subject a(-b)?; rename one, or drop"):
        find_archive(tmp_path, ())


@pytest.mark.slow
@pytest.mark.parametrize(
    "strip",
    [
        without_preamble,
        lambda folder: as_bare_data_sets(folder, implicit=False),
        lambda folder: as_bare_data_sets(folder, implicit=True),
    ],
    ids=["with meta information", "explicit", "implicit"],
)
def test_files_without_preamble_are_read_as_others_are(tmp_path, strip):
    write_cine(tmp_path / "a")
    strip(tmp_path / "a")
    ((name, files),) = find_archive(tmp_path, ()).items()
    assert name == "heart"
    if strip is without_preamble:
        assert values([cine for _, cine in read_dicom_slices(files)]) == [frames_of(0)]
    else:
        # Nothing in a bare data set says how its pixels are stored.
        with pytest.raises(InputError, match=r"cannot decode .*Transfer Syntax"):
            list(read_dicom_slices(files))


def directory() -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.FileSetID = "CD"
    return dataset


def report() -> Dataset:
    dataset = image(np.ones((2, 2)), SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", Rows=None, Columns=None)
    del dataset.PixelData
    return dataset


def test_files_that_are_no_images_are_counted_and_named(tmp_path, log):
    write_cine(tmp_path / "a")
    directory().save_as(tmp_path / "DICOMDIR", enforce_file_format=True)
    report().save_as(tmp_path / "report.dcm", enforce_file_format=True)
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / "a/VERSION").touch()
    (tmp_path / "a/._I0001.dcm").write_bytes(b"left by the system that copied it")
    assert names(tmp_path) == {"heart": ["a"]}
    assert f"neither .npz nor NIfTI nor DICOM, left out: 3, such as {tmp_path / 'a/._I0001.dcm'}" in log.text
    assert f"DICOM without an image, left out: 2, such as {tmp_path / 'DICOMDIR'}" in log.text


@pytest.mark.slow
@pytest.mark.parametrize("numbers", [[8, 16, 24, 32], [2, 4, 6, 8], [8, 0, 8, 0], [0x00050008, 2**31, 1, 1]])
def test_numbers_in_a_binary_file_are_no_dicom(tmp_path, numbers):
    write_cine(tmp_path / "a")
    np.array(numbers * 40, "<u4").tofile(tmp_path / "sizes.bin")
    assert names(tmp_path) == {"heart": ["a"]}


@pytest.mark.parametrize(("data", "says"), [(b"", "is empty"), (b"<html>not found</html>", "is no DICOM file")])
@pytest.mark.parametrize("name", ["I0005.dcm", "I0005.IMA"])
def test_a_file_that_is_dicom_by_its_name_alone_is_refused(tmp_path, name, data, says):
    write_cine(tmp_path)
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=rf"{name} {says} despite its name"):
        find_archive(tmp_path, ())


def test_the_order_of_folders_does_not_change_who_is_who(tmp_path):
    for name in ("x", "y"):
        write_cine(tmp_path / name, PatientID=f"{name} {name}")
    before = {name: [path.name for path in files] for name, files in find_archive(tmp_path, ()).items()}
    os.rename(tmp_path / "x", tmp_path / "z")
    after = {name: [path.name for path in files] for name, files in find_archive(tmp_path, ()).items()}
    assert before == after
