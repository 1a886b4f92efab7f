"""k-space that was measured undersampled, in files as of CMRxRecon 2023: in as a measurement, out as NIfTI."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from step.config.data import MriData
from step.config.observations import CmrxreconData
from step.config.sections import Count, Positive
from step.config.study import Config
from step.errors import InputError

if TYPE_CHECKING:
    from step.io.videos import VideoStore


class Settings(CmrxreconData):
    """The observation's own values, and those of `step.config.data.MriData` that say what a video is."""

    frames: Count
    resolution: Count
    scale: Positive | Literal["peak"]
    reference_phase: bool


def settings_of(config: Config, name: str) -> Settings:
    """Return the settings of observation `name`.

    Raises `InputError` where its task's videos are no cardiac cines, or are resampled from the raw images: pixels of
    another size have another k-space, which was not measured.
    """
    observation = config.observations[name]
    domain = config.tasks[observation.task].domain
    video = config.video_format(domain)
    if not isinstance(video, MriData):
        raise InputError(
            f"observations.{name} is k-space and its task {observation.task} is of domain {domain}; "
            "name a task of domain mri"
        )
    if video.crop != video.resolution:
        raise InputError(
            f"observations.{name}: an observation in k-space cannot be resampled, and data.{domain}.crop is "
            f"{video.crop}; set data.{domain}.crop = data.{domain}.resolution = {video.resolution}"
        )
    shared = {key: getattr(video, key) for key in ("frames", "resolution", "scale", "reference_phase")}
    return Settings(**observation.data.model_dump(), **shared)


def files(settings: Settings) -> list[Path]:
    """Return the raw files that the observation is read from."""
    return [settings.kspace, settings.mask]


def read(settings: Settings, training: "VideoStore | None") -> tuple[dict[str, np.ndarray], dict[str, object]]:
    """Return the measurement that `step.physics.mri` explains, and what is known of it.

    The measurement holds `kspace` (time, ky, resolution), complex64, in units of the video, zero where nothing was
    measured, and `mask` (time, ky), bool. Of the attributes, `scale` is the factor from the raw image to the video,
    `phase_rad` the angle by which it was rotated, and `frame_times` counts from the raw file's first frame. Scale and
    phase are those of the whole sequence, so that observations of different frames agree. The training videos are not
    used. Raises `InputError` where the files are damaged, do not fit each other, or lack what the settings ask for.
    """
    from step.observations.kspace_lines import fit_readout, keep_measured, peak, phase, read_kspace, read_mask

    stop = settings.first_frame + settings.frames
    raw = read_kspace(settings.kspace, settings.slice, stop)
    mask = read_mask(settings.mask, raw.kspace.shape[1:])
    kspace = fit_readout(keep_measured(raw, mask, settings.mask), settings.resolution)
    scale = 1 / peak(kspace, raw) if settings.scale == "peak" else settings.scale
    rotation = -phase(kspace, mask, raw) if settings.reference_phase else 0.0
    frames = np.arange(settings.first_frame, stop)
    measurement = {
        "kspace": (scale * np.exp(1j * rotation) * kspace[frames]).astype(np.complex64),
        "mask": np.tile(mask, (settings.frames, 1)),
    }
    attributes = {
        "frame_times": frames * (settings.frame_s or 1.0),
        "frame_time_unit": "s" if settings.frame_s else "frame",
        "pixel_size": settings.pixel_mm or 1.0,
        "pixel_unit": "mm" if settings.pixel_mm else "pixel",
        "scale": float(scale),
        "phase_rad": rotation,
        "source": f"{raw.variable} of {settings.kspace}, slice {settings.slice}, mask {settings.mask}",
    }
    return measurement, attributes


def export(
    settings: Settings,
    videos: Mapping[str, np.ndarray],
    measurement: Mapping[str, np.ndarray],
    attributes: Mapping[str, object],
    folder: Path,
) -> None:
    """Write each of `videos` (time, 2, y, x) as ``<name>.nii.gz`` into `folder`, as `step.io.nifti` explains.

    Values are magnitudes in the raw file's units: the root of the sum of squares over both channels. For a standard
    deviation per channel that is the root mean square distance of the complex samples from their mean.
    """
    from step.io.nifti import write_nifti

    scale = float(attributes["scale"])
    for name, video in videos.items():
        magnitude = np.sqrt(np.square(video, dtype=np.float64).sum(axis=1)) / scale
        description = f"{name}: magnitude, raw units; orientation and thickness unknown"
        write_nifti(folder / f"{name}.nii.gz", magnitude, settings.pixel_mm, settings.frame_s, description)
