"""What samples say that an interferometer should have measured, next to what it did, datum by datum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

    from step.contracts import Measurement
    from step.physics.vlbi import ClosureImaging


@dataclass(frozen=True)
class KindOfData:
    """All data of one kind, in the order of the frames."""

    frame: np.ndarray  # (datum,)
    time_h: np.ndarray  # (datum,) UTC
    baseline: np.ndarray  # (datum,) the longest of the datum, wavelengths
    loops: list[tuple[tuple[int, int], ...]]  # the stations of each datum's baselines, by number and in their direction
    value: np.ndarray  # (datum,)
    sigma: np.ndarray  # (datum,)
    predicted: np.ndarray  # (sample, datum)
    residual: np.ndarray  # (sample, datum): predicted less measured, over sigma; of phases the shorter way round

    @property
    def stations(self) -> list[tuple[int, ...]]:
        """The stations of each datum, each once, in the order in which they come."""
        return [tuple(dict.fromkeys(station for side in loop for station in side)) for loop in self.loops]


def fit_by_datum(model: ClosureImaging, arrays: Mapping[str, np.ndarray], samples: np.ndarray) -> dict[str, KindOfData]:
    """Return the data of one measurement by kind, and what `samples` (sample, time, 1, y, x) say of each.

    `arrays` have the leading axis time. The kinds are

    * `amplitude`, Jy: those predicted are scaled to the data's median in each frame, as a video has no unit, and
      residuals are of their logarithms. Gains of stations are in them;
    * `closure_phase`, rad, and `log_closure_amplitude`, with the errors that the measurement states for each by itself.
    """
    import torch

    measurement = {name: torch.from_numpy(array)[None] for name, array in arrays.items()}
    of_samples = [_predicted(model, torch.from_numpy(sample)[None].float(), measurement) for sample in samples]
    return {
        kind: _of_kind(kind, arrays, np.stack([predicted[kind] for predicted in of_samples]))
        for kind in ("amplitude", "closure_phase", "log_closure_amplitude")
    }


def _predicted(model: ClosureImaging, video: torch.Tensor, measurement: Measurement) -> dict[str, np.ndarray]:
    """Return what a `video` of a batch of one says of every place of each kind's arrays."""
    from step.physics.closures import closure_phase, log_closure_amplitude

    visibilities = measurement["kernel"].float() * model.ideal_visibilities(video, measurement["uv"])
    return {
        "amplitude": visibilities[0].abs().numpy(),
        "closure_phase": closure_phase(visibilities, measurement["triangle"])[0].numpy(),
        "log_closure_amplitude": log_closure_amplitude(visibilities, measurement["quadrangle"])[0].numpy(),
    }


def _of_kind(kind: str, arrays: Mapping[str, np.ndarray], predicted: np.ndarray) -> KindOfData:
    """Return the data of a `kind` that there are, `predicted` being (sample, time, place)."""
    if kind == "amplitude":
        value, sigma = np.abs(arrays["visibility"]), arrays["sigma"]
        loops = np.arange(value.shape[1])[None, :, None] + np.zeros((len(value), 1, 1), int)
    else:
        value, sigma = arrays[kind], arrays[f"{kind}_sigma"]
        loops = arrays["triangle" if kind == "closure_phase" else "quadrangle"]
    frames, places = np.nonzero((sigma > 0) & ((value != 0) if kind == "amplitude" else True))
    value, sigma, predicted = value[frames, places], sigma[frames, places], predicted[:, frames, places]
    n_places = arrays["visibility"].shape[1]
    known = (2 if kind == "closure_phase" else 1) * n_places
    of_datum = [loop[loop < known] for loop in loops[frames, places]]
    sides = [loop % n_places for loop in of_datum]
    length = np.hypot(*np.moveaxis(arrays["uv"], -1, 0))
    if kind == "amplitude":
        predicted = predicted * np.exp(_median_by_frame(np.log(value / predicted), frames))
        residual = np.log(predicted / value) * value / sigma
    elif kind == "closure_phase":
        residual = np.angle(np.exp(1j * (predicted - value))) / sigma
    else:
        residual = (predicted - value) / sigma
    return KindOfData(
        frame=frames,
        time_h=np.array([arrays["time_h"][frame, side[0]] for frame, side in zip(frames, sides, strict=True)]),
        baseline=np.array([length[frame, side].max() for frame, side in zip(frames, sides, strict=True)]),
        loops=[
            tuple(_side(arrays["stations"][frame], place, n_places) for place in loop)
            for frame, loop in zip(frames, of_datum, strict=True)
        ],
        value=value,
        sigma=sigma,
        predicted=predicted,
        residual=residual,
    )


def _side(stations: np.ndarray, place: int, n_places: int) -> tuple[int, int]:
    """Return the stations of the baseline at a `place` of a frame, turned round for one of a conjugate."""
    one, other = (int(number) for number in stations[place % n_places])
    return (one, other) if place < n_places else (other, one)


def _median_by_frame(values: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Return for each of `values` (sample, datum) the median of its sample's data of the same frame."""
    medians = np.empty_like(values)
    for frame in np.unique(frames):
        here = frames == frame
        medians[:, here] = np.median(values[:, here], axis=1, keepdims=True)
    return medians


def rms_by_station(data: Sequence[KindOfData], n_stations: int) -> np.ndarray:
    """Return the root mean square residual (station,) of all data that a station is part of; nan where it has none."""
    squares, counts = np.zeros(n_stations), np.zeros(n_stations)
    for kind in data:
        of_datum = np.square(kind.residual).mean(axis=0)
        for stations, square in zip(kind.stations, of_datum, strict=True):
            squares[list(stations)] += square
            counts[list(stations)] += 1
    return np.sqrt(np.divide(squares, counts, out=np.full(n_stations, np.nan), where=counts > 0))
