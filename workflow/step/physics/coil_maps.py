"""Coil maps from the data themselves: the centre of k-space, averaged over time, and Walsh's method.

D. O. Walsh, A. F. Gmitro and M. W. Marcellin, "Adaptive reconstruction of phased array MR imagery", Magnetic Resonance
in Medicine 43 (2000) 682-690: at every pixel the coils' images are a map times the object, so that of their local
covariance the strongest eigenvector is the map.
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch

from step.contracts import Measurement
from step.errors import InputError
from step.physics.fourier import complex_of, ifft2c

FEWEST_LINES = 4
"""Central lines without which there is nothing to tell maps from."""

PATCH = 5
"""Pixels, along either side, of the patch that the covariance of a pixel is an average over.

Of 3 to 13, with 4 to 64 central lines of simulated chests, it leaves the truth's chi-square nearest to 1, and so does
taking all the lines and the whole readout: windows that are narrower or taper off cost more than they smooth.
"""


class Calibration(NamedTuple):
    """What maps are estimated from."""

    kspace: torch.Tensor  # (coil, ky, kx), averaged over the frames that have a line
    lines: slice  # the central ones that some frame has


def calibration_of(kspace: torch.Tensor, mask: torch.Tensor) -> Calibration:
    """Return the time average of `kspace` (time, coil, ky, kx), and its central lines that `mask` (time, ky) has.

    With calibration lines in each frame these are what it has; interleaved frames have others, and together all. Raises
    `InputError` where fewer than `FEWEST_LINES` central lines were ever measured.
    """
    times = mask.sum(dim=0)
    average = (kspace * mask[:, None, :, None]).sum(dim=0) / times.clamp_min(1)[:, None]
    centre, measured = len(times) // 2, times > 0
    reach = 0
    while reach < centre and bool(measured[centre - reach - 1 : centre + reach + 1].all()):
        reach += 1
    if 2 * reach < FEWEST_LINES:
        raise InputError(
            f"coil maps need {FEWEST_LINES} central lines or more, and the frames together have {2 * reach} in a row; "
            "measure some (acs_lines), or give maps"
        )
    return Calibration(average, slice(centre - reach, centre + reach))


def estimate_maps(kspace: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the maps (coil, y, x) of `kspace` (time, coil, ky, kx), measured where `mask` (time, ky) is true.

    They are of the whole field of view, y as many as ky, and of unit root sum of squares; an oversampled readout should
    be cut before. The data do not tell the
    phase of the object from one that all maps have in common; here the maps have none that the strongest combination of
    the coils, a virtual coil, has: the combined image has its phase. Raises `InputError` as `calibration_of`.
    """
    calibration = calibration_of(kspace, mask)
    central = torch.zeros_like(calibration.kspace)
    central[:, calibration.lines] = calibration.kspace[:, calibration.lines]
    return maps_of_images(ifft2c(central))


def maps_of_images(images: torch.Tensor) -> torch.Tensor:
    """Return the maps (coil, y, x) of the time-averaged, low-resolution `images` (coil, y, x) of all coils.

    Their root sum of squares is 1, and the combined image has the phase of a virtual coil, as `estimate_maps` says.
    """
    maps = strongest_of_patches(images)
    reference = _virtual_coil(images)
    phase = torch.angle(torch.einsum("c,cyx->yx", reference.conj(), maps))
    return maps * torch.polar(torch.ones_like(phase), -phase)


def strongest_of_patches(images: torch.Tensor) -> torch.Tensor:
    """Return the strongest eigenvector (coil, y, x) of the covariance of coil `images` (coil, y, x) around each pixel.

    Its phase is free; its norm is 1.
    """
    n_coils = len(images)
    covariance = (images[:, None] * images[None].conj()).flatten(0, 1)
    averaged = torch.complex(*(_patch_means(part) for part in (covariance.real, covariance.imag)))
    matrices = averaged.unflatten(0, (n_coils, n_coils)).permute(2, 3, 0, 1)
    return torch.linalg.eigh(matrices).eigenvectors[..., -1].permute(2, 0, 1)


def align_phase(maps: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """Return `maps` (coil, y, x) with the common phase of each pixel that brings them closest to `reference`'s."""
    phase = torch.angle((reference * maps.conj()).sum(dim=0))
    return maps * torch.polar(torch.ones_like(phase), phase)


def maps_for(maps: torch.Tensor, video: torch.Tensor) -> torch.Tensor:
    """Return `maps` (coil, y, x) of every frame of `video`, in its precision: one memory for all (batch, time, ...)."""
    maps = maps.to(video.device, complex_of(video.dtype))
    return maps.expand(*video.shape[:2], *maps.shape)


def with_estimated_maps(measurement: Measurement, estimated: Iterable[torch.Tensor]) -> Measurement:
    """Return `measurement` with the maps (coil, y, x) that were `estimated` of each video in place of the true ones.

    They take the true ones' common phase, which no data tell from the object's.
    """
    true = measurement["coil_maps"]  # (batch, time, coil, y, x)
    found = torch.stack([align_phase(maps, frames[0]) for maps, frames in zip(estimated, true, strict=True)])
    return {**measurement, "coil_maps": found[:, None].expand(-1, true.shape[1], -1, -1, -1)}


def _patch_means(values: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.avg_pool2d(values[None], PATCH, 1, PATCH // 2, count_include_pad=False)[0]


def _virtual_coil(images: torch.Tensor) -> torch.Tensor:
    """Return the weights (coil,) of the unit combination of coils with the most energy, the strongest one real."""
    flat = images.flatten(1)
    weights = torch.linalg.eigh(flat @ flat.mH).eigenvectors[:, -1]
    strongest = weights[weights.abs().argmax()]
    return weights * strongest.conj() / strongest.abs()
