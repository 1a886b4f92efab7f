"""How close single frames are to the truth: PSNR and SSIM as piq defines them."""

import piq
import torch

from step.errors import InputError

SSIM_WINDOW = 11  # pixels; the window of Wang et al. 2004, which the paper's numbers use through piq


def psnr(frames: torch.Tensor, truth: torch.Tensor) -> float:
    """Return the peak signal-to-noise ratio in dB, averaged over frames.

    `frames` and `truth` are (time, y, x) in [0, 1]. A frame's value is ``-10 log10(mse + 1e-8)``: piq's small
    constant keeps it finite, so a perfect frame counts as 80 dB, and never as infinity or as left out.
    Raises `InputError` where shapes differ or values leave [0, 1].
    """
    frames, truth = _as_images(frames, truth)
    return float(piq.psnr(frames, truth, data_range=1.0, reduction="none").mean())


def ssim(frames: torch.Tensor, truth: torch.Tensor) -> float:
    """Return the structural similarity (Gaussian window of 11 pixels, sigma 1.5), averaged over frames.

    `frames` and `truth` are (time, y, x) in [0, 1]. Raises `InputError` where shapes differ, values leave
    [0, 1] or a frame is smaller than the window.
    """
    frames, truth = _as_images(frames, truth)
    if min(frames.shape[-2:]) < SSIM_WINDOW:
        raise InputError(
            f"frames are {frames.shape[-2]} x {frames.shape[-1]} pixels, SSIM needs {SSIM_WINDOW} per side; "
            "raise the domain's resolution"
        )
    return float(piq.ssim(frames, truth, kernel_size=SSIM_WINDOW, data_range=1.0, reduction="none").mean())


def _as_images(frames: torch.Tensor, truth: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return both videos as (time, 1, y, x) float64, checked; piq takes images with channels."""
    if frames.ndim != 3 or frames.shape != truth.shape:
        raise InputError(
            f"a video of shape {tuple(frames.shape)} is compared with a truth of shape {tuple(truth.shape)}; "
            f"both must be (time, y, x) and alike, so reconstruct from the same measurements"
        )
    for name, video in (("reconstruction", frames), ("truth", truth)):
        if not bool(((video >= 0) & (video <= 1)).all()):
            raise InputError(
                f"the {name} has values from {float(video.min()):.3g} to {float(video.max()):.3g}; "
                f"frames are compared in [0, 1] and without NaN: bring them there with `to_unit_range`"
            )
    # Single precision would decide the last digits of the PSNR of a nearly perfect frame.
    return frames.double().unsqueeze(1), truth.double().unsqueeze(1)
