"""Movies in the HDF5 layout of ehtim (eht-imaging), written and read one frame at a time.

The attributes of an empty dataset `header` are byte strings, `times` (time,) are hours UTC since the day `mjd` began,
and `I` (time, y, x) is in Jy per pixel as it is displayed: row 0 is the north, column 0 the east.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from step.errors import InputError
from step.io.atomic import whole_file
from step.io.foreign_hdf5 import check_frame_size, read_foreign_dataset, read_part
from step.io.hdf5 import create_hdf5, open_hdf5

ATTRIBUTES = {"pixel_rad": "psize", "source": "source", "ra_h": "ra", "dec_deg": "dec", "rf_hz": "rf", "mjd": "mjd"}
"""The fields of a header and their names in the file."""

REMEDY = "save it with ehtim's Movie.save_hdf5 in Stokes parameters, or leave it out"


@dataclass(frozen=True)
class EhtMovieHeader:
    """What an ehtim movie says of all its frames."""

    pixel_rad: float  # side of a pixel
    source: str  # e.g. SgrA
    ra_h: float
    dec_deg: float
    rf_hz: float
    mjd: int


@dataclass(frozen=True)
class EhtMovie:
    """An open ehtim movie."""

    header: EhtMovieHeader
    times_h: np.ndarray  # (time,), float64
    dataset: h5py.Dataset  # (time, y, x), Jy per pixel

    @property
    def frames(self) -> Iterator[np.ndarray]:
        """The frames (y, x) in order, each read when it is asked for; `InputError` for one that is damaged."""
        return (read_part(self.dataset, number) for number in range(len(self.dataset)))


def write_eht_movie(
    path: Path, header: EhtMovieHeader, times_h: Sequence[float] | np.ndarray, frames: Iterable[np.ndarray]
) -> None:
    """Write `frames` (y, x) in Jy per pixel, one in memory at a time, to `path`, whole or not at all.

    `times_h` are their times in hours UTC. ehtim reads the file with `ehtim.movie.load_hdf5`; its own writer fails
    with numpy 2.
    """
    with whole_file(path) as part, create_hdf5(part) as file:
        head = file.create_dataset("header", (0,), "S10")
        values = {name: getattr(header, field) for field, name in ATTRIBUTES.items()}
        for name, value in (values | {"polrep": "stokes", "pol_prim": "I"}).items():
            head.attrs[name] = np.bytes_(ascii_text(str(value)))
        file.create_dataset("times", data=np.asarray(times_h, np.float64))
        _write_frames(file, len(times_h), frames)


def ascii_text(text: str) -> str:
    """Return `text` with escapes such as ``\\xe9`` for what is not ASCII, which FITS and ehtim do not read."""
    return text.encode("ascii", "backslashreplace").decode("ascii")


@contextmanager
def open_eht_movie(path: Path) -> Iterator[EhtMovie]:
    """Yield the ehtim movie `path`, of which no frame is read yet.

    Raises `InputError` where it is damaged, lacks a field of the header, or does not hold Stokes I.
    """
    with open_hdf5(path) as file:
        header = _read_header(file)
        dataset, times = (read_foreign_dataset(file, name, REMEDY) for name in ("I", "times"))
        if dataset.ndim != 3 or 0 in dataset.shape or dataset.dtype.kind != "f":
            raise InputError(f"I is {_kind(dataset)}, a movie has floats (time, y, x): {path}; {REMEDY}")
        if times.shape != dataset.shape[:1] or times.dtype.kind not in "fiu":
            raise InputError(f"times is {_kind(times)}, the movie has {len(dataset)} frames: {path}; {REMEDY}")
        check_frame_size(dataset, len(dataset))
        yield EhtMovie(header, read_part(times, ()).astype(np.float64), dataset)


def _write_frames(file: h5py.File, n_frames: int, frames: Iterable[np.ndarray]) -> None:
    written = 0
    for frame in frames:
        if "I" not in file:
            file.create_dataset("I", (n_frames, *frame.shape), np.float64, chunks=(1, *frame.shape))
        if written == n_frames or frame.shape != file["I"].shape[1:]:
            raise ValueError(f"frame {written} of {n_frames} has shape {frame.shape}: {file.filename}")
        file["I"][written] = frame
        written += 1
    if written != n_frames:
        raise ValueError(f"{written} frames came, {n_frames} times were given: {file.filename}")


def _read_header(file: h5py.File) -> EhtMovieHeader:
    attributes = read_foreign_dataset(file, "header", REMEDY).attrs
    missing = sorted(set(ATTRIBUTES.values()) - set(attributes))
    if missing:
        raise InputError(f"the header lacks {', '.join(missing)}: {file.filename}; {REMEDY}")
    texts = {
        field: value.decode(errors="replace") if isinstance(value := attributes[name], bytes) else str(value)
        for field, name in ATTRIBUTES.items()
    }
    source, numbers = texts.pop("source"), {}
    for field, text in texts.items():
        try:
            numbers[field] = float(text)
        except ValueError:
            raise InputError(
                f"{ATTRIBUTES[field]} in the header is {text!r}, not a number: {file.filename}; {REMEDY}"
            ) from None
    mjd = numbers.pop("mjd")
    if not 0 < numbers["pixel_rad"] < 1 or not np.isfinite(mjd):
        raise InputError(
            f"the header has psize {numbers['pixel_rad']:g} rad and mjd {mjd:g}: {file.filename}; {REMEDY}"
        )
    return EhtMovieHeader(source=source, mjd=int(mjd), **numbers)


def _kind(dataset: h5py.Dataset) -> str:
    return f"{dataset.dtype} of shape {dataset.shape}"
