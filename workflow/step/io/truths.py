"""True videos of simulated measurements, each in a file of its own, so that no reconstruction is given one."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from step.errors import InputError
from step.io.atomic import whole_file
from step.io.hdf5 import create_hdf5, open_hdf5, read_dataset


def write_truth(path: Path, truth: np.ndarray, attributes: Mapping[str, object]) -> None:
    """Write the true video (time, channel, y, x) of one measurement; the file is named after the video."""
    with whole_file(path) as part, create_hdf5(part) as file:
        file.create_dataset("truth", data=truth).attrs["axes"] = "time, channel, y, x"
        file.attrs.update(attributes)


def read_truth(path: Path, video: str) -> np.ndarray:
    """Return the true video (time, channel, y, x) called `video`; raises `InputError` where `path` is no such file."""
    if path.stem != video:
        raise InputError(f"{path} is not the truth of {video}; give {video}.h5 of the folder of truths")
    with open_hdf5(path) as file:
        if "truth" not in file:
            raise InputError(
                f"{path} holds {', '.join(sorted(file)) or 'nothing'}, no truth; give the file of the same name that "
                "the measure stage wrote into its folder of truths"
            )
        return read_dataset(file, "truth")[()]


def pair_truths(measurements: Sequence[Path], truths: Sequence[Path]) -> list[tuple[Path, Path]]:
    """Return each measurement with the truth of the same name; raises `InputError` for one without."""
    truth_of = {path.stem: path for path in truths}
    for path in measurements:
        if path.stem not in truth_of:
            raise InputError(f"{path} has no truth among those of {', '.join(truth_of)}; give its file with --truths")
    return [(path, truth_of[path.stem]) for path in measurements]
