"""Image sequences as images of ISMRMRD, which reconstruction toolboxes of MRI read.

S. J. Inati et al., "ISMRM Raw Data format: A proposed standard for MRI raw datasets", Magnetic Resonance in Medicine 77
(2017) 411-421; the header is that of `ismrmrd.h`, version 1.
"""

from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

import h5py
import numpy as np

from step.io.atomic import whole_file
from step.io.geometry import Geometry
from step.io.hdf5 import create_hdf5

VERSION = 1
GROUP = "dataset"
FLOAT, COMPLEX_FLOAT = 5, 7
"""Types of data, as the format numbers them."""

MAGNITUDE, COMPLEX = 1, 5
"""Types of images, as the format numbers them."""

HEADER = np.dtype(
    [
        ("version", "<u2"),
        ("data_type", "<u2"),
        ("flags", "<u8"),
        ("measurement_uid", "<u4"),
        ("matrix_size", "<u2", (3,)),
        ("field_of_view", "<f4", (3,)),
        ("channels", "<u2"),
        ("position", "<f4", (3,)),
        ("read_dir", "<f4", (3,)),
        ("phase_dir", "<f4", (3,)),
        ("slice_dir", "<f4", (3,)),
        ("patient_table_position", "<f4", (3,)),
        ("average", "<u2"),
        ("slice", "<u2"),
        ("contrast", "<u2"),
        ("phase", "<u2"),
        ("repetition", "<u2"),
        ("set", "<u2"),
        ("acquisition_time_stamp", "<u4"),
        ("physiology_time_stamp", "<u4", (3,)),
        ("image_type", "<u2"),
        ("image_index", "<u2"),
        ("image_series_index", "<u2"),
        ("user_int", "<i4", (8,)),
        ("user_float", "<f4", (8,)),
        ("attribute_string_len", "<u4"),
    ]
)
COMPLEX_PAIR = np.dtype([("real", "<f4"), ("imag", "<f4")])


def write_ismrmrd_images(
    path: Path,
    videos: Mapping[str, np.ndarray],
    scale: float,
    geometry: Geometry,
    times_s: np.ndarray | None,
    patient: str,
    source: str,
) -> None:
    """Write `videos` (time, 2, y, x), real and imaginary part, as the file `path`, whole or not at all.

    Each is a group of its name with an image a frame, the frames counted as phases of the heart's cycle, in the raw
    file's units: complex, but for a standard deviation (`std`), which is the root of the sum of squares of both parts.
    Place and directions are those of `geometry`, 0 where they are unknown. The attributes of an image say its time in
    s, if `times_s` (time,) does, the patient, and in words the `source`.
    """
    with whole_file(path) as part, create_hdf5(part) as file:
        for number, (name, video) in enumerate(videos.items(), 1):
            images = (video[:, 0] + 1j * video[:, 1]).astype(np.complex64) / np.float32(scale)
            is_complex = name != "std"
            data = images.view(COMPLEX_PAIR) if is_complex else np.abs(images)
            attributes = [_attributes(name, frame, times_s, patient, source) for frame in range(len(images))]
            group = file.create_group(f"{GROUP}/{name}")
            group["header"] = _headers(images.shape, is_complex, number, geometry, attributes)
            group["data"] = data[:, None, None]
            group.create_dataset("attributes", data=attributes, dtype=h5py.string_dtype())


def _headers(
    shape: tuple[int, ...], is_complex: bool, series: int, geometry: Geometry, attributes: list[str]
) -> np.ndarray:
    """Return the headers (time,) of images of `shape` (time, y, x)."""
    n_frames, n_rows, n_columns = shape
    headers = np.zeros(n_frames, HEADER)
    headers["version"], headers["channels"], headers["image_series_index"] = VERSION, 1, series
    headers["data_type"] = COMPLEX_FLOAT if is_complex else FLOAT
    headers["image_type"] = COMPLEX if is_complex else MAGNITUDE
    headers["matrix_size"] = n_columns, n_rows, 1
    headers["phase"], headers["image_index"] = np.arange(n_frames), np.arange(1, n_frames + 1)
    headers["attribute_string_len"] = [len(text.encode()) for text in attributes]
    if geometry.pixel_mm is not None:
        along_y, along_x = geometry.pixel_mm
        headers["field_of_view"] = n_columns * along_x, n_rows * along_y, geometry.thickness_mm or 0
    if geometry.is_placed:
        headers["position"] = geometry.centre_mm
        headers["read_dir"], headers["phase_dir"] = geometry.along_x, geometry.along_y
        headers["slice_dir"] = geometry.normal
    return headers


def _attributes(name: str, frame: int, times_s: np.ndarray | None, patient: str, source: str) -> str:
    """Return the attributes of one image as the format's XML."""
    known = {"ImageComments": f"{name}; {source}", "PatientID": patient}
    if times_s is not None:
        known["FrameTime_s"] = f"{times_s[frame]:.6g}"
    entries = "".join(f"<meta><name>{key}</name><value>{escape(value)}</value></meta>" for key, value in known.items())
    return f"<ismrmrdMeta>{entries}</ismrmrdMeta>"
