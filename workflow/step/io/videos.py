"""Prepared videos: one HDF5 file per ingestion job, and the index that says who is trained on and who is not.

A file may hold single images too, in a group of its own: videos of one frame, for the image set alone.

Frames lie uncompressed and contiguous, so that training reads them through a memory map: nothing is loaded
but what a batch needs, and a second epoch comes from the operating system's page cache.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import h5py
import numpy as np

from step.errors import InputError
from step.io.atomic import whole_file
from step.io.hdf5 import create_hdf5, open_hdf5, read_dataset

GROUP_OF = {"video": "/", "image": "/single_images"}
"""Where a prepared file has the videos of each kind."""


@dataclass(frozen=True)
class VideoRecord:
    """One prepared video: where it lies and what it may be used for."""

    video: str  # unique name, e.g. TrainingSet-P001-sax-03-00
    subject: str  # patient or simulation, never split
    source: str  # the sequence that it was cut from
    file: str  # prepared file, relative to the index
    row: int  # row of the file's `videos`, or of those of its single images
    kind: str  # video, or image: a single one
    split: str  # train, validation or test
    use: str  # train: "video" (both sets), "image" or "unused"; held out: a name, e.g. video003, or "unused"


@dataclass(frozen=True)
class PreparedVideo:
    """One video on its way to a prepared file."""

    video: str  # unique name, e.g. TrainingSet-P001-sax-03-00
    subject: str
    source: str  # the sequence that it was cut from
    scale: float  # factor that the raw sequence was multiplied by
    offset: float  # what was added afterwards
    frames: np.ndarray  # (time, channel, y, x)


def write_videos(
    path: Path,
    shape: tuple[int, ...],
    videos: Iterable[PreparedVideo],
    single_images: tuple[int, Iterable[PreparedVideo]] = (0, ()),
) -> None:
    """Write prepared `videos`, one in memory at a time, to `path`, whole or not at all.

    `shape` is that of all of them, (video, time, channel, y, x); they are stored as float32, with the text
    columns `video`, `subject` and `source` and the numbers `scale` and `offset`, so that ``(videos - offset) / scale``
    has the raw file's units. `single_images` are how many there are, and videos of one frame each.
    """
    n_images, images = single_images
    with whole_file(path) as part, create_hdf5(part) as file:
        _write_group(file, shape, videos)
        if n_images:
            _write_group(file.create_group(GROUP_OF["image"]), (n_images, 1, *shape[2:]), images)


def _write_group(group: h5py.Group, shape: tuple[int, ...], videos: Iterable[PreparedVideo]) -> None:
    columns: dict[str, list] = {"video": [], "subject": [], "source": [], "scale": [], "offset": []}
    dataset = group.create_dataset("videos", shape, np.float32)
    dataset.attrs["axes"] = "video, time, channel, y, x"
    dataset.attrs["units"] = "raw units times scale plus offset"
    for row, video in enumerate(videos):
        dataset[row] = video.frames
        for name, column in columns.items():
            column.append(getattr(video, name))
    if len(columns["video"]) != shape[0]:
        raise ValueError(f"{len(columns['video'])} videos came, {shape[0]} were announced: {group.file.filename}")
    for name in ("scale", "offset"):
        group.create_dataset(name, data=np.asarray(columns.pop(name), np.float64))
    for name, column in columns.items():
        group.create_dataset(name, data=column, dtype=h5py.string_dtype())


def read_columns(path: Path, names: Iterable[str], kind: str = "video") -> list[dict[str, str]]:
    """Return one mapping per prepared video, or single image, of `path` with its text columns `names`."""
    with open_hdf5(path) as file:
        if kind == "image" and GROUP_OF[kind] not in file:
            return []
        columns = {name: read_dataset(file, f"{GROUP_OF[kind]}/{name}").asstr()[()] for name in names}
        n_videos = len(read_dataset(file, f"{GROUP_OF[kind]}/videos"))
    return [{name: column[row] for name, column in columns.items()} for row in range(n_videos)]


def write_index(path: Path, records: Sequence[VideoRecord]) -> None:
    """Write the index of a domain's videos as CSV."""
    with whole_file(path) as part, part.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(VideoRecord)])
        writer.writeheader()
        writer.writerows(asdict(record) for record in records)


def read_index(path: Path) -> list[VideoRecord]:
    """Return the records of an index; raises `InputError` where it is not one."""
    if not path.is_file():
        raise InputError(f"no index of videos {path}; run the split stage first")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = {field.name for field in fields(VideoRecord)}
    if rows and set(rows[0]) != names:
        raise InputError(f"{path} has columns {sorted(rows[0])}, an index has {sorted(names)}")
    return [VideoRecord(row=int(row.pop("row")), **row) for row in rows]


class VideoStore:
    """The prepared videos of an index, read from disk as they are asked for."""

    def __init__(self, index: Path, records: Sequence[VideoRecord] | None = None):
        self.records = list(read_index(index) if records is None else records)
        self._folder = index.parent
        self._maps: dict[tuple[str, str], np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.records)

    def select(self, split: str, use: str | None = None) -> "VideoStore":
        """Return the part of the store in `split`, and with `use` if given."""
        chosen = [r for r in self.records if r.split == split and use in (None, r.use)]
        store = VideoStore(self._folder / "index.csv", chosen)
        store._maps = self._maps
        return store

    def video(self, number: int) -> np.ndarray:
        """Return video `number` (time, channel, y, x), float32, without reading it yet."""
        record = self.records[number]
        return self._map(record.file, record.kind)[record.row]

    def named(self, use: str) -> np.ndarray:
        """Return the held-out video that the study calls `use`, e.g. ``video003``."""
        for number, record in enumerate(self.records):
            if record.use == use:
                return self.video(number)
        raise InputError(f"the index in {self._folder} has no video called {use}")

    def _map(self, name: str, kind: str) -> np.ndarray:
        if (name, kind) not in self._maps:
            path = self._folder / name
            with open_hdf5(path) as file:
                dataset = read_dataset(file, f"{GROUP_OF[kind]}/videos")
                shape, dtype, offset = dataset.shape, dataset.dtype, dataset.id.get_offset()
            if dtype != np.float32 or offset is None:
                raise InputError(f"{path}: videos are not contiguous float32; prepare the file again")
            self._maps[name, kind] = np.memmap(path, np.float32, "r", offset, shape)
        return self._maps[name, kind]
