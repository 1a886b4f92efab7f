"""Which DICOM images make up a slice, and in which order its frames and the slices come."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_series import AXIAL, frames_of, image, values, write_cine
from step.domains.mri.cine_dicom import read_dicom_slices
from step.errors import InputError


def read(folder: Path) -> list[list[float]]:
    return values([cine for _, cine in read_dicom_slices(sorted(folder.iterdir()))])


def turned(s: int) -> list[float]:
    """The orientation of a long-axis plane, turned by 60 degrees a slice about the axis of the heart."""
    angle = np.pi * s / 3
    return [float(np.cos(angle)), float(np.sin(angle)), 0, 0, 0, 1]


def unplaced(**more: object) -> dict:
    return {"ImagePositionPatient": None, "SliceLocation": None, **more}


@pytest.mark.slow
@pytest.mark.parametrize("trigger", ["with", "without"])
def test_slices_without_a_location_are_told_apart_by_their_position(tmp_path, trigger):
    tags = {} if trigger == "with" else {"TriggerTime": None}
    write_cine(tmp_path, 3, **tags)
    assert read(tmp_path) == [frames_of(0), frames_of(1), frames_of(2)]


@pytest.mark.slow
def test_long_axis_planes_at_one_location_are_told_apart_by_their_orientation(tmp_path):
    radial = unplaced(SliceLocation=0.0)
    write_cine(tmp_path, 3, of_image=lambda s, t: {"ImageOrientationPatient": turned(s)}, **radial)
    assert read(tmp_path) == [frames_of(0), frames_of(1), frames_of(2)]


@pytest.mark.slow
def test_long_axis_planes_through_one_point_are_told_apart_by_their_orientation(tmp_path):
    write_cine(
        tmp_path, 3, of_image=lambda s, t: {"ImageOrientationPatient": turned(s)}, ImagePositionPatient=[0, 0, 0]
    )
    assert read(tmp_path) == [frames_of(0), frames_of(1), frames_of(2)]


@pytest.mark.slow
def test_slices_come_in_the_order_of_their_places_along_the_normal(tmp_path):
    tilted = [0, 1, 0, 0, 0, -1]  # normal (-1, 0, 0)
    write_cine(
        tmp_path,
        3,
        of_image=lambda s, t: {"ImagePositionPatient": [10.0 * s, 5.0, 5.0]},
        ImageOrientationPatient=tilted,
    )
    assert read(tmp_path) == [frames_of(2), frames_of(1), frames_of(0)]


def test_two_fields_of_view_in_one_plane_are_two_slices(tmp_path):
    write_cine(tmp_path, 2, of_image=lambda s, t: {"ImagePositionPatient": [60.0 * s, 0, 0]})
    assert read(tmp_path) == [frames_of(0), frames_of(1)]


def test_slices_without_positions_are_told_apart_by_their_location(tmp_path):
    write_cine(tmp_path, 2, ImagePositionPatient=None, of_image=lambda s, t: {"SliceLocation": -8.0 * s})
    assert read(tmp_path) == [frames_of(1), frames_of(0)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "jitter",
    [
        lambda s, t: {"ImagePositionPatient": [0, 0, 10 + 1e-6 * t], "SliceLocation": 10 + 1e-6 * t},
        lambda s, t: {"ImagePositionPatient": None, "SliceLocation": 10 + 1e-6 * t},
        lambda s, t: {"ImageOrientationPatient": [1, 0, 1e-7 * t, 0, 1, 0]},
    ],
    ids=["position", "location", "orientation"],
)
def test_what_is_rounded_does_not_split_a_slice(tmp_path, jitter):
    write_cine(tmp_path, of_image=jitter)
    assert read(tmp_path) == [frames_of(0)]


def test_frames_come_by_trigger_time_where_the_instance_numbers_say_otherwise(tmp_path):
    write_cine(tmp_path, of_image=lambda s, t: {"InstanceNumber": 12 - t})
    assert read(tmp_path) == [frames_of(0)]


def test_frames_without_trigger_time_come_by_instance_number_not_by_name(tmp_path):
    write_cine(tmp_path, TriggerTime=None, of_image=lambda s, t: {"InstanceNumber": 12 - t})
    assert read(tmp_path) == [frames_of(0)[::-1]]


def test_a_cine_that_begins_in_the_middle_of_the_cycle_is_one_scan(tmp_path):
    write_cine(tmp_path, of_image=lambda s, t: {"InstanceNumber": (t + 6) % 12})
    assert read(tmp_path) == [frames_of(0)]


def test_one_slice_without_any_place_is_a_slice_where_its_trigger_times_differ(tmp_path):
    write_cine(tmp_path, **unplaced(ImageOrientationPatient=None))
    assert read(tmp_path) == [frames_of(0)]


def scanned_twice(folder: Path, **second: object) -> None:
    """Write every slice and trigger time twice in one series."""
    write_cine(folder, AcquisitionNumber=1)
    write_cine(folder, first=13, **({"AcquisitionNumber": 1} | second))


def test_a_repeated_scan_is_told_apart_by_its_acquisition_number(tmp_path):
    scanned_twice(tmp_path, AcquisitionNumber=2)
    assert read(tmp_path) == [frames_of(0), frames_of(0)]


def test_a_repeated_scan_of_another_heart_rate_is_told_apart_too(tmp_path):
    scanned_twice(tmp_path, AcquisitionNumber=2, of_image=lambda s, t: {"TriggerTime": 3 + 36.5 * t})
    assert read(tmp_path) == [frames_of(0), frames_of(0)]


def test_a_repeated_scan_without_trigger_times_is_told_apart_by_its_acquisition_number(tmp_path, log):
    scanned_twice(tmp_path, AcquisitionNumber=2, of_image=lambda s, t: {"TriggerTime": None})
    for path in sorted(tmp_path.iterdir())[:12]:
        dataset = pydicom.dcmread(path)
        del dataset.TriggerTime
        dataset.save_as(path)
    assert read(tmp_path) == [frames_of(0), frames_of(0)]
    assert "2 scans at one place told apart by AcquisitionNumber" in log.text


@pytest.mark.parametrize(
    "acquisition", [lambda t: t, lambda t: t % 2, lambda t: int(t > 8)], ids=["each frame", "in turn", "unequal"]
)
def test_acquisition_numbers_that_are_no_scans_do_not_split_a_cine_without_trigger_times(tmp_path, acquisition):
    write_cine(tmp_path, TriggerTime=None, of_image=lambda s, t: {"AcquisitionNumber": acquisition(t)})
    assert read(tmp_path) == [frames_of(0)]


def repeated(folder: Path) -> None:
    scanned_twice(folder)


def repeated_at_another_heart_rate(folder: Path) -> None:
    scanned_twice(folder, of_image=lambda s, t: {"TriggerTime": 3 + 36.5 * t})


def every_frame_another_acquisition(folder: Path) -> None:
    write_cine(folder, of_image=lambda s, t: {"AcquisitionNumber": t})
    write_cine(folder, first=13, of_image=lambda s, t: {"AcquisitionNumber": t})


def stack_without_places(folder: Path) -> None:
    write_cine(folder, 3, **unplaced())


def stack_without_places_and_times(folder: Path) -> None:
    write_cine(folder, 3, **unplaced(TriggerTime=0.0))


def frames_without_times_and_numbers(folder: Path) -> None:
    write_cine(folder, TriggerTime=None, of_image=lambda s, t: {"InstanceNumber": 1})


def half_with_positions(folder: Path) -> None:
    write_cine(folder, of_image=lambda s, t: {} if t < 5 else {"ImagePositionPatient": None, "SliceLocation": 0.0})


def one_without_trigger_time(folder: Path) -> None:
    write_cine(folder, of_image=lambda s, t: {"TriggerTime": ""} if t == 4 else {})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("write", "says"),
    [
        (repeated, "24 images at one place of series 1 have 12 different TriggerTimes, as 2 scans"),
        (repeated_at_another_heart_rate, "have 24 different TriggerTimes, as 2 scans"),
        (every_frame_another_acquisition, "have 12 different TriggerTimes, as 2 scans"),
        (
            stack_without_places,
            "36 images at one place of series 1 have 12 different TriggerTimes, as 3 scans or slices",
        ),
        (stack_without_places_and_times, "36 images have neither ImagePositionPatient nor SliceLocation"),
        (frames_without_times_and_numbers, "12 images at one place have no different TriggerTimes and 1 different"),
        (half_with_positions, "5 of 12 images of series 1 have ImagePositionPatient"),
        (one_without_trigger_time, "11 of 12 images of series 1 have TriggerTime"),
    ],
)
def test_frames_that_cannot_be_told_apart_are_refused_with_their_counts(tmp_path, write: Callable[[Path], None], says):
    write(tmp_path)
    with pytest.raises(InputError) as caught:
        read(tmp_path)
    assert says in str(caught.value)
    assert "data.mri.exclude" in str(caught.value)
    assert str(tmp_path / "I00") in str(caught.value)


def test_headers_are_read_before_any_pixel(tmp_path):
    write_cine(tmp_path, 2)
    image(np.ones((4, 4)), ImagePositionPatient=[0, 0, 0], TriggerTime="0").save_as(
        tmp_path / "I9", enforce_file_format=True
    )
    (tmp_path / "I0001").write_bytes((tmp_path / "I0001").read_bytes()[:-20])
    with pytest.raises(InputError, match="different TriggerTimes, as 2 scans"):
        next(read_dicom_slices(sorted(tmp_path.iterdir())))


def test_the_path_of_a_slice_is_that_of_its_first_frame(tmp_path):
    write_cine(tmp_path, 2, of_image=lambda s, t: {"TriggerTime": 40.0 * (11 - t)}, ImageOrientationPatient=AXIAL)
    assert [path.name for path, _ in read_dicom_slices(sorted(tmp_path.iterdir()))] == ["I0012", "I0024"]
