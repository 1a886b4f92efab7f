"""k-space in numpy's `.npz`, by documented names: what to save where no other format is at hand."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from step.errors import InputError
from step.io.geometry import Geometry
from step.io.kspace.masks import lines_of_samples
from step.io.kspace.recording import MAX_SLICE_BYTES, KspaceSlice, Selection, check_number, measured_lines

NAMES = {
    "kspace": "complex (slice, time, coil, ky, kx), or one slice (time, coil, ky, kx); the zero frequency at n // 2",
    "mask": "(ky,), (time, ky), (ky, kx) or (time, ky, kx), above 0 where measured; else zeros were not measured",
    "noise": "complex (coil, sample), measured without signal at the bandwidth of the readouts",
    "pixel_mm": "sides of a pixel of the whole matrix along ky and kx, mm, or one number for both",
    "thickness_mm": "of the slice, mm",
    "centre_mm": "of the pixel n // 2 of both axes, (3,) or (slice, 3), mm towards left, posterior, superior",
    "along_x": "unit vector towards the next column, (3,) or (slice, 3), same axes",
    "along_y": "unit vector towards the next row, (3,) or (slice, 3), same axes",
    "frame_times_s": "(time,), s",
    "patient": "text",
}
"""The arrays that a file may hold; only `kspace` has to be there, others are refused."""

MAGIC = b"PK\x03\x04"


def recognises(path: Path) -> bool:
    """Return whether `path` is a zip with an array `kspace`."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return "kspace.npy" in archive.namelist()


def count_slices(path: Path, remedy: str) -> int:
    """Return the length of the axis slice, 1 where there is none."""
    shape, _ = _header(path, "kspace", remedy)
    return shape[0] if len(shape) == 5 else 1


def read(path: Path, selection: Selection) -> KspaceSlice:
    """Return one slice of the archive `path`; raises `InputError` for arrays that are not of `NAMES` or do not fit."""
    n_slices = count_slices(path, selection.remedy)
    check_number("slice", selection.slice, n_slices, path)
    arrays = _read_arrays(path, selection.remedy)
    kspace = arrays.pop("kspace")
    if kspace.dtype.kind != "c" or kspace.ndim not in (4, 5) or 0 in kspace.shape:
        raise InputError(f"kspace has type {kspace.dtype} and shape {kspace.shape}, it is {NAMES['kspace']}: {path}")
    kspace = kspace[selection.slice] if kspace.ndim == 5 else kspace
    kspace = np.ascontiguousarray(kspace.swapaxes(0, 1), np.complex64)
    mask, is_complete = measured_lines(kspace), False
    if "mask" in arrays:
        mask, is_complete = lines_of_samples(arrays["mask"], kspace.shape, path), True
    elif selection.mask is not None:
        mask = lines_of_samples(_read_arrays(selection.mask, selection.remedy, "mask")["mask"], kspace.shape, path)
        is_complete = True
    times = arrays.get("frame_times_s")
    return KspaceSlice(
        path=path,
        variable="kspace",
        kspace=kspace,
        mask=mask,
        noise=_noise(arrays, path),
        geometry=_geometry(arrays, selection.slice, n_slices, path),
        frame_times_s=None if times is None else _numbers(times, "frame_times_s", path),
        patient=str(arrays["patient"]) if "patient" in arrays else "",
        is_complete=is_complete,
    )


def _read_arrays(path: Path, remedy: str, required: str = "kspace") -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
    except (zipfile.BadZipFile, OSError) as error:
        raise InputError(f"cannot read {path}: {error}; copy it again, or {remedy}") from None
    if unknown := sorted(set(names) - set(NAMES)):
        raise InputError(f"{path} holds {', '.join(unknown)}, which is none of {', '.join(NAMES)}; rename or remove it")
    if required not in names:
        raise InputError(f"{path} holds {', '.join(names)} and no {required}; {remedy}")
    for name in names:
        shape, dtype = _header(path, name, remedy)
        if np.prod(shape, dtype=float) * dtype.itemsize > MAX_SLICE_BYTES:
            raise InputError(f"{name} claims shape {shape}, more than a cine has: {path}; {remedy}")
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in names}
    # A RuntimeError is a compression that zipfile does not know, or encryption.
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
        raise InputError(f"cannot read {path}: {' '.join(str(error).split())}; copy it again, or {remedy}") from None


def _header(path: Path, name: str, remedy: str) -> tuple[tuple[int, ...], np.dtype]:
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as member:
            version = np.lib.format.read_magic(member)
            read_header = (
                np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = read_header(member)
    except KeyError:
        raise InputError(f"no array {name} in {path}; {remedy}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
        raise InputError(f"cannot read {name} of {path}: {' '.join(str(error).split())}; {remedy}") from None
    return shape, dtype


def _noise(arrays: dict[str, np.ndarray], path: Path) -> np.ndarray | None:
    if "noise" not in arrays:
        return None
    noise = arrays["noise"]
    if noise.dtype.kind != "c":
        raise InputError(f"noise has type {noise.dtype} and shape {noise.shape}: {path}; it is {NAMES['noise']}")
    return noise.astype(np.complex64)


def _geometry(arrays: dict[str, np.ndarray], number: int, n_slices: int, path: Path) -> Geometry:
    known = {}
    for name in ("centre_mm", "along_x", "along_y"):
        if name in arrays:
            values = _numbers(arrays[name], name, path)
            if values.shape not in ((3,), (n_slices, 3)):
                raise InputError(f"{name} has shape {values.shape}: {path}; it is {NAMES[name]}")
            x, y, z = (values if values.ndim == 1 else values[number]).tolist()
            known[name] = (x, y, z)
    pixel = thickness = None
    if "pixel_mm" in arrays:
        sides = _numbers(arrays["pixel_mm"], "pixel_mm", path).ravel()
        if sides.size not in (1, 2):
            raise InputError(f"pixel_mm has {sides.size} numbers: {path}; it is {NAMES['pixel_mm']}")
        pixel = (float(sides[0]), float(sides[-1]))
    if "thickness_mm" in arrays:
        thickness = float(_numbers(arrays["thickness_mm"], "thickness_mm", path).ravel()[0])
    return Geometry(pixel, thickness, **known)


def _numbers(values: np.ndarray, name: str, path: Path) -> np.ndarray:
    if values.dtype.kind not in "fiu" or not values.size:
        raise InputError(f"{name} has type {values.dtype} and shape {values.shape}: {path}; it is {NAMES[name]}")
    return values.astype(np.float64)
