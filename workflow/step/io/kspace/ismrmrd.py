"""ISMRMRD (`.h5`): one acquisition a readout, sorted here into slices and frames by its encoding counters.

Inati et al., ISMRM Raw Data: A Proposed Standard for MRI Raw Datasets, Magn. Reson. Med. 77 (2017); flags and
headers as in `ismrmrd.h` of version 1. OCMR and other open archives are of this kind.
"""

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from xml.etree import ElementTree

import h5py
import numpy as np

from step.errors import InputError
from step.io.foreign_hdf5 import read_part
from step.io.geometry import Geometry
from step.io.hdf5 import open_hdf5
from step.io.kspace.recording import MAX_SLICE_BYTES, KspaceSlice, Selection, check_number

logger = logging.getLogger(__name__)

GROUP = "dataset"
HEADER_FIELDS = ("flags", "idx", "number_of_samples", "active_channels", "center_sample", "position", "sample_time_us")
MAX_XML_BYTES = 2**24
BLOCK, GAP = 256, 8
"""Acquisitions read at once, and how many of others may lie between two of them."""

NOISE, CALIBRATION, CALIBRATION_AND_IMAGING, REVERSE = 19, 20, 21, 22
NO_IMAGE = {
    23: "navigator",
    24: "phase correction",
    26: "feedback",
    27: "dummy",
    28: "feedback",
    29: "surface coil",
} | {
    30: "phase stabilisation",
    31: "phase stabilisation",
}
"""Flags, as they count from 1, of acquisitions that are no lines of the image."""

SAME_PLACE_MM = 0.1


@dataclass(frozen=True)
class _Encoding:
    """What the XML header says of the image's encoding."""

    matrix: tuple[int, int, int]  # x, y, z of the encoded space
    field_mm: tuple[float, float, float]
    centre_line: int | None
    trajectory: str
    patient: str
    repetition_ms: float | None  # TR


def recognises(path: Path) -> bool:
    """Return whether `path` is HDF5 with the groups of ISMRMRD."""
    if not h5py.is_hdf5(path):
        return False
    with open_hdf5(path) as file:
        return isinstance(file.get(GROUP), h5py.Group) and {"xml", "data"} <= set(file[GROUP])


def count_slices(path: Path, remedy: str) -> int:
    """Return how many slices the acquisitions of `path` count."""
    with open_hdf5(path) as file:
        heads = _read_heads(file, remedy)
        return int(heads["idx"]["slice"][_images(heads, path)].max()) + 1


def read(path: Path, selection: Selection) -> KspaceSlice:
    """Return one slice of the ISMRMRD file `path`.

    Frames are phases of the heart's cycle, or repetitions where there is one phase; averages are averaged. Noise scans
    give the covariance, at the bandwidth of the image's readouts. What else is not of the image is counted in the log.
    Raises `InputError` for other trajectories than Cartesian, several partitions, and what nothing says how to choose.
    """
    with open_hdf5(path) as file:
        encoding = _read_encoding(file, selection.remedy)
        heads = _read_heads(file, selection.remedy)
        images = _images(heads, path)
        rows = np.flatnonzero(images)
        noise_rows = np.flatnonzero(_has_flag(heads, NOISE))
        _check_encoding(encoding, heads[rows], path, selection.remedy)
        _log_dropped(heads, images, path)
        n_slices = int(heads["idx"]["slice"][rows].max()) + 1
        check_number("slice", selection.slice, n_slices, path)
        rows = rows[heads["idx"]["slice"][rows] == selection.slice]
        if not len(rows):
            raise InputError(f"slice {selection.slice} has no acquisitions: {path}; give another slice")
        time_axis = _time_axis(heads[rows], selection, path)
        rows = _select(heads, rows, time_axis, selection, path)
        rows, counts = _equal_averages(heads, rows, time_axis, path)
        kspace, mask, is_partial = _read_lines(file, heads, rows, counts, time_axis, encoding, selection)
        noise = _read_noise(file, heads, noise_rows, rows, path, selection.remedy)
        geometry = _geometry(file, heads, rows, encoding, path)
    return KspaceSlice(
        path=path,
        variable="data",
        kspace=kspace,
        mask=mask,
        noise=None if noise is None else noise / np.float32(counts**0.5),
        geometry=geometry,
        frame_times_s=_frame_times(heads[rows], time_axis, encoding),
        patient=encoding.patient,
        is_partial=is_partial,
        is_complete=bool(mask.all()),
    )


