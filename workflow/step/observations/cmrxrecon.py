"""k-space that was measured undersampled, in files as of CMRxRecon 2023: in as a measurement, out as NIfTI."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from step.config.observations import CmrxreconData
from step.config.study import Config
from step.errors import InputError
from step.observations.of_cines import OfCines, cines_of, values_of_cines

if TYPE_CHECKING:
    from step.physics.display import Brightness


class KspaceSettings(CmrxreconData, OfCines):
    """The observation's own values, and what its task and `step.domains.mri.data.MriData` say of noise and videos."""


Settings = KspaceSettings


def settings_of(config: Config, name: str) -> KspaceSettings:
    """Return the settings of observation `name`.

    Raises `InputError` where its task's videos are no cardiac cines, or are resampled from the raw images: pixels of
    another size have another k-space, which was not measured.
    """
    observation, video = config.observations[name], cines_of(config, name)
    domain = config.tasks[observation.task].domain
    if video.crop != video.resolution:
        raise InputError(
            f"observations.{name}: an observation in k-space cannot be resampled, and data.{domain}.crop is "
            f"{video.crop}; set data.{domain}.crop = data.{domain}.resolution = {video.resolution}"
        )
    shared = values_of_cines(config, name)
    data = observation.data
    if shared["noise_level"] is None and isinstance(data, CmrxreconData) and data.outside.scale == "estimate":
        raise InputError(
            f"observations.{name}.data.outside.scale is estimate, which needs the noise_level that the measurement of "
            f"task {observation.task} lacks; state a number"
        )
    return KspaceSettings(**data.model_dump(), **shared)


def files(settings: KspaceSettings) -> list[Path]:
    """Return the raw files that the observation is read from."""
    return [settings.kspace, settings.mask]


def read(settings: KspaceSettings, brightness: "Brightness | None") -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the measurement that `step.physics.mri` explains, and what is known of it.

    The measurement holds `kspace` (time, ky, resolution), complex64, in units of the video, zero where nothing was
    measured, `mask` (time, ky), bool, and what `step.physics.mri` has to know of the image outside the frame,
    `outside_scale` (time, x) and `outside_fitted` (time,). Of the attributes, `scale` is the factor from the raw image
    to the video, `phase_rad` the angle by which it was rotated, `outside_share` the estimated energy outside the frame
    as a share of all, and `frame_times` counts from the raw file's first frame. Scales and phase are those of the whole
    sequence, so that observations of different frames agree. `brightness` is not used. Raises
    `InputError` where the files are damaged, do not fit each other, or lack what the settings ask for.
    """
    from step.observations.kspace_lines import (
        fit_readout,
        keep_measured,
        peak,
        phase,
        read_kspace,
        read_mask,
        scale_outside,
    )

    stop = settings.first_frame + settings.frames
    raw = read_kspace(settings.kspace, settings.slice, stop)
    mask = read_mask(settings.mask, raw.kspace.shape)
    kspace = fit_readout(keep_measured(raw, mask, settings.mask), settings.resolution)
    scale = settings.peak / peak(kspace, raw) if settings.scale == "peak" else settings.scale
    rotation = -phase(kspace, mask, raw) if settings.reference_phase else 0.0
    frames = np.arange(settings.first_frame, stop)
    kspace = (scale * np.exp(1j * rotation) * kspace).astype(np.complex64)
    outside_scale, share = scale_outside(kspace, mask, settings.resolution, settings.outside, settings.noise_level)
    more_lines = kspace.shape[1] > settings.resolution
    measurement = {
        "kspace": kspace[frames],
        "mask": mask[frames],
        "outside_scale": np.tile(outside_scale.astype(np.float32), (settings.frames, 1)),
        "outside_fitted": np.full(settings.frames, more_lines and settings.outside.scale == "estimate"),
    }
    attributes: dict[str, Any] = {
        "frame_times": frames * (settings.frame_s or 1.0),
        "frame_time_unit": "s" if settings.frame_s else "frame",
        "pixel_size": settings.pixel_mm or 1.0,
        "pixel_unit": "mm" if settings.pixel_mm else "pixel",
        "scale": float(scale),
        "phase_rad": rotation,
        "source": f"{raw.variable} of {settings.kspace}, slice {settings.slice}, mask {settings.mask}",
    }
    if share is not None:
        attributes["outside_share"] = share
    return measurement, attributes


def export(
    settings: KspaceSettings,
    videos: Mapping[str, np.ndarray],
    measurement: Mapping[str, np.ndarray],
    attributes: Mapping[str, Any],
    folder: Path,
) -> None:
    """Write each of `videos` (time, 2, y, x) as ``<name>.nii.gz`` into `folder`, as `step.io.nifti` explains.

    Values are magnitudes in the raw file's units.
    """
    from step.io.nifti import write_magnitudes

    scale = float(attributes["scale"])
    write_magnitudes(folder, videos, scale, "raw units", settings.pixel_mm, settings.frame_s)
