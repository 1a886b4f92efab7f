"""Reconstruct videos without a diffusion prior, for the reference rows of the table.

`zero_filled` and `dirty` are the forward model's backprojection, `total_variation` is the classical reconstruction.
`static` and `vae` know the truth: they are its time average, repeated, and its passage through the
autoencoder, and show what a method without motion, and a method with these latents, can score at best.
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from step.config.sections import Count, Name, Section
from step.config.study import Config
from step.config.tasks import MeasurementOfDomain, Reference, TotalVariation
from step.errors import InputError

if TYPE_CHECKING:
    import torch

    from step.io.reconstructions import Reconstruction

    Reconstruct = Callable[[Path], torch.Tensor]

log = logging.getLogger(__name__)

USE_THE_MEASUREMENT = ("zero_filled", "dirty", "total_variation")


class ReferenceSettings(Section):
    """What one reference uses; the rest is null."""

    reference: Reference
    domain: Name | None
    measurement: MeasurementOfDomain | None
    shape: tuple[int, int, int, int] | None  # time, channel, y, x; null where the truth says it
    total_variation: TotalVariation | None
    frames_per_chunk: Count | None  # of the autoencoder


def reference_settings(config: Config, task: str, reference: Reference) -> ReferenceSettings:
    """Return the part of `config` that `reference` of `task` uses; raises `InputError` for an unknown one."""
    if reference not in get_args(Reference):
        raise InputError(f"there is no reference {reference!r}; give one of {', '.join(get_args(Reference))}")
    chosen, measures = config.tasks[task], reference in USE_THE_MEASUREMENT
    video = config.video_format(chosen.domain)
    return ReferenceSettings(
        reference=reference,
        domain=chosen.domain if reference == "vae" else None,
        measurement=config.measurement_of(task) if measures else None,
        shape=(video.frames, video.channels, video.resolution, video.resolution) if measures else None,
        total_variation=chosen.total_variation if reference == "total_variation" else None,
        frames_per_chunk=chosen.sampler.frames_per_chunk if reference == "vae" else None,
    )


def reconstruct_files(
    files: Sequence[Path], autoencoder: Path | None, settings: ReferenceSettings
) -> "list[Reconstruction]":
    """Return the reference reconstruction, one sample, of the video in each of `files`.

    They are truths for `static` and `vae`, measurements for the others; `autoencoder` is the folder of the trained
    one, for `vae`. Raises `InputError` where it lacks, or a file holds something else.
    """
    from step.io.reconstructions import Reconstruction
    from step.progress import track

    measurement, shape = settings.measurement, settings.shape
    if measurement is None or shape is None:
        reconstruct = _from_truth(autoencoder, settings)
    else:
        reconstruct = _from_measurement(measurement, shape, settings.total_variation)
    reconstructions = []
    for path in track(files, settings.reference, "video"):
        log.info("%s of %s", settings.reference, path.stem)
        reconstructions.append(Reconstruction(path.stem, reconstruct(path).numpy(force=True), trace={}))
    return reconstructions


def _from_measurement(
    measurement: MeasurementOfDomain, shape: tuple[int, int, int, int], chosen: TotalVariation | None
) -> "Reconstruct":
    """Return the function from a measurement's file to its backprojection, or to its classical reconstruction."""
    from step.io.reconstructions import read_measurement
    from step.physics.forward_models import build_forward_model, check_measurement, to_tensors
    from step.sampling.total_variation import reconstruct_total_variation

    # At noise level 1 the negative log-likelihood is ||A x - y||^2 / 2, to which the weight is relative.
    forward_model = build_forward_model(measurement, shape, 1.0 if chosen else None)

    def reconstruct(path: Path) -> "torch.Tensor":
        measured = to_tensors(read_measurement(path))
        check_measurement(measured, forward_model, shape, path)
        if chosen is None:
            return forward_model.backprojection(measured)
        return reconstruct_total_variation(forward_model, measured, chosen.weight, chosen.iterations)

    return reconstruct


def _from_truth(prior: Path | None, settings: ReferenceSettings) -> "Reconstruct":
    """Return the function from a truth's file to its time average, repeated, or to its passage through the latents."""
    from step.io.truths import read_truth
    from step.physics.forward_models import to_tensors

    through = _static if settings.reference == "static" else _through_autoencoder(prior, settings)
    return lambda path: through(to_tensors({"truth": read_truth(path, path.stem)})["truth"])


def _static(truth: "torch.Tensor") -> "torch.Tensor":
    return truth.mean(dim=1, keepdim=True).expand_as(truth)


def _through_autoencoder(folder: Path | None, settings: ReferenceSettings) -> "Callable[[torch.Tensor], torch.Tensor]":
    import torch

    from step.frames import by_frames
    from step.models.prior import load_autoencoder

    n_frames = settings.frames_per_chunk
    if folder is None or n_frames is None:
        raise InputError("reference vae needs the trained autoencoder; give its folder with --prior")
    autoencoder = load_autoencoder(folder, settings.domain)

    def reconstruct(truth: "torch.Tensor") -> "torch.Tensor":
        with torch.no_grad():
            return by_frames(lambda frames: autoencoder.decode(autoencoder.encode(frames)), truth, n_frames)

    return reconstruct