# --- headers


def _read_encoding(file: h5py.File, remedy: str) -> _Encoding:
    path = file.filename
    stored = file[GROUP]["xml"]
    if not isinstance(stored, h5py.Dataset) or stored.size != 1:
        raise InputError(f"{path}: dataset/xml is no text; {remedy}")
    content = np.asarray(read_part(stored, (), "dataset/xml", remedy), object).ravel()[0]
    text = content.encode() if isinstance(content, str) else bytes(content)
    # The format has no document type, and one can blow up a few bytes to gigabytes.
    if len(text) > MAX_XML_BYTES or b"<!DOCTYPE" in text:
        raise InputError(f"{path}: dataset/xml is no header of ISMRMRD ({len(text)} bytes); {remedy}")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise InputError(f"{path}: dataset/xml is damaged: {error}; copy it again or {remedy}") from None
    names = {node.tag: node.tag.rpartition("}")[2] for node in root.iter()}
    for node in root.iter():
        node.tag = names[node.tag]
    encoding = root.find("encoding")
    if encoding is None:
        raise InputError(f"{path}: dataset/xml has no encoding; {remedy}")

    def number(where: str) -> float:
        try:
            value = float(encoding.findtext(where) or "")
        except ValueError:
            raise InputError(f"{path}: dataset/xml has no number in encoding/{where}; {remedy}") from None
        if not value > 0:
            raise InputError(f"{path}: encoding/{where} is {value:g}, it has to be above 0; {remedy}")
        return value

    matrix = [int(number(f"encodedSpace/matrixSize/{axis}")) for axis in "xyz"]
    field = [number(f"encodedSpace/fieldOfView_mm/{axis}") for axis in "xyz"]
    centre = encoding.findtext("encodingLimits/kspace_encoding_step_1/center")
    repetition = root.findtext("sequenceParameters/TR")
    return _Encoding(
        matrix=(matrix[0], matrix[1], matrix[2]),
        field_mm=(field[0], field[1], field[2]),
        centre_line=int(centre) if centre is not None and centre.strip().isdigit() else None,
        trajectory=(encoding.findtext("trajectory") or "").strip().lower(),
        patient=(root.findtext("subjectInformation/patientID") or "").strip(),
        repetition_ms=_positive(repetition),
    )


