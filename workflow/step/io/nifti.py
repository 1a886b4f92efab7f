"""Image sequences as NIfTI-1 files, which viewers and toolboxes of medical imaging read."""

import gzip
from collections.abc import Mapping
from pathlib import Path

import nibabel
import numpy as np

from step.io.atomic import whole_file
from step.io.geometry import Geometry


def write_magnitudes(
    folder: Path,
    videos: Mapping[str, np.ndarray],
    scale: float,
    units: str,
    pixel_mm: float | None,
    frame_s: float | None,
    geometry: Geometry | None = None,
) -> list[Path]:
    """Write each of `videos` (time, channel, y, x) as ``NAME.nii.gz`` into `folder`, and return the files.

    Values are the root of the sum of squares over channels, divided by `scale` and then in `units`, in words. For a
    standard deviation per channel that is the root mean square distance of the complex samples from their mean.
    """
    files = []
    for name, video in videos.items():
        magnitude = np.sqrt(np.square(video, dtype=np.float64).sum(axis=1)) / scale
        files.append(folder / f"{name}.nii.gz")
        unknown = "" if geometry and geometry.is_placed else "; orientation and thickness unknown"
        write_nifti(files[-1], magnitude, pixel_mm, frame_s, f"{name}: magnitude, {units}{unknown}", geometry)
    return files


def write_nifti(
    path: Path,
    images: np.ndarray,
    pixel_mm: float | None,
    frame_s: float | None,
    description: str,
    geometry: Geometry | None = None,
) -> None:
    """Write real `images` (time, y, x) of one slice to `path` (`.nii.gz`), whole or not at all.

    The file's axes are (x, y, slice, time), float32. `pixel_mm` is the side of a pixel and `frame_s` the time between
    frames; of what is None the header says that the unit is unknown, and the number is 1. `description` are at most
    79 characters of ASCII.

    Where `geometry` says where the slice lies in the patient, the affine is that, its codes say scanner coordinates,
    and `pixel_mm` does not count. Else where the patient lies is not known: the affine puts the middle of the image at
    the origin and lets x run to the patient's left and y to the back, so that a viewer in radiological convention shows
    row 0 at the top and column 0 at the left; its code says that it aligns the files with each other, not with an
    anatomy. The slice's thickness is not known either; it is written as the side of a pixel.
    """
    frame = frame_s or 1.0
    volume = np.ascontiguousarray(images.transpose(2, 1, 0)[:, :, None], np.float32)
    is_placed = geometry is not None and geometry.is_placed
    if geometry is None or not is_placed:
        # With the zero frequency at index n // 2 of an axis, that pixel is its middle.
        geometry = Geometry().with_pixel(pixel_mm)
    affine = geometry.affine((images.shape[1], images.shape[2]))
    image = nibabel.Nifti1Image(volume, affine)
    image.header.set_zooms((*np.linalg.norm(affine[:3, :3], axis=0), frame))
    has_unit = is_placed or pixel_mm is not None
    image.header.set_xyzt_units("mm" if has_unit else "unknown", "unknown" if frame_s is None else "sec")
    image.set_sform(affine, "scanner" if is_placed else "aligned")
    image.set_qform(affine if is_placed else None, "scanner" if is_placed else "unknown")
    image.header["descrip"] = description
    # nibabel would choose the format by the suffix, which an unfinished file does not have; and it would write the
    # time into the compressed file, so that equal images gave different files.
    with whole_file(path) as part:
        part.write_bytes(gzip.compress(image.to_bytes(), compresslevel=1, mtime=0))
