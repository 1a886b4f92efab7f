"""k-space of one coil or several, from a scanner's file to a measurement, and videos back as NIfTI and DICOM."""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from step.config.observations import KspaceData
from step.config.sections import Count
from step.config.study import Config
from step.errors import InputError
from step.observations.of_cines import OfCines, cines_of, values_of_cines

if TYPE_CHECKING:
    from step.io.kspace.recording import KspaceSlice
    from step.physics.display import Brightness

log = logging.getLogger(__name__)

SAME_PIXEL = 0.02
"""Largest difference of two statements of a pixel's side, relative to it."""

IMAGES = "images.h5"
"""The file of ISMRMRD images, of all videos."""

REMEDY = "name another file in the observation's data.file"


class KspaceSettings(KspaceData, OfCines):
    """The observation's own values, and what its task and `step.domains.mri.data.MriData` say of noise and videos."""

    crop: Count


Settings = KspaceSettings


def settings_of(config: Config, name: str) -> KspaceSettings:
    """Return the settings of observation `name`.

    Raises `InputError` where its task's videos are no cardiac cines, or are finer than the raw images.
    """
    observation, video = config.observations[name], cines_of(config, name)
    domain = config.tasks[observation.task].domain
    if video.crop < video.resolution:
        raise InputError(
            f"observations.{name}: data.{domain}.crop = {video.crop} raw pixels for frames of {video.resolution} asks "
            f"for k-space beyond what was measured; set data.{domain}.crop to {video.resolution} or more"
        )
    shared = values_of_cines(config, name)
    return KspaceSettings(**observation.data.model_dump(), **shared, crop=video.crop)


def files(settings: KspaceSettings) -> list[Path]:
    """Return the raw files that the observation is read from, both of a pair of BART's."""
    named = [path for path in (settings.file, settings.mask) if path is not None]
    pairs = {".cfl": ".hdr", ".hdr": ".cfl"}
    return [
        one
        for path in named
        for one in (path, *([path.with_suffix(pairs[path.suffix])] if path.suffix in pairs else []))
    ]


