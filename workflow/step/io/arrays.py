"""Named arrays in one file: the numbers of a picture."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from step.io.atomic import whole_file


def write_arrays(path: Path, arrays: Mapping[str, ArrayLike]) -> None:
    """Write `arrays` (also numbers and texts) by their names to `path` (.npz), whole or not at all."""
    with whole_file(path) as part, part.open("wb") as file:
        np.savez_compressed(file, allow_pickle=True, **arrays)
