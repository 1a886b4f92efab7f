"""Small DICOM cines with known values: frame t of slice s is 100 (s + 1) + t everywhere."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

SHAPE = (6, 8)  # y, x
AXIAL = [1, 0, 0, 0, 1, 0]
SERIES = generate_uid()


def image(pixels: np.ndarray, **tags: object) -> FileDataset:
    """Return a DICOM image; a tag whose value is None is left out."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(None, {}, file_meta=meta, preamble=bytes(128))
    defaults = {
        "SOPClassUID": MRImageStorage,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "PatientID": "heart",
        "SeriesInstanceUID": SERIES,
        "SeriesNumber": 1,
        "ImageOrientationPatient": AXIAL,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 0,
    }
    for name, value in (defaults | tags).items():
        if value is not None:
            setattr(dataset, name, value)
    dataset.PixelData = pixels.astype("<u2").tobytes()
    return dataset


def write_cine(
    folder: Path,
    n_slices: int = 1,
    n_frames: int = 12,
    first: int = 1,
    of_image: Callable[[int, int], dict] = lambda s, t: {},
    **tags: object,
) -> int:
    """Write a cine as I0001, I0002, ... by InstanceNumber from `first` on; return the next number.

    Slices lie 10 mm apart, frames 40 ms; `of_image(slice, frame)` changes the tags of one image, `tags` those of all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    number = first
    for s in range(n_slices):
        for t in range(n_frames):
            own = {"ImagePositionPatient": [0, 0, 10.0 * s], "TriggerTime": 40.0 * t, "InstanceNumber": number}
            pixels = np.full(SHAPE, 100 * (s + 1) + t)
            image(pixels, **(own | tags | of_image(s, t))).save_as(folder / f"I{number:04d}", enforce_file_format=True)
            number += 1
    return number


def values(cines: Sequence[np.ndarray]) -> list[list[float]]:
    """Return the value of each frame of each cine."""
    return [cine[:, 0, 0].tolist() for cine in cines]


def frames_of(s: int, n_frames: int = 12) -> list[float]:
    """Return the values of slice `s` in the order of time."""
    return [100.0 * (s + 1) + t for t in range(n_frames)]
