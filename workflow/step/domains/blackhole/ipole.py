"""Images by the ray tracer ipole, HDF5, one a file.

Intensities are in cgs units, `pol` (x, y, 5) with Stokes I, Q, U, V and the optical depth, or `unpol` (x, y); y goes
upwards. The camera is given in units of GM/c^2, the time in GM/c^3.
"""

from pathlib import Path

import h5py
import numpy as np

from step.domains.blackhole.raw_frames import REMEDY, FrameHeader, square_pixel
from step.errors import InputError
from step.io.foreign_hdf5 import check_frame_size, read_foreign_dataset, read_part
from step.io.hdf5 import open_hdf5
from step.units import RAD_PER_UAS

TOLERANCE = 1e-3
"""By which two values of the pixel size may differ: codes round their constants differently."""


def read_header(path: Path) -> FrameHeader:
    """Return what the file says of its image; raises `InputError` where it is incomplete or contradicts itself."""
    with open_hdf5(path) as file:
        n_y, n_x = shape = _find_image(file).shape[1::-1]
        for name, n in (("nx", n_x), ("ny", n_y)):
            said = _read_number(file, f"camera/{name}")
            if said not in (None, n):
                raise InputError(f"header/camera/{name} is {said:g}, the image has {n}: {path}; {REMEDY}")
        return FrameHeader(
            shape=shape,
            pixel_rad=square_pixel(_pixel_rad(file, "x", n_x), _pixel_rad(file, "y", n_y), path),
            time_s=_time_s(file),
            rf_hz=np.nan if (frequency := _read_number(file, "freqcgs")) is None else frequency,
        )


def read_frame(path: Path) -> np.ndarray:
    """Return the image (y, x) as displayed, row 0 the top, in Jy per pixel: I times `header/scale`."""
    with open_hdf5(path) as file:
        dataset = _find_image(file)
        intensity = read_part(dataset, (slice(None), slice(None), 0) if dataset.ndim == 3 else ())
        return intensity.T[::-1] * _require_number(file, "scale")


def _find_image(file: h5py.File) -> h5py.Dataset:
    name = "pol" if "pol" in set(file) else "unpol"
    dataset = read_foreign_dataset(file, name, f"name a folder of ipole images, or {REMEDY}")
    n_axes = {"pol": 3, "unpol": 2}[name]
    if dataset.ndim != n_axes or 0 in dataset.shape or dataset.dtype.kind != "f":
        axes = "(x, y, Stokes)" if name == "pol" else "(x, y)"
        raise InputError(
            f"{name} is {dataset.dtype} of shape {dataset.shape}, ipole writes floats {axes}: {file.filename}; {REMEDY}"
        )
    check_frame_size(dataset, 1)
    return dataset


def _pixel_rad(file: h5py.File, axis: str, n: int) -> float:
    """Return the side of a pixel along an axis from the camera's width, in GM/c^2, in microarcseconds, or both."""
    width_uas, width = (_read_number(file, f"camera/{name}") for name in (f"fov{axis}_dsource", f"d{axis}"))
    if width is None:
        if width_uas is None:
            raise InputError(f"no header/camera/d{axis} and no fov{axis}_dsource: {file.filename}; {REMEDY}")
        return width_uas * RAD_PER_UAS / n
    pixel_rad = width * _require_number(file, "units/L_unit") / _require_number(file, "dsource") / n
    if width_uas is not None and not abs(width_uas * RAD_PER_UAS / n - pixel_rad) <= TOLERANCE * pixel_rad:
        raise InputError(
            f"header/camera/d{axis} makes the image {pixel_rad * n / RAD_PER_UAS:.6g} microarcseconds wide, "
            f"fov{axis}_dsource {width_uas:.6g}: {file.filename}; correct its header or {REMEDY}"
        )
    return pixel_rad


def _time_s(file: h5py.File) -> float | None:
    time = _read_number(file, "t")
    return None if time is None else time * _require_number(file, "units/T_unit")


def _require_number(file: h5py.File, name: str) -> float:
    value = _read_number(file, name)
    if value is None:
        raise InputError(f"no header/{name}: {file.filename}; write the image again with ipole, or {REMEDY}")
    return value


def _read_number(file: h5py.File, name: str) -> float | None:
    """Return the number `name` of the header, None where there is none."""
    if f"header/{name}" not in file:
        return None
    dataset = read_foreign_dataset(file, f"header/{name}", REMEDY)
    if dataset.size != 1 or dataset.dtype.kind not in "fiu":
        raise InputError(
            f"header/{name} is {dataset.dtype} of shape {dataset.shape}, not a number: {file.filename}; {REMEDY}"
        )
    value = float(read_part(dataset, ()).item())
    if not np.isfinite(value):
        raise InputError(f"header/{name} is {value}: {file.filename}; correct its header or {REMEDY}")
    return value
