"""What eht-imaging asks of images and movies besides that they fit, written for automatic differentiation.

Frames are (time, y, x), positive, in units of the mean flux, so that values hardly depend on the source. Each function
returns a number (0-dimensional), the smaller the better: the sum over frames of what eht-imaging (A. Chael et al.,
ApJ 857, 23 (2018); M. Johnson et al., ApJ 850, 172 (2017)) has for one, as `ehtim.imaging.imager_utils` with
``norm_reg=True``, and as `ehtim.imaging.dynamical_imaging` times the number of frames.
"""

import torch

FLOOR = 1e-10
"""What eht-imaging adds to both sides of a ratio of frames, in the unit of the frames."""

SMOOTHING = 1e-10
"""What is added to squared differences before their root is taken, which has no gradient at 0 (`epsilon_tv`)."""


def gull_skilling_entropy(frames: torch.Tensor, prior: torch.Tensor) -> torch.Tensor:
    """Return the negative Gull-Skilling entropy (`gs`): ``sum I log(I / P) - I + P``, P the `prior` (time, y, x)."""
    return (frames * (frames / prior).log() - frames + prior).sum()


def total_variation(frames: torch.Tensor, beam_pixels: float) -> torch.Tensor:
    """Return the isotropic total variation (`tv`) of each frame, for a beam of `beam_pixels` along a side."""
    along_y, along_x = _differences(frames)
    return beam_pixels * (along_y.square() + along_x.square() + SMOOTHING).sqrt().sum()


def squared_total_variation(frames: torch.Tensor, beam_pixels: float) -> torch.Tensor:
    """Return the sum of squared differences (`tv2`) of each frame, for a beam of `beam_pixels` along a side."""
    along_y, along_x = _differences(frames)
    return beam_pixels**4 * (along_y.square() + along_x.square()).sum()


def squared_centroid(frames: torch.Tensor, beam_pixels: float) -> torch.Tensor:
    """Return the squared distance (`cm`) of each frame's centroid, times its flux, from the middle, in beams.

    Deviation from eht-imaging: its middle is that of the pixel (n/2, n/2), half a pixel away.
    """
    y, x = (torch.arange(n, dtype=frames.dtype, device=frames.device) - (n - 1) / 2 for n in frames.shape[-2:])
    along_y, along_x = (frames.sum(-1) * y).sum(-1), (frames.sum(-2) * x).sum(-1)
    return (along_y.square() + along_x.square()).sum() / beam_pixels**2


def change_between_frames(frames: torch.Tensor, sigma_pixels: float) -> torch.Tensor:
    """Return the symmetrised relative entropy (`Rdt`, SymKL) of each frame and the next, both blurred.

    The blur is a Gaussian with the standard deviation `sigma_pixels`, none where that is 0: what moves by less is
    hardly a change.
    """
    blurred = blur(frames, sigma_pixels)
    return _symmetrised_relative_entropy(blurred[1:], blurred[:-1])


def change_from_mean(frames: torch.Tensor) -> torch.Tensor:
    """Return the symmetrised relative entropy (`RdI`, SymKL) of each frame and the mean of all."""
    return _symmetrised_relative_entropy(frames, frames.mean(0))


def blur(frames: torch.Tensor, sigma_pixels: float) -> torch.Tensor:
    """Return `frames` convolved with a Gaussian; it is dark around them."""
    if sigma_pixels == 0:
        return frames
    rows, columns = (_gaussian_matrix(n, sigma_pixels, frames) for n in frames.shape[-2:])
    return rows @ frames @ columns


def _gaussian_matrix(n: int, sigma_pixels: float, like: torch.Tensor) -> torch.Tensor:
    place = torch.arange(n, dtype=like.dtype, device=like.device)
    reach = torch.arange(-n, n + 1, dtype=like.dtype, device=like.device)
    total = (-0.5 * (reach / sigma_pixels).square()).exp().sum()
    return (-0.5 * ((place[:, None] - place) / sigma_pixels).square()).exp() / total


def _symmetrised_relative_entropy(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    return ((one - other) * ((one + FLOOR) / (other + FLOOR)).log()).sum() / 2


def _differences(frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the next pixel minus each along y and x; it is dark around the frames."""
    padded = torch.nn.functional.pad(frames, (0, 1, 0, 1))
    return padded[:, 1:, :-1] - frames, padded[:, :-1, 1:] - frames