def read(settings: KspaceSettings, brightness: "Brightness | None") -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the measurement that `step.physics.mri` explains, and what is known of it.

    Of one coil the measurement is as that of `step.observations.cmrxrecon`. Of several, `kspace` is
    (time, coil, ky, resolution) and `coil_maps` (time, coil, y, resolution) come with it; the coils are whitened by the
    file's noise scans. Where `crop` is larger than `resolution`, or a pixel is not square, k-space is cut, or filled
    with lines that were not measured, to square pixels of ``crop / resolution`` raw columns. Attributes are those of
    `step.observations.cmrxrecon`, where the slice lies in the patient (`step.io.geometry`), and, with noise scans,
    `noise_level`, their standard deviation per real and imaginary part in units of the video. `brightness` is not used.
    Raises `InputError` where the file is damaged, contradicts itself, or lacks what the settings ask for.
    """
    from step.domains.mri.kspace_slices import combine, find_maps, fit_matrix, keep_lines, whiten_slice
    from step.io.kspace.files import read_kspace
    from step.io.kspace.recording import Selection
    from step.observations.kspace_lines import check_centre, fit_readout

    raw = read_kspace(
        settings.file,
        Selection(settings.slice, {str(name): number for name, number in settings.of.items()}, settings.mask, REMEDY),
    )
    frames = np.arange(settings.first_frame, settings.first_frame + settings.frames)
    _check_frames(raw, frames)
    check_centre(np.sqrt(np.square(np.abs(raw.kspace)).sum(axis=0)), raw.variable, raw.path)
    raw, noise_level = whiten_slice(fit_matrix(keep_lines(raw), settings.crop / settings.resolution))
    n_coils, _, n_lines, n_samples = raw.kspace.shape
    kspace = np.stack([fit_readout(coil, settings.resolution) for coil in raw.kspace])
    maps = find_maps(kspace, raw) if n_coils > 1 else None
    scale, rotation = _scale_and_phase(combine(kspace, maps), settings, raw)
    kspace = (scale * np.exp(1j * rotation) * kspace).astype(np.complex64)
    outside_scale, share = _outside(kspace, raw.mask, maps, settings)
    fitted = n_lines > settings.resolution and settings.outside.scale == "estimate"
    measurement = {
        "kspace": kspace[0, frames] if maps is None else np.ascontiguousarray(kspace[:, frames].swapaxes(0, 1)),
        "mask": raw.mask[frames],
        "outside_scale": np.tile(outside_scale.astype(np.float32), (settings.frames, 1)),
        "outside_fitted": np.full(settings.frames, fitted),
    }
    if maps is not None:
        measurement["coil_maps"] = np.tile(maps.astype(np.complex64), (settings.frames, 1, 1, 1))
    attributes = _describe(settings, raw, frames) | {"scale": float(scale), "phase_rad": rotation}
    if share is not None:
        attributes["outside_share"] = share
    if noise_level is not None:
        # From raw units of the unnormalised transform to the orthonormal one of the video, as `fit_readout`.
        attributes["noise_level"] = scale * noise_level / (n_lines * n_samples) ** 0.5
        log.info(
            "noise scans: standard deviation %.3g in units of the video; the task measures with %s",
            *(attributes["noise_level"], settings.noise_level),
        )
    return measurement, attributes


def export(
    settings: KspaceSettings,
    videos: Mapping[str, np.ndarray],
    measurement: Mapping[str, np.ndarray],
    attributes: Mapping[str, Any],
    folder: Path,
) -> None:
    """Write each of `videos` (time, 2, y, x) as ``<name>.nii.gz`` and as ``<name>.dcm`` into `folder`.

    Values are magnitudes in the raw file's units. ``images.h5`` (ISMRMRD) has the complex videos, by their names. All
    say where the slice lies, if the raw file does. How the mean
    fits the data is written to ``residuals.csv``, line by line.
    """
    from step.io.dicom_images import write_dicom_magnitudes
    from step.io.geometry import Geometry
    from step.io.ismrmrd_images import write_ismrmrd_images
    from step.io.nifti import write_magnitudes
    from step.io.tables import write_table

    scale, geometry = float(attributes["scale"]), Geometry.from_attributes(attributes)
    times = np.asarray(attributes["frame_times"])
    is_timed = attributes["frame_time_unit"] == "s"
    frame_s = float(times[1] - times[0]) if is_timed and len(times) > 1 else None
    pixel_mm = geometry.pixel_mm[1] if geometry.pixel_mm else None
    write_magnitudes(folder, videos, scale, "raw units", pixel_mm, frame_s, geometry)
    patient, source = str(attributes["patient"]), str(attributes["source"])
    write_dicom_magnitudes(folder, videos, scale, geometry, times if is_timed else None, patient, source)
    write_ismrmrd_images(folder / IMAGES, videos, scale, geometry, times if is_timed else None, patient, source)
    if "mean" in videos:
        level = attributes.get("noise_level", settings.noise_level)
        write_table(folder / "residuals.csv", list(_residual_rows(videos["mean"], measurement, level)))


def _residual_rows(
    video: np.ndarray, measurement: Mapping[str, np.ndarray], noise_level: float | None
) -> Iterator[dict[str, Any]]:
    """Yield the mean square of ``F(S_c x) - y`` of each coil, frame and measured line, per real and imaginary part.

    `chi_square` is that over the noise's variance, empty where the noise is unknown. What is outside the frame counts
    as residual.
    """
    import torch

    from step.physics.forward_models import to_tensors
    from step.physics.mri import CartesianMri

    n_rows, n_columns = video.shape[2:]
    model = CartesianMri(torch.ones(n_rows, dtype=torch.bool), 1.0, n_columns)
    expected = model.forward(torch.from_numpy(np.array(video, np.float32))[None], to_tensors(dict(measurement)))[0]
    squares = np.square(np.abs(expected.numpy() - measurement["kspace"])).mean(axis=-1) / 2
    squares = squares if squares.ndim == 3 else squares[:, None]  # (time, coil, ky)
    for frame, line in np.argwhere(measurement["mask"]):
        for coil, square in enumerate(squares[frame, :, line]):
            chi_square = square / noise_level**2 if noise_level else ""
            yield {"coil": coil, "frame": frame, "ky": line, "mean_square": square, "chi_square": chi_square}


def _check_frames(raw: "KspaceSlice", frames: np.ndarray) -> None:
    if raw.kspace.shape[1] <= frames[-1]:
        raise InputError(
            f"{raw.variable} has {raw.kspace.shape[1]} frames, the observation needs {frames[-1] + 1} with those "
            f"before its first: {raw.path}; lower its data.first_frame, or {REMEDY}"
        )


def _scale_and_phase(image: np.ndarray, settings: KspaceSettings, raw: "KspaceSlice") -> tuple[float, float]:
    """Return the factor from the raw `image` (time, y, x), zero-filled, to the video, and the angle to rotate it by.

    As of a sequence that preparation makes a video of: its peak, within the columns' length, and its sum.
    """
    import torch

    from step.physics.fourier import fit_rows

    has_centre = raw.mask[:, image.shape[1] // 2]
    if settings.reference_phase and not has_centre.any():
        raise InputError(
            f"no frame has the zero frequency, line {image.shape[1] // 2} of {image.shape[1]}, so phases are unknown: "
            f"{raw.path}; set data.mri.reference_phase to false, or {REMEDY}"
        )
    rotation = -float(np.angle(image[has_centre].sum(dtype=np.complex128))) if settings.reference_phase else 0.0
    if settings.scale != "peak":
        return settings.scale, rotation
    largest = float(fit_rows(torch.from_numpy(image), image.shape[2]).abs().max())
    if largest == 0:
        raise InputError(f"{raw.variable} has a slice whose image is zero everywhere: {raw.path}; {REMEDY}")
    return settings.peak / largest, rotation


def _outside(
    kspace: np.ndarray, mask: np.ndarray, maps: np.ndarray | None, settings: KspaceSettings
) -> tuple[np.ndarray, float | None]:
    """Return the standard deviation (x,) outside the frame and its share of the energy, None if not estimated."""
    from step.domains.mri.kspace_slices import profile_outside
    from step.observations.kspace_lines import scale_outside

    n_lines, n_rows = kspace.shape[2], settings.resolution
    if maps is None or n_lines <= n_rows or settings.outside.scale != "estimate":
        return scale_outside(kspace[0], mask, n_rows, settings.outside, settings.noise_level)
    scale, share = profile_outside(kspace, mask, maps, n_rows)
    log.info(
        "%d lines for %d rows; outside the frame, standard deviation %.3g to %.3g, %.1f %% of the energy",
        *(n_lines, n_rows, scale.min(), scale.max(), 100 * share),
    )
    return scale, share


def _describe(settings: KspaceSettings, raw: "KspaceSlice", frames: np.ndarray) -> dict[str, Any]:
    """Return when and where the frames are, and of which file."""
    geometry = raw.geometry.with_pixel(_pixel(settings, raw))
    times, unit = frames.astype(float), "frame"
    if settings.frame_s:
        times, unit = frames * settings.frame_s, "s"
    elif raw.frame_times_s is not None:
        times, unit = raw.frame_times_s[frames], "s"
    mask = f", mask {settings.mask}" if settings.mask else ""
    return {
        "frame_times": times,
        "frame_time_unit": unit,
        "pixel_size": geometry.pixel_mm[1] if geometry.pixel_mm else 1.0,
        "pixel_unit": "mm" if geometry.pixel_mm else "pixel",
        "source": f"{raw.variable} of {settings.file}, slice {settings.slice}{mask}",
        "patient": raw.patient,
        **geometry.to_attributes(),
    }


def _pixel(settings: KspaceSettings, raw: "KspaceSlice") -> float | None:
    """Return the side of the video's pixel, mm, where the configuration says that of a raw one.

    Raises `InputError` where the file says another.
    """
    if settings.pixel_mm is None:
        return None
    side = settings.pixel_mm * settings.crop / settings.resolution
    if raw.geometry.pixel_mm and abs(raw.geometry.pixel_mm[1] - side) > SAME_PIXEL * side:
        raise InputError(
            f"{raw.path} has pixels of {raw.geometry.pixel_mm[1] * settings.resolution / settings.crop:.4g} mm, the "
            f"observation's data.pixel_mm is {settings.pixel_mm:g}; set it to null"
        )
    return side
