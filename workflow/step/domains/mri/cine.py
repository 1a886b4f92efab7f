"""From a raw cine sequence to videos of the study's size, scale and phase."""

from collections.abc import Iterator

import numpy as np

from step.domains.mri.video_format import CineFormat
from step.errors import InputError
from step.io.sequences import RawSequence
from step.io.videos import PreparedVideo


def prepare_sequence(sequence: RawSequence, settings: CineFormat) -> Iterator[PreparedVideo]:
    """Yield the videos (time, 2, y, x) that `sequence` is cut into; channels are real and imaginary part.

    Phase and scale are those of the whole sequence, so that overlapping windows agree.
    Raises `InputError` for a sequence that is zero everywhere, where phase and peak have no meaning.
    """
    image = resample(crop_or_pad(sequence.image, settings.crop), settings.resolution)
    peak = float(np.abs(image).max())
    if peak == 0:
        raise InputError(f"{sequence.source} is zero everywhere: {sequence.file}; drop it with data.mri.exclude")
    if settings.reference_phase:
        image = reference_phase(image)
    scale = settings.peak / peak if settings.scale == "peak" else settings.scale
    for number, start in enumerate(window_starts(len(image), settings.frames, settings.window_stride)):
        yield PreparedVideo(
            video=f"{sequence.source}-{number:02d}",
            subject=sequence.subject,
            source=sequence.source,
            scale=scale,
            offset=0.0,
            frames=as_channels(scale * image[start : start + settings.frames]),
        )


def crop_or_pad(image: np.ndarray, side: int) -> np.ndarray:
    """Return `image` (..., y, x) cut or filled with zeros to (..., side, side).

    The centre of the FFT convention, index ``n // 2``, stays the centre.
    """
    for axis in (-2, -1):
        image = _fit_axis(image, axis, side)
    return image


def resample(image: np.ndarray, side: int) -> np.ndarray:
    """Return `image` (time, y, x) at `side` x `side` pixels over the same field of view.

    Its k-space is cut or filled with zeros: what a scanner of that resolution would have measured. Values stay.
    """
    if image.shape[-1] == side:
        return image
    import torch

    from step.physics.fourier import fft2c, ifft2c

    kspace = crop_or_pad(fft2c(torch.from_numpy(image)).numpy(), side)
    return (side / image.shape[-1] * ifft2c(torch.from_numpy(kspace))).numpy()


def reference_phase(image: np.ndarray) -> np.ndarray:
    """Return `image` (time, y, x), rotated so that its time-averaged k-space centre is real and positive.

    That sample is proportional to the sum over all frames and pixels.
    """
    centre = image.sum(dtype=np.complex128)
    return (image * np.exp(-1j * np.angle(centre))).astype(image.dtype)


def window_starts(n_frames: int, length: int, stride: int) -> range:
    """Return the first frames of all windows of `length` that fit, one every `stride` frames."""
    return range(0, n_frames - length + 1, stride)


def as_channels(image: np.ndarray) -> np.ndarray:
    """Return complex `image` (time, y, x) as its real and imaginary part (time, 2, y, x), float32."""
    return np.stack([image.real, image.imag], axis=1).astype(np.float32)


def _fit_axis(image: np.ndarray, axis: int, side: int) -> np.ndarray:
    n = image.shape[axis]
    start = n // 2 - side // 2
    if start >= 0 and start + side <= n:
        return np.take(image, range(start, start + side), axis)
    # An odd axis and an even side may need one sample cut off and one filled in, so do both in one copy.
    shape = list(image.shape)
    shape[axis] = side
    fitted = np.zeros(shape, image.dtype)
    first, last = max(start, 0), min(start + side, n)
    source = _along(image, axis, first, last)
    _along(fitted, axis, first - start, last - start)[...] = source
    return fitted


def _along(array: np.ndarray, axis: int, start: int, stop: int) -> np.ndarray:
    index = [slice(None)] * array.ndim
    index[axis] = slice(start, stop)
    return array[tuple(index)]
