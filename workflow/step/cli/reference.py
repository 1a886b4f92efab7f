"""Reconstruct videos without a diffusion prior, for the reference rows of the table.

`zero_filled` and `dirty` are the forward model's naive inverse, `total_variation` is the classical reconstruction.
`static` and `vae` know the truth: they are its time average, repeated, and its passage through the
autoencoder, and show what a method without motion, and a method with these latents, can score at best.
"""

import argparse
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from step.cli.files import add_measurements, add_truths
from step.config.sections import Count, Name, Section
from step.config.settings import dump_settings, modules_of_measurement
from step.config.study import Config
from step.config.tasks import MeasurementOfDomain, Reference, TotalVariation
from step.errors import InputError

if TYPE_CHECKING:
    import torch

    Reconstruct = Callable[[Path], "torch.Tensor"]

log = logging.getLogger(__name__)

USE_THE_MEASUREMENT = ("zero_filled", "dirty", "total_variation")


class Settings(Section):
    """What one reference uses; the rest is null."""

    reference: Reference
    domain: Name | None
    measurement: MeasurementOfDomain | None
    shape: tuple[int, int, int, int] | None  # time, channel, y, x; null where the truth says it
    total_variation: TotalVariation | None
    frames_per_chunk: Count | None  # of the autoencoder


def select(config: Config, task: str, reference: Reference) -> Settings:
    """Return the part of `config` that `reference` of `task` uses; raises `InputError` for an unknown one."""
    if reference not in get_args(Reference):
        raise InputError(f"there is no reference {reference!r}; give one of {', '.join(get_args(Reference))}")
    chosen, measures = config.tasks[task], reference in USE_THE_MEASUREMENT
    video = config.video_format(chosen.domain)
    return Settings(
        reference=reference,
        domain=chosen.domain if reference == "vae" else None,
        measurement=config.measurement_of(task) if measures else None,
        shape=(video.frames, video.channels, video.resolution, video.resolution) if measures else None,
        total_variation=chosen.total_variation if reference == "total_variation" else None,
        frames_per_chunk=chosen.sampler.frames_per_chunk if reference == "vae" else None,
    )


modules = modules_of_measurement


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    add_measurements(parser, required=False)
    add_truths(parser, required=False)
    parser.add_argument("--prior", type=Path, metavar="FOLDER", help="trained autoencoder; vae only")
    parser.add_argument(
        "--output", required=True, type=Path, metavar="FILE", help="reconstructions of all the videos, HDF5"
    )


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write the reference reconstruction of each video; raises `InputError` where the files lack that it is of."""
    from step.io.reconstructions import Reconstruction, write_reconstructions
    from step.progress import track

    measures = settings.measurement is not None
    option, files = ("--measurements", arguments.measurements) if measures else ("--truths", arguments.truths)
    if not files:
        raise InputError(f"reference {settings.reference} is made of the files of {option}; give them")
    reconstruct = _from_measurement(settings) if measures else _from_truth(arguments.prior, settings)
    reconstructions = []
    for path in track(files, settings.reference, "video"):
        log.info("%s of %s", settings.reference, path.stem)
        reconstructions.append(Reconstruction(path.stem, reconstruct(path).numpy(force=True), trace={}))
    attributes = {"method": settings.reference, "settings": dump_settings(settings)}
    write_reconstructions(arguments.output, reconstructions, attributes)


def _from_measurement(settings: Settings) -> "Reconstruct":
    """Return the function from a measurement's file to its naive inverse, or to its classical reconstruction."""
    from step.io.reconstructions import read_measurement
    from step.physics.forward_models import build_forward_model, check_measurement, to_tensors
    from step.sampling.total_variation import reconstruct_total_variation

    chosen = settings.total_variation
    # At noise level 1 the negative log-likelihood is ||A x - y||^2 / 2, to which the weight is relative.
    forward_model = build_forward_model(settings.measurement, settings.shape, 1.0 if chosen else None)

    def reconstruct(path: Path) -> "torch.Tensor":
        measured = to_tensors(read_measurement(path))
        check_measurement(measured, forward_model, settings.shape, path)
        if chosen is None:
            return forward_model.naive_inverse(measured)
        return reconstruct_total_variation(forward_model, measured, chosen.weight, chosen.iterations)

    return reconstruct


def _from_truth(prior: Path | None, settings: Settings) -> "Reconstruct":
    """Return the function from a truth's file to its time average, repeated, or to its passage through the latents."""
    from step.io.truths import read_truth
    from step.physics.forward_models import to_tensors

    through = _static if settings.reference == "static" else _through_autoencoder(prior, settings)
    return lambda path: through(to_tensors({"truth": read_truth(path, path.stem)})["truth"])


def _static(truth: "torch.Tensor") -> "torch.Tensor":
    return truth.mean(dim=1, keepdim=True).expand_as(truth)


def _through_autoencoder(folder: Path | None, settings: Settings) -> "Callable[[torch.Tensor], torch.Tensor]":
    import torch

    from step.frames import by_frames
    from step.models.prior import load_autoencoder

    if folder is None:
        raise InputError("reference vae needs the trained autoencoder; give its folder with --prior")
    n_frames = settings.frames_per_chunk
    autoencoder = load_autoencoder(folder, settings.domain)

    def reconstruct(truth: "torch.Tensor") -> "torch.Tensor":
        with torch.no_grad():
            return by_frames(lambda frames: autoencoder.decode(autoencoder.encode(frames)), truth, n_frames)

    return reconstruct