def _positive(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if np.isfinite(value) and value > 0 else None


def _read_heads(file: h5py.File, remedy: str) -> np.ndarray:
    """Return the headers of all acquisitions, their samples unread."""
    data = file[GROUP]["data"]
    fields = data.dtype.fields if isinstance(data, h5py.Dataset) else None
    if (
        not fields
        or not {"head", "data"} <= set(fields)
        or not set(HEADER_FIELDS) <= set(fields["head"][0].names or ())
    ):
        raise InputError(f"{file.filename}: dataset/data has no acquisitions of ISMRMRD; {remedy}")
    if not data.size:
        raise InputError(f"{file.filename}: dataset/data has no acquisition; {remedy}")
    try:
        return _heads_of(file.filename, Path(file.filename).stat().st_mtime_ns)
    except OSError as error:
        raise InputError(
            f"cannot read the headers of {file.filename}: {' '.join(str(error).split())}; copy it again or {remedy}"
        ) from None


@lru_cache(maxsize=1)  # the slices of a file are read one after the other
def _heads_of(path: str, modified_ns: int) -> np.ndarray:
    with h5py.File(path) as file:
        data = file[GROUP]["data"]
        # Whole acquisitions: of a part of their fields HDF5 keeps the memory of the samples that it does not give.
        return np.concatenate([data[start : start + BLOCK]["head"] for start in range(0, data.size, BLOCK)])


def _has_flag(heads: np.ndarray, flag: int) -> np.ndarray:
    return (heads["flags"] >> np.uint64(flag - 1)) & np.uint64(1) != 0


def _images(heads: np.ndarray, path: Path) -> np.ndarray:
    """Return which acquisitions (n,) are lines of the image."""
    found = np.ones(len(heads), bool)
    for flag in (NOISE, *NO_IMAGE):
        found &= ~_has_flag(heads, flag)
    found &= ~_has_flag(heads, CALIBRATION) | _has_flag(heads, CALIBRATION_AND_IMAGING)
    if not found.any():
        raise InputError(f"none of {len(heads)} acquisitions is a line of an image: {path}; leave it out")
    return found


def _log_dropped(heads: np.ndarray, images: np.ndarray, path: Path) -> None:
    kinds: Counter[str] = Counter()
    for flag, name in NO_IMAGE.items():
        kinds[name] += int(_has_flag(heads, flag).sum())
    kinds["calibration alone"] = int((_has_flag(heads, CALIBRATION) & ~images & ~_has_flag(heads, NOISE)).sum())
    for name, count in kinds.items():
        if count:
            logger.info("%s: %d of %d acquisitions are left out: %s", path, count, len(heads), name)


def _check_encoding(encoding: _Encoding, heads: np.ndarray, path: Path, remedy: str) -> None:
    if encoding.trajectory != "cartesian":
        raise InputError(
            f"the trajectory is {encoding.trajectory or 'not said'}, only cartesian lines are read: {path}; {remedy}"
        )
    partitions = int(heads["idx"]["kspace_encode_step_2"].max()) + 1
    if partitions > 1 or encoding.matrix[2] > 1:
        raise InputError(
            f"{max(partitions, encoding.matrix[2])} partitions, as a volume has; slices are read: {path}; {remedy}"
        )
    if len(spaces := set(heads["encoding_space_ref"].tolist())) > 1:
        raise InputError(f"lines of {len(spaces)} encoding spaces: {path}; {remedy}")


# --- which acquisitions


def _time_axis(heads: np.ndarray, selection: Selection, path: Path) -> str:
    """Return whether frames are phases or repetitions; several of both need one to be chosen."""
    n_phases, n_repetitions = (len(set(heads["idx"][name].tolist())) for name in ("phase", "repetition"))
    if n_phases > 1 and n_repetitions > 1 and not {"phase", "repetition"} & set(selection.of):
        raise InputError(
            f"there are {n_phases} phases and {n_repetitions} repetitions, so frames are not told: {path}; choose one "
            "with `of: {repetition: 0}`, or `of: {phase: 0}`, in the observation's data"
        )
    return "repetition" if n_phases == 1 or "phase" in selection.of else "phase"


def _select(heads: np.ndarray, rows: np.ndarray, time_axis: str, selection: Selection, path: Path) -> np.ndarray:
    """Return the acquisitions at the chosen place of each axis that no video has."""
    for name in ("phase", "repetition", "contrast", "set"):
        values = heads["idx"][name][rows]
        present = sorted(set(values.tolist()))
        if name == time_axis:
            continue
        if name not in selection.of and len(present) > 1:
            raise InputError(
                f"there are {len(present)} of the counter {name} ({present[0]} to {present[-1]}), one is read: {path}; "
                f"choose it with `of: {{{name}: {present[0]}}}` in the observation's data"
            )
        wanted = selection.of.get(name, present[0])
        if wanted not in present:
            raise InputError(f"{name} {wanted} is not among {present}: {path}; choose one of these")
        if dropped := int((values != wanted).sum()):
            logger.info("%s: %d acquisitions are left out: not of %s %d", path, dropped, name, wanted)
        rows = rows[values == wanted]
    unknown = set(selection.of) - {"phase", "repetition", "contrast", "set"}
    if unknown:
        raise InputError(f"`of` names {sorted(unknown)}; choose among phase, repetition, contrast and set: {path}")
    return rows


def _equal_averages(heads: np.ndarray, rows: np.ndarray, time_axis: str, path: Path) -> tuple[np.ndarray, int]:
    """Return the acquisitions to average, and how many there are of each line: as many of one as of another.

    So that the noise of all lines is the same; what is more of some is left out and counted.
    """
    idx = heads["idx"][rows]
    lines = Counter(zip(idx[time_axis].tolist(), idx["kspace_encode_step_1"].tolist(), strict=True))
    count = min(lines.values())
    seen: Counter[tuple[int, int]] = Counter()
    order = np.lexsort((np.arange(len(rows)), idx["average"]))
    kept = []
    for place in order:
        line = (int(idx[time_axis][place]), int(idx["kspace_encode_step_1"][place]))
        seen[line] += 1
        if seen[line] <= count:
            kept.append(place)
    if len(kept) < len(rows):
        logger.info(
            "%s: %d acquisitions are left out: lines of slice and frame were measured %d to %d times, %d are averaged",
            *(path, len(rows) - len(kept), count, max(lines.values()), count),
        )
    return rows[np.sort(kept)], count


# --- samples


def _read_lines(
    file: h5py.File,
    heads: np.ndarray,
    rows: np.ndarray,
    count: int,
    time_axis: str,
    encoding: _Encoding,
    selection: Selection,
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return k-space (coil, time, ky, kx), its mask (time, ky), and whether readouts were measured in part."""
    path = Path(file.filename)
    chosen = heads[rows]
    n_x, n_y, _ = encoding.matrix
    coils = {int(number) for number in chosen["active_channels"]}
    if len(coils) > 1:
        raise InputError(f"lines of {sorted(coils)} coils in one slice: {path}; {selection.remedy}")
    frames = {value: number for number, value in enumerate(sorted(set(chosen["idx"][time_axis].tolist())))}
    n_coils = coils.pop()
    if n_coils * len(frames) * n_y * n_x * 8 > MAX_SLICE_BYTES:
        raise InputError(
            f"the header claims {len(frames)} frames of {n_coils} coils and {n_x} x {n_y} samples: {path}; "
            f"{selection.remedy}"
        )
    line, sample = _places(chosen, encoding, path, selection.remedy)
    kspace = np.zeros((n_coils, len(frames), n_y, n_x), np.complex64)
    mask = np.zeros((len(frames), n_y), bool)
    is_partial = False
    for place, (_, data) in enumerate(_read_data(file, heads, rows, selection.remedy)):
        head = chosen[place]
        data = data[:, head["discard_pre"] : data.shape[1] - head["discard_post"]]
        frame, start = frames[int(head["idx"][time_axis])], int(sample[place])
        kspace[:, frame, line[place], start : start + data.shape[1]] += data / np.float32(count)
        mask[frame, line[place]] = True
        is_partial |= data.shape[1] < n_x
    return kspace, mask, is_partial


def _places(heads: np.ndarray, encoding: _Encoding, path: Path, remedy: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the line and the first sample (n,) of each acquisition in the encoded matrix."""
    n_x, n_y, _ = encoding.matrix
    steps = heads["idx"]["kspace_encode_step_1"].astype(int)
    centre = n_y // 2 if encoding.centre_line is None else encoding.centre_line
    line = steps - centre + n_y // 2
    if (outside := (line < 0) | (line >= n_y)).any():
        raise InputError(
            f"{outside.sum()} of {len(line)} lines are outside the encoded matrix of {n_y} (encoding step "
            f"{steps[outside][0]}, centre {centre}): {path}; {remedy}"
        )
    n_samples, middle = heads["number_of_samples"].astype(int), heads["center_sample"].astype(int)
    before, after = heads["discard_pre"].astype(int), heads["discard_post"].astype(int)
    if (reverse := _has_flag(heads, REVERSE)).any():
        raise InputError(f"{reverse.sum()} of {len(line)} readouts are reversed, as of EPI: {path}; {remedy}")
    sample = n_x // 2 - (middle - before)
    stop = sample + n_samples - before - after
    if (wrong := (sample < 0) | (stop > n_x) | (stop <= sample)).any():
        raise InputError(
            f"{wrong.sum()} of {len(line)} readouts of {n_samples[wrong][0]} samples about sample {middle[wrong][0]} "
            f"do not fit the encoded matrix of {n_x}: {path}; {remedy}"
        )
    return line, sample


def _read_data(file: h5py.File, heads: np.ndarray, rows: np.ndarray, remedy: str) -> Iterator[tuple[int, np.ndarray]]:
    """Yield each of the acquisitions `rows` and its samples (coil, sample), few of them in memory at once."""
    stored = file[GROUP]["data"]
    path = file.filename
    breaks = np.flatnonzero(np.diff(rows) > GAP) + 1
    runs = [run[start : start + BLOCK] for run in np.split(rows, breaks) for start in range(0, len(run), BLOCK)]
    for block in runs:
        try:
            first = int(block[0])
            span = stored.fields("data")[first : int(block[-1]) + 1]
        except OSError as error:
            raise InputError(
                f"cannot read acquisitions of {path}: {' '.join(str(error).split())}; copy it again or {remedy}"
            ) from None
        for row in block:
            head, values = heads[row], np.asarray(span[row - first], np.float32)
            wanted = 2 * int(head["active_channels"]) * int(head["number_of_samples"])
            if values.size != wanted or not wanted:
                raise InputError(
                    f"acquisition {row} has {values.size} values, its header says {wanted}: {path}; copy it again or "
                    f"{remedy}"
                )
            yield int(row), values.view(np.complex64).reshape(int(head["active_channels"]), -1)


def _read_noise(
    file: h5py.File, heads: np.ndarray, noise_rows: np.ndarray, rows: np.ndarray, path: Path, remedy: str
) -> np.ndarray | None:
    """Return the samples (coil, sample) of noise at the readouts' bandwidth, None where there are no noise scans."""
    if not len(noise_rows):
        return None
    samples = np.concatenate([data for _, data in _read_data(file, heads, noise_rows, remedy)], axis=1)
    if samples.shape[0] != heads[rows]["active_channels"][0]:
        raise InputError(
            f"noise scans have {samples.shape[0]} coils, lines {heads[rows]['active_channels'][0]}: {path}; {remedy}"
        )
    # White noise has a variance in proportion to the bandwidth, the inverse of the time a sample takes.
    of_noise, of_lines = heads["sample_time_us"][noise_rows[0]], heads["sample_time_us"][rows[0]]
    ratio = float(of_noise / of_lines) if of_noise > 0 and of_lines > 0 else 1.0
    logger.info("%s: %d samples of noise, bandwidth %.3g of the readout's", path, samples.shape[1], 1 / ratio)
    return np.float32(ratio**0.5) * samples


# --- where and when


def _geometry(file: h5py.File, heads: np.ndarray, rows: np.ndarray, encoding: _Encoding, path: Path) -> Geometry:
    chosen = heads[rows]
    pixel = (encoding.field_mm[1] / encoding.matrix[1], encoding.field_mm[0] / encoding.matrix[0])
    directions = [chosen[name][0].astype(float) for name in ("read_dir", "phase_dir")]
    spread = np.ptp(chosen["position"], axis=0).max()
    turn = max(np.ptp(chosen[name], axis=0).max() for name in ("read_dir", "phase_dir"))
    if spread > SAME_PLACE_MM or turn > SAME_PLACE_MM:
        raise InputError(
            f"the lines of one slice are up to {spread:.3g} mm apart, their directions differ by {turn:.3g}: {path}; "
            "leave it out"
        )
    if not any(np.linalg.norm(direction) for direction in directions):
        logger.info("%s: no directions in the headers, so where the slice lies is not known", path)
        return Geometry(pixel_mm=pixel, thickness_mm=encoding.field_mm[2])
    along_x, along_y = (_as_triple(direction) for direction in directions)
    return Geometry(pixel, encoding.field_mm[2], _as_triple(chosen["position"][0]), along_x, along_y)


def _as_triple(values: np.ndarray) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z


def _frame_times(heads: np.ndarray, time_axis: str, encoding: _Encoding) -> np.ndarray | None:
    """Return the times (time,), s, of repetitions, which follow each other; of phases no header says them."""
    lines = Counter(heads["idx"][time_axis].tolist())
    if time_axis != "repetition" or encoding.repetition_ms is None or len(set(lines.values())) > 1:
        return None
    return np.arange(len(lines)) * lines[min(lines)] * encoding.repetition_ms / 1000
