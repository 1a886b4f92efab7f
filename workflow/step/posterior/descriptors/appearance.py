"""How videos look: their average image, and the images that they are mixed of."""

import numpy as np
from scipy.ndimage import shift

from step.errors import InputError


def average_image(video: np.ndarray) -> np.ndarray:
    """Return the time average (y, x) of `video` (time, y, x), its sum scaled to 1.

    Raises `InputError` where the video is dark everywhere.
    """
    image = video.mean(axis=0, dtype=np.float64)
    if not image.sum() > 0:
        raise InputError("a posterior sample is dark everywhere, so it has no appearance; sample it again")
    return image / image.sum()


def flux_centroid(image: np.ndarray) -> tuple[float, float]:
    """Return y and x, pixels, of the centre of the flux of `image` (y, x)."""
    y, x = np.indices(image.shape)
    total = image.sum()
    return float((y * image).sum() / total), float((x * image).sum() / total)


def centre_flux(image: np.ndarray) -> np.ndarray:
    """Return `image` (y, x) moved so that the centre of its flux is that of the frame.

    What does not tell where a source is, as closure quantities do not, must not tell samples apart by it.
    """
    middle = [(n - 1) / 2 for n in image.shape]
    return shift(image, np.subtract(middle, flux_centroid(image)), order=1, mode="constant")


def component_courses(frames: np.ndarray, n_samples: int, n_components: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the courses (video, time, component) of `frames` (video, time, y, x), and the images (component, y, x).

    The images are the principal components of the changes over time, of the first `n_samples` videos, each with a
    positive sum: a course rises where the frame brightens. There are fewer where fewer things change.
    """
    flat = frames.reshape(*frames.shape[:2], -1).astype(np.float64)
    changes = flat - flat.mean(axis=1, keepdims=True)
    sampled = changes[:n_samples].reshape(-1, flat.shape[-1])
    _, lengths, images = np.linalg.svd(sampled, full_matrices=False)
    n_kept = min(n_components, int((lengths > 1e-9 * np.abs(flat).max()).sum()))
    images = images[:n_kept] * np.where(images[:n_kept].sum(axis=1) < 0, -1, 1)[:, None]
    return changes @ images.T, images.reshape(n_kept, *frames.shape[2:])
