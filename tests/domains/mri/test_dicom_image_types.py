"""Magnitudes are cines; phase, velocity, real and imaginary images of the same series are not."""

from pathlib import Path

import pytest
from dicom_series import frames_of, values, write_cine
from step.domains.mri.cine_dicom import read_dicom_slices
from step.errors import InputError


def read(folder: Path) -> list[list[float]]:
    return values([cine for _, cine in read_dicom_slices(sorted(folder.iterdir()))])


def magnitude_and(folder: Path, magnitude: dict, **other: object) -> None:
    n = write_cine(folder, **magnitude)
    write_cine(folder, first=n, of_image=lambda s, t: {"ImagePositionPatient": [0, 0, 0]}, n_slices=1, **other)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("magnitude", "other", "component"),
    [
        (["ORIGINAL", "PRIMARY", "M", "RETRO"], ["ORIGINAL", "PRIMARY", "P", "RETRO"], "phase"),
        (["ORIGINAL", "PRIMARY", "M", "FFE"], ["DERIVED", "PRIMARY", "P", "FFE"], "phase"),
        (["ORIGINAL", "PRIMARY", "M_FFE", "M", "FFE"], ["ORIGINAL", "PRIMARY", "PHASE MAP", "P", "FFE"], "phase"),
        (["ORIGINAL", "PRIMARY", "M_PCA", "M", "PCA"], ["ORIGINAL", "PRIMARY", "VELOCITY MAP", "P", "PCA"], "velocity"),
        (["ORIGINAL", "PRIMARY", "M_IR", "M", "IR"], ["ORIGINAL", "PRIMARY", "R_IR", "R", "IR"], "real"),
        (["ORIGINAL", "PRIMARY", "M_IR", "M", "IR"], ["ORIGINAL", "PRIMARY", "I_IR", "I", "IR"], "imaginary"),
        (["ORIGINAL", "PRIMARY", "M", "ND"], ["DERIVED", "PRIMARY", "M", "ND", "FIL"], "derived"),
    ],
)
def test_images_of_another_type_in_a_series_are_left_out_and_counted(tmp_path, log, magnitude, other, component):
    magnitude_and(tmp_path, {"ImageType": magnitude}, ImageType=other, RescaleSlope=2, RescaleIntercept=-4096)
    assert read(tmp_path) == [frames_of(0)]
    assert f"left out 12 {component} images of ImageType " + "\\".join(other) in log.text


@pytest.mark.slow
def test_the_complex_component_counts_where_the_image_type_says_nothing(tmp_path):
    magnitude_and(tmp_path, {"ComplexImageComponent": "MAGNITUDE"}, ComplexImageComponent="PHASE")
    assert read(tmp_path) == [frames_of(0)]


@pytest.mark.slow
def test_the_private_element_of_ge_counts_where_the_image_type_says_other(tmp_path):
    import pydicom

    number = write_cine(tmp_path, ImageType=["ORIGINAL", "PRIMARY", "OTHER"])
    write_cine(tmp_path, first=number, ImageType=["ORIGINAL", "PRIMARY", "OTHER"])
    for path in tmp_path.iterdir():
        dataset = pydicom.dcmread(path)
        block = dataset.private_block(0x0043, "GEMS_PARM_01", create=True)
        block.add_new(0x2F, "SS", int(int(path.name[1:]) >= number))
        dataset.save_as(path)
    assert read(tmp_path) == [frames_of(0)]


def test_images_that_say_nothing_of_their_type_are_magnitudes(tmp_path, log):
    write_cine(tmp_path)
    assert read(tmp_path) == [frames_of(0)]
    assert "left out" not in log.text


def test_derived_magnitudes_alone_are_cines(tmp_path):
    write_cine(tmp_path, ImageType=["DERIVED", "PRIMARY", "M", "RETRO"])
    assert read(tmp_path) == [frames_of(0)]


def test_two_kinds_of_magnitude_at_one_place_are_two_cines(tmp_path):
    magnitude_and(
        tmp_path,
        {"ImageType": ["ORIGINAL", "PRIMARY", "M_FFE", "M", "FFE"]},
        ImageType=["ORIGINAL", "PRIMARY", "M_PCA", "M", "PCA"],
    )
    assert read(tmp_path) == [frames_of(0), frames_of(0)]


def test_a_subject_without_magnitudes_is_refused_with_its_types(tmp_path):
    write_cine(tmp_path, ImageType=["ORIGINAL", "PRIMARY", "P", "ND"])
    with pytest.raises(InputError, match=r"no magnitude image among 12 of ImageType ORIGINAL\\PRIMARY\\P\\ND: .*I0001"):
        read(tmp_path)


def test_velocities_that_bear_no_type_are_refused_for_their_negative_values(tmp_path):
    write_cine(tmp_path, RescaleSlope=2, RescaleIntercept=-4096)
    with pytest.raises(InputError, match=r"values down to -3896, which no magnitude has \(is it phase\?\): .*I0001"):
        read(tmp_path)
