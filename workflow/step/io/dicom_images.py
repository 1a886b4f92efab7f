"""Image sequences as multi-frame DICOM, which viewers in clinics read.

Where it is known where the slice lies they are Enhanced MR images (DICOM PS3.3, A.36), else multi-frame grey secondary
captures (A.8.4), which need no place.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from step.io.atomic import whole_file
from step.io.geometry import Geometry

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset

LEVELS = 2**16 - 1
SERIES_NUMBER = 1
TEXT_LENGTH = 64
"""Characters of a long string (LO)."""


def write_dicom_magnitudes(
    folder: Path,
    videos: Mapping[str, np.ndarray],
    scale: float,
    geometry: Geometry,
    times_s: np.ndarray | None,
    patient: str,
    source: str,
) -> list[Path]:
    """Write each of `videos` (time, channel, y, x) as ``NAME.dcm`` into `folder`, and return the files.

    Values are as those of `step.io.nifti.write_magnitudes`, 16 bits with a slope of their own. `times_s` (time,) are
    the frames' in s, None if unknown; `source` says in words what was measured. Identifiers follow from `source` and
    the names, so that equal results give equal files.
    """
    files = []
    for number, (name, video) in enumerate(videos.items(), 1):
        magnitude = np.sqrt(np.square(video, dtype=np.float64).sum(axis=1)) / scale
        files.append(folder / f"{name}.dcm")
        write_dicom(files[-1], magnitude, geometry, times_s, patient, source, name, number)
    return files


def write_dicom(
    path: Path,
    images: np.ndarray,
    geometry: Geometry,
    times_s: np.ndarray | None,
    patient: str,
    source: str,
    name: str,
    number: int,
) -> None:
    """Write the frames `images` (time, y, x), not below 0, as one file, whole or not at all; see above."""
    from pydicom.dataset import FileDataset
    from pydicom.uid import generate_uid

    slope = float(images.max()) / LEVELS or 1.0
    meta = _meta(geometry, generate_uid(entropy_srcs=[source, name]))
    image = FileDataset(str(path), {}, file_meta=meta, preamble=bytes(128))
    _describe(image, patient, source, name, number)
    image.Rows, image.Columns, image.NumberOfFrames = images.shape[1], images.shape[2], len(images)
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated = image.BitsStored = 16
    image.HighBit, image.PixelRepresentation = 15, 0
    image.PixelData = np.round(images / slope).astype("<u2").tobytes()
    if geometry.is_placed:
        _place(image, images, geometry, times_s, slope)
    else:
        image.RescaleSlope, image.RescaleIntercept, image.RescaleType = _decimal(slope), 0, "US"
        image.PresentationLUTShape = "IDENTITY"
        if geometry.pixel_mm:
            image.PixelSpacing = [_decimal(side) for side in geometry.pixel_mm]
        steps = np.diff(times_s) if times_s is not None and len(times_s) > 1 else np.ones(1)
        image.FrameTime = _decimal(1000 * float(steps[0]))
        from pydicom.tag import Tag

        image.FrameIncrementPointer = Tag("FrameTime")
    with whole_file(path) as part:
        image.save_as(part, enforce_file_format=True)


def _meta(geometry: Geometry, instance: str) -> "FileMetaDataset":
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import (
        UID,
        EnhancedMRImageStorage,
        ExplicitVRLittleEndian,
        MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    )

    meta = FileMetaDataset()
    kind = EnhancedMRImageStorage if geometry.is_placed else MultiFrameGrayscaleWordSecondaryCaptureImageStorage
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = kind, UID(instance)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return meta


def _describe(image: "Dataset", patient: str, source: str, name: str, number: int) -> None:
    """Write whose and which image it is; what is not known is empty, as the standard wants it."""
    from pydicom.uid import generate_uid

    image.SpecificCharacterSet = "ISO_IR 192"
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID
    image.StudyInstanceUID, image.SeriesInstanceUID = (
        generate_uid(entropy_srcs=[source, kind]) for kind in ("study", "series")
    )
    image.PatientID, image.PatientName = patient[:TEXT_LENGTH], ""
    for tag in ("PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID", "AccessionNumber"):
        setattr(image, tag, "")
    image.ReferringPhysicianName = ""
    image.Modality, image.Manufacturer = "MR", "STeP"
    image.SeriesDescription = "reconstruction of undersampled k-space, magnitude"
    image.SeriesNumber, image.InstanceNumber = SERIES_NUMBER, number
    image.ImageComments = f"{name}; {source}"
    image.ImageType = ["DERIVED", "PRIMARY", "CARDIAC", "NONE"]
    image.BurnedInAnnotation, image.LossyImageCompression = "NO", "00"


def _place(image: "Dataset", images: np.ndarray, geometry: Geometry, times_s: np.ndarray | None, slope: float) -> None:
    """Write the functional groups of an Enhanced MR image: place, size, scale and time of the frames."""
    from pydicom.uid import generate_uid

    image.FrameOfReferenceUID = generate_uid(entropy_srcs=[image.SeriesInstanceUID, "frame of reference"])
    image.PositionReferenceIndicator = ""
    image.PresentationLUTShape = "IDENTITY"
    image.PixelPresentation, image.VolumetricProperties = "MONOCHROME", "VOLUME"
    image.VolumeBasedCalculationTechnique, image.ComplexImageComponent = "NONE", "MAGNITUDE"
    image.AcquisitionContrast, image.ContentQualification = "UNKNOWN", "RESEARCH"
    measures: dict[str, object] = {"PixelSpacing": [_decimal(side) for side in geometry.pixel_mm or ()]}
    if geometry.thickness_mm is not None:
        measures["SliceThickness"] = _decimal(geometry.thickness_mm)
    rows = (*(geometry.along_x or ()), *(geometry.along_y or ()))
    first = geometry.first_pixel_mm((images.shape[1], images.shape[2]))
    kind: dict[str, object] = {
        "FrameType": list(image.ImageType),
        "PixelPresentation": "MONOCHROME",
        "VolumetricProperties": "VOLUME",
    }
    kind |= {"VolumeBasedCalculationTechnique": "NONE", "ComplexImageComponent": "MAGNITUDE"}
    shared: dict[str, dict[str, object]] = {
        "PixelMeasuresSequence": measures,
        "PlaneOrientationSequence": {"ImageOrientationPatient": [_decimal(cosine) for cosine in rows]},
        "PlanePositionSequence": {"ImagePositionPatient": [_decimal(place) for place in first]},
        "PixelValueTransformationSequence": {
            "RescaleIntercept": 0,
            "RescaleSlope": _decimal(slope),
            "RescaleType": "US",
        },
        "MRImageFrameTypeSequence": kind | {"AcquisitionContrast": "UNKNOWN"},
        "FrameVOILUTSequence": {"WindowCenter": _decimal(slope * LEVELS / 2), "WindowWidth": _decimal(slope * LEVELS)},
        "FrameAnatomySequence": {"FrameLaterality": "U"},
    }
    image.SharedFunctionalGroupsSequence = [_dataset({name: [_dataset(of)] for name, of in shared.items()})]
    frames = []
    for number in range(len(images)):
        content = {"FrameAcquisitionNumber": 1, "DimensionIndexValues": [number + 1]}
        content |= {"StackID": "1", "InStackPositionNumber": 1, "TemporalPositionIndex": number + 1}
        groups = {"FrameContentSequence": [_dataset(content)]}
        if times_s is not None:
            delay = {"NominalCardiacTriggerDelayTime": float(1000 * (times_s[number] - times_s[0]))}
            groups["CardiacSynchronizationSequence"] = [_dataset(delay)]
        frames.append(_dataset(groups))
    image.PerFrameFunctionalGroupsSequence = frames
    organisation = generate_uid(entropy_srcs=[image.SeriesInstanceUID, "dimensions"])
    image.DimensionOrganizationSequence = [_dataset({"DimensionOrganizationUID": organisation})]
    from pydicom.tag import Tag

    index = {"DimensionOrganizationUID": organisation, "DimensionIndexPointer": Tag("TemporalPositionIndex")}
    index["FunctionalGroupPointer"] = Tag("FrameContentSequence")
    image.DimensionIndexSequence = [_dataset(index)]


def _dataset(values: Mapping[str, object]) -> "Dataset":
    from pydicom import Dataset

    made = Dataset()
    for name, value in values.items():
        setattr(made, name, value)
    return made


def _decimal(value: float) -> str:
    """Return `value` as a decimal string of DICOM: at most sixteen characters."""
    from pydicom.valuerep import format_number_as_ds

    return format_number_as_ds(float(value))
