"""Images as numpy arrays, one a file: (y, x) or (1, y, x), in Jy per pixel, as displayed.

They say nothing of pixel size or time.
"""

from pathlib import Path

import numpy as np

from step.domains.blackhole.raw_frames import REMEDY, FrameHeader
from step.errors import InputError


def read_header(path: Path) -> FrameHeader:
    """Return the shape of the image; no pixel is read."""
    return FrameHeader(shape=_open(path).shape)


def read_frame(path: Path) -> np.ndarray:
    """Return the image (y, x) as displayed, row 0 the top, in Jy per pixel."""
    return np.array(_open(path))


def _open(path: Path) -> np.ndarray:
    # Unlike `numpy.load`, a map unpickles nothing, opens no archives, and does not take memory for what is not there.
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except FileNotFoundError:
        raise InputError(f"no file {path}; copy it again or {REMEDY}") from None
    except (ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"cannot read {path} as one array: {reason}; copy it again or {REMEDY}") from None
    image = array[0] if array.ndim == 3 and len(array) == 1 else array
    if image.ndim != 2 or 0 in image.shape or image.dtype.kind not in "fiu":
        raise InputError(
            f"the array is {array.dtype} of shape {array.shape}, an image has numbers (y, x) or (1, y, x): {path}; "
            f"save it with numpy.save, or {REMEDY}"
        )
    return image
