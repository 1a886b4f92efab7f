"""Cines in enhanced multi-frame DICOM files, as Philips and Siemens XA write them."""

from pathlib import Path

import numpy as np
import pytest
from dicom_series import SHAPE, frames_of, image, values
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedMRImageStorage, RLELossless
from step.domains.mri.cine_dicom import read_dicom_slices
from step.domains.mri.dicom_subjects import find_owners
from step.errors import InputError
from step.io.dicom_images import write_dicom
from step.io.geometry import Geometry

AXIAL = [1, 0, 0, 0, 1, 0]


def item(**values: object) -> Dataset:
    made = Dataset()
    for name, value in values.items():
        setattr(made, name, value)
    return made


def groups(**sequences: dict) -> Dataset:
    return item(**{name: [item(**values)] for name, values in sequences.items()})


def enhanced(
    n_slices: int = 2, n_frames: int = 12, order=None, of_frame=lambda s, t: {}, shared=None, **tags
) -> Dataset:
    """Return a file whose frames are `frames_of` values, slices 10 mm and times 40 ms apart, in `order` of (s, t)."""
    order = order or [(s, t) for s in range(n_slices) for t in range(n_frames)]
    pixels = np.stack([np.full(SHAPE, 100 * (s + 1) + t) for s, t in order])
    made = image(pixels[0], ImageOrientationPatient=None, InstanceNumber=1, **tags)
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = EnhancedMRImageStorage
    made.NumberOfFrames = len(order)
    made.PixelData = pixels.astype("<u2").tobytes()
    common = {"PlaneOrientationSequence": {"ImageOrientationPatient": AXIAL}} if shared is None else shared
    made.SharedFunctionalGroupsSequence = [groups(**common)]
    own = []
    for s, t in order:
        of = {"PlanePositionSequence": {"ImagePositionPatient": [0, 0, 10 * s]}}
        of["CardiacSynchronizationSequence"] = {"NominalCardiacTriggerDelayTime": 40.0 * t}
        own.append(groups(**(of | of_frame(s, t))))
    made.PerFrameFunctionalGroupsSequence = own
    return made


def save(folder: Path, *files: Dataset) -> list[Path]:
    paths = [folder / f"IM_{number:04d}" for number in range(len(files))]
    for path, file in zip(paths, files, strict=True):
        file.save_as(path, enforce_file_format=True)
    return paths


def read(paths: list[Path]) -> list[list[float]]:
    return values([cine for _, cine in read_dicom_slices(paths)])


EXPECTED = [frames_of(0), frames_of(1)]


@pytest.mark.slow
def test_frames_are_put_into_slices_and_times_by_their_functional_groups(tmp_path):
    by_time = [(s, t) for t in range(12) for s in range(2)]
    for number, order in enumerate((None, by_time, by_time[::-1])):
        (tmp_path / str(number)).mkdir()
        assert read(save(tmp_path / str(number), enhanced(order=order))) == EXPECTED


def test_one_file_a_slice_of_one_series(tmp_path):
    files = [enhanced(order=[(s, t) for t in range(12)]) for s in (1, 0)]
    assert read(save(tmp_path, *files)) == EXPECTED


def test_frames_without_trigger_times_come_in_the_order_of_their_temporal_position(tmp_path):
    def position(s: int, t: int) -> dict:
        return {"CardiacSynchronizationSequence": {}, "FrameContentSequence": {"TemporalPositionIndex": 12 - t}}

    reverse = [frames_of(s)[::-1] for s in range(2)]
    assert read(save(tmp_path, enhanced(of_frame=position))) == reverse


def test_phase_frames_are_left_out_and_magnitudes_are_rescaled(tmp_path):
    def velocity(s: int, t: int) -> dict:
        component = ("MAGNITUDE", "PHASE")[s]
        kind = {"FrameType": ["ORIGINAL", "PRIMARY", "CARDIAC", "NONE"], "ComplexImageComponent": component}
        scale = {"RescaleSlope": 0.5, "RescaleIntercept": 3, "RescaleType": "US"}
        return {"MRImageFrameTypeSequence": kind, "PixelValueTransformationSequence": scale}

    found = read(save(tmp_path, enhanced(of_frame=velocity, ComplexImageComponent="MIXED")))
    assert found == [[0.5 * value + 3 for value in frames_of(0)]]


def test_compressed_frames_are_decoded_one_by_one(tmp_path):
    file = enhanced()
    file.compress(RLELossless)
    assert read(save(tmp_path, file)) == EXPECTED


def test_orientations_of_the_frames_themselves_keep_planes_apart(tmp_path):
    def turned(s: int, t: int) -> dict:
        orientation = [np.cos(s), np.sin(s), 0, 0, 0, 1]
        return {
            "PlaneOrientationSequence": {"ImageOrientationPatient": [round(float(x), 9) for x in orientation]},
            "PlanePositionSequence": {"ImagePositionPatient": [0, 0, 0]},
        }

    assert read(save(tmp_path, enhanced(of_frame=turned, shared={}))) == EXPECTED


def test_what_this_project_writes_is_read_back(tmp_path):
    cine = np.random.default_rng(0).random((5, 6, 8))
    place = Geometry((1.5, 1.5), 8.0, (1.0, 2.0, 3.0), (1.0, 0.0, 0.0), (0.0, 0.0, -1.0))
    write_dicom(tmp_path / "mean.dcm", cine, place, 0.05 * np.arange(5), "P1", "scan", "mean", 1)
    ((_, found),) = read_dicom_slices([tmp_path / "mean.dcm"])
    np.testing.assert_allclose(found, cine, atol=2e-5)
    assert find_owners(tmp_path, [tmp_path / "mean.dcm"])[tmp_path / "mean.dcm"].name == "P1"


def without_groups(file: Dataset) -> None:
    del file.PerFrameFunctionalGroupsSequence


def with_groups_missing(file: Dataset) -> None:
    file.PerFrameFunctionalGroupsSequence = list(file.PerFrameFunctionalGroupsSequence)[:-1]


def without_places_and_times(file: Dataset) -> None:
    for frame in file.PerFrameFunctionalGroupsSequence:
        del frame.PlanePositionSequence
        del frame.CardiacSynchronizationSequence


def without_some_positions(file: Dataset) -> None:
    del file.PerFrameFunctionalGroupsSequence[3].PlanePositionSequence


def with_repeated_times(file: Dataset) -> None:
    for frame in file.PerFrameFunctionalGroupsSequence[:6]:
        frame.CardiacSynchronizationSequence[0].NominalCardiacTriggerDelayTime = 440.0


def cut_short(file: Dataset) -> None:
    file.PixelData = file.PixelData[: len(file.PixelData) // 2]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (without_groups, "24 frames in one DICOM file without functional groups"),
        (with_groups_missing, "24 frames and functional groups of 23"),
        (without_places_and_times, "24 images have neither ImagePositionPatient nor SliceLocation"),
        (without_some_positions, "23 of 24 images of series 1 have ImagePositionPatient"),
        (with_repeated_times, "different TriggerTimes"),
        (cut_short, "cannot decode frame"),
    ],
)
def test_what_cannot_be_told_apart_is_one_line(tmp_path, spoil, says):
    file = enhanced()
    spoil(file)
    with pytest.raises(InputError) as caught:
        read(save(tmp_path, file))
    assert says in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)
