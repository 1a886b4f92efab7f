"""Reconstruct videos without a diffusion prior, for the reference rows of the table.

`zero_filled` and `dirty` are the forward model's backprojection, the modules of `step.classical` and yours are
classical reconstructions. `static` and `vae` know the truth: they are its time average, repeated, and its passage
through the autoencoder, and show what a method without motion, and a method with these latents, can score at best.
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from step.config.sections import AnySettings, Count, ModuleName, Name, Section
from step.config.settings import modules_of_measurement
from step.config.study import Config
from step.config.tasks import OF_TRUTH, MeasurementOfDomain, Reference
from step.errors import InputError
from step.plugins import classical_name

if TYPE_CHECKING:
    import torch

    from step.io.reconstructions import Reconstruction

    Reconstruct = Callable[[Path], torch.Tensor]

log = logging.getLogger(__name__)


class ReferenceSettings(Section):
    """What one reference uses; the rest is null."""

    reference: ModuleName
    domain: Name | None
    measurement: MeasurementOfDomain | None
    shape: tuple[int, int, int, int] | None  # time, channel, y, x; null where the truth says it
    classical: AnySettings | None
    frames_per_chunk: Count | None  # of the autoencoder

    @property
    def modules(self) -> list[str]:
        """The modules that are imported by name: of the measurement, and of a classical reconstruction."""
        classical = [] if self.classical is None else [classical_name(self.reference)]
        return [*modules_of_measurement(self), *classical]


def reference_settings(config: Config, task: str, reference: str) -> ReferenceSettings:
    """Return the part of `config` that `reference` of `task` uses; raises `InputError` for an unknown one."""
    chosen, measures = config.tasks[task], reference not in OF_TRUTH
    known = [*get_args(Reference), *chosen.classical]
    if reference not in known:
        raise InputError(f"{task} has no reference {reference!r}; give one of {', '.join(known)}")
    video, classical = config.video_format(chosen.domain), chosen.classical.get(reference)
    return ReferenceSettings(
        reference=reference,
        domain=chosen.domain if reference == "vae" else None,
        measurement=config.measurement_of(task) if measures else None,
        shape=(video.frames, video.channels, video.resolution, video.resolution) if measures else None,
        classical=None if classical is None else AnySettings(**classical.model_dump()),
        frames_per_chunk=chosen.sampler.frames_per_chunk if reference == "vae" else None,
    )


def reconstruct_files(
    files: Sequence[Path], autoencoder: Path | None, settings: ReferenceSettings
) -> "list[Reconstruction]":
    """Return the reference reconstruction, one sample, of the video in each of `files`.

    They are truths for `static` and `vae`, measurements for the others; `autoencoder` is the folder of the trained
    one, for `vae`. Raises `InputError` where it lacks, or a file holds something else, and `FloatingPointError` where a
    classical reconstruction diverges.
    """
    from step.io.reconstructions import Reconstruction
    from step.progress import track

    measurement, shape = settings.measurement, settings.shape
    if measurement is None or shape is None:
        reconstruct = _from_truth(autoencoder, settings)
    else:
        reconstruct = _from_measurement(measurement, shape, settings)
    reconstructions = []
    for path in track(files, settings.reference, "video"):
        log.info("%s of %s", settings.reference, path.stem)
        reconstructions.append(Reconstruction(path.stem, reconstruct(path).numpy(force=True), trace={}))
    return reconstructions


def _from_measurement(
    measurement: MeasurementOfDomain, shape: tuple[int, int, int, int], settings: ReferenceSettings
) -> "Reconstruct":
    """Return the function from a measurement's file to its backprojection, or to its classical reconstruction."""
    from step.classical.modules import NOISE_LEVEL, build_classical
    from step.io.reconstructions import read_measurement
    from step.physics.forward_models import build_forward_model, check_measurement, to_tensors

    classical = settings.classical and build_classical(settings.reference, settings.classical)
    forward_model = build_forward_model(measurement, shape, NOISE_LEVEL if classical else None)

    def reconstruct(path: Path) -> "torch.Tensor":
        measured = to_tensors(read_measurement(path))
        check_measurement(measured, forward_model, shape, path)
        return classical(forward_model, measured) if classical else forward_model.backprojection(measured)

    return reconstruct


def _from_truth(prior: Path | None, settings: ReferenceSettings) -> "Reconstruct":
    """Return the function from a truth's file to its time average, repeated, or to its passage through the latents."""
    from step.io.truths import read_truth
    from step.physics.forward_models import to_tensors

    through: Callable[[torch.Tensor], torch.Tensor] = _static
    if settings.reference != "static":
        if prior is None or settings.frames_per_chunk is None:
            raise InputError("reference vae needs the trained autoencoder; give its folder with --prior")
        through = through_autoencoder(prior, settings.domain, settings.frames_per_chunk)
    return lambda path: through(to_tensors({"truth": read_truth(path, path.stem)})["truth"])


def _static(truth: "torch.Tensor") -> "torch.Tensor":
    return truth.mean(dim=1, keepdim=True).expand_as(truth)


def through_autoencoder(
    folder: Path, domain: str | None, frames_per_chunk: int
) -> "Callable[[torch.Tensor], torch.Tensor]":
    """Return the function that takes a video (1, time, channel, y, x) through the autoencoder in `folder`, and back.

    Raises `InputError` for an autoencoder of another `domain`.
    """
    import torch

    from step.frames import by_frames
    from step.models.prior import load_autoencoder

    autoencoder = load_autoencoder(folder, domain)

    def reconstruct(truth: "torch.Tensor") -> "torch.Tensor":
        with torch.no_grad():
            return by_frames(lambda frames: autoencoder.decode(autoencoder.encode(frames)), truth, frames_per_chunk)

    return reconstruct
