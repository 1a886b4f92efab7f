"""DICOM files with an element or pixels that cannot be used end in one line with the file, the fact and the value."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_series import values, write_cine
from step.domains.mri.cine_archive import find_archive
from step.domains.mri.cine_dicom import read_dicom_slices
from step.errors import InputError

GOOD = {
    "NumberOfFrames": "11",
    "InstanceNumber": "11",
    "SeriesNumber": "11",
    "AcquisitionNumber": "11",
    "TriggerTime": "11",
    "SliceLocation": "11",
    "RescaleSlope": "11",
    "RescaleIntercept": "11",
    "ImagePositionPatient": ["11", "11", "11"],
    "ImageOrientationPatient": ["11", "10", "10", "10", "11", "10"],
}


def read_all(folder: Path) -> None:
    for files in find_archive(folder, ()).values():
        list(read_dicom_slices(files))


def error_of(folder: Path) -> str:
    """Return the one line in which reading `folder` ends."""
    with pytest.raises(InputError) as caught:
        read_all(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")  # of pydicom, while the bad value is written
@pytest.mark.parametrize("tag", GOOD)
@pytest.mark.parametrize("bad", ["1A", "1 ,", "..", "nan", "inf"])
def test_a_number_that_is_none_is_named_with_its_file_and_element(tmp_path, recwarn, tag, bad):
    good = GOOD[tag]
    spoilt = [bad, *good[1:]] if isinstance(good, list) else bad
    write_cine(tmp_path)
    path = tmp_path / "I0004"
    dataset = pydicom.dcmread(path)
    element = pydicom.datadict.tag_for_keyword(tag)
    text = "\\".join(spoilt) if isinstance(spoilt, list) else spoilt
    raw = pydicom.dataelem.RawDataElement(
        pydicom.tag.Tag(element), pydicom.datadict.dictionary_VR(element), 0, text.encode(), 0, False, True
    )
    dataset._dict[pydicom.tag.Tag(element)] = raw
    dataset.save_as(path)
    recwarn.clear()
    line = error_of(tmp_path)
    assert line.startswith(f"{tag} is {text!r}, not ")
    assert f"{path}; drop it with data.mri.exclude" in line
    assert len(recwarn) == 0


@pytest.mark.parametrize("tag", ["ImagePositionPatient", "ImageOrientationPatient"])
def test_a_vector_of_too_few_numbers_is_refused(tmp_path, tag):
    write_cine(tmp_path, of_image=lambda s, t: {tag: [1, 0]})
    assert re.match(rf"{tag} is '.*', not [36] numbers: .*I0001", error_of(tmp_path))


@pytest.mark.filterwarnings("ignore::UserWarning")  # of pydicom
def test_an_element_without_a_value_is_as_good_as_none(tmp_path):
    write_cine(tmp_path, **dict.fromkeys(("NumberOfFrames", "RescaleSlope", "SliceLocation", "AcquisitionNumber"), ""))
    (cine,) = (cine for _, cine in read_dicom_slices(sorted(tmp_path.iterdir())))
    assert cine[:, 0, 0].tolist() == [100.0 + t for t in range(12)]


def edited(change: Callable) -> Callable[[Path], None]:
    """Return what changes the data set of one file of a cine."""

    def edit(path: Path) -> None:
        dataset = pydicom.dcmread(path)
        change(dataset)
        dataset.save_as(path)

    return edit


def set_tags(**tags: object) -> Callable[[Path], None]:
    return edited(lambda dataset: [setattr(dataset, name, value) for name, value in tags.items()])


def cut_to(n_bytes: int) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(path.read_bytes()[:n_bytes])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")  # of pydicom
@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (cut_to(-1), "cannot decode"),
        (cut_to(-60), "cannot decode"),
        (cut_to(400), "cannot"),
        (cut_to(300), "cannot"),
        (cut_to(140), "cannot"),
        (edited(lambda dataset: setattr(dataset, "PixelData", dataset.PixelData[:-2])), "less than expected"),
        (
            edited(lambda dataset: setattr(dataset, "PixelData", dataset.PixelData + b"12")),
            "PixelData has 98 bytes, 96",
        ),
        (edited(lambda dataset: setattr(dataset, "PixelData", dataset.PixelData * 2)), "pixels have shape (2, 6, 8)"),
        (set_tags(PhotometricInterpretation="MONOCHROME1"), "is 'MONOCHROME1', bright stored as dark"),
        (set_tags(PhotometricInterpretation="PALETTE COLOR"), "is 'PALETTE COLOR', MONOCHROME2 is needed"),
        (set_tags(NumberOfFrames=12), "12 frames in one DICOM file without functional groups"),
        (set_tags(Rows=0), "cannot decode"),
        (edited(lambda dataset: delattr(dataset, "Rows")), "cannot decode"),
        (edited(lambda dataset: delattr(dataset, "PixelData")), "cannot decode"),
        (edited(lambda dataset: delattr(dataset, "BitsStored")), "cannot decode"),
    ],
)
def test_an_image_that_cannot_be_used_ends_in_one_line_with_its_name(tmp_path, spoil, says):
    write_cine(tmp_path)
    spoil(tmp_path / "I0004")
    line = error_of(tmp_path)
    assert says in line
    assert str(tmp_path / "I0004") in line


def test_zeros_after_the_pixels_are_padding(tmp_path):
    write_cine(tmp_path)
    edited(lambda dataset: setattr(dataset, "PixelData", dataset.PixelData + bytes(64)))(tmp_path / "I0004")
    with pytest.warns(UserWarning, match="padding"):
        assert len(values([cine for _, cine in read_dicom_slices(sorted(tmp_path.iterdir()))])[0]) == 12


def test_slope_and_intercept_are_those_of_each_frame(tmp_path):
    write_cine(tmp_path, of_image=lambda s, t: {"RescaleSlope": 0.5 * (t + 1), "RescaleIntercept": -10 * t})
    (cine,) = (cine for _, cine in read_dicom_slices(sorted(tmp_path.iterdir())))
    np.testing.assert_allclose(cine[:, 2, 3], [(100 + t) * 0.5 * (t + 1) - 10 * t for t in range(12)], rtol=1e-6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")  # of pydicom
def test_damage_at_any_byte_ends_in_a_cine_or_in_one_line(tmp_path):
    write_cine(tmp_path / "whole", n_frames=1)
    whole = (tmp_path / "whole/I0001").read_bytes()
    (tmp_path / "damaged").mkdir()
    generator = np.random.default_rng(0)
    lines = []
    for position in range(0, len(whole), 3):
        damaged = bytearray(whole)
        damaged[position] = generator.integers(256)
        for data in (bytes(damaged), whole[:position]):
            (tmp_path / "damaged/I0001").write_bytes(data)
            try:
                read_all(tmp_path / "damaged")
            except InputError as error:
                lines.append(str(error))
    assert [line for line in lines if "\n" in line] == []
    assert len(whole) // 3 < len(lines) < 2 * len(whole) // 3
