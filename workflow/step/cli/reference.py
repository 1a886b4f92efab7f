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

from step.cli.files import add_measurements
from step.cli.settings import dump_settings, modules_of_measurement
from step.config.sections import Count, Name, Section
from step.config.study import Config
from step.config.tasks import MeasurementOfDomain, Reference, TotalVariation
from step.errors import InputError

if TYPE_CHECKING:
    import torch

    from step.contracts import Measurement as Measured

    Reconstruct = Callable[["Measured", "torch.Tensor"], "torch.Tensor"]

log = logging.getLogger(__name__)

USE_THE_MEASUREMENT = ("zero_filled", "dirty", "total_variation")


class Settings(Section):
    """What one reference uses; the rest is null."""

    reference: Reference
    domain: Name | None
    measurement: MeasurementOfDomain | None
    total_variation: TotalVariation | None
    frames_per_chunk: Count | None  # of the autoencoder


def select(config: Config, task: str, reference: Reference) -> Settings:
    """Return the part of `config` that `reference` of `task` uses; raises `InputError` for an unknown one."""
    if reference not in get_args(Reference):
        raise InputError(f"there is no reference {reference!r}; give one of {', '.join(get_args(Reference))}")
    chosen = config.tasks[task]
    return Settings(
        reference=reference,
        domain=chosen.domain if reference == "vae" else None,
        measurement=config.measurement_of(task) if reference in USE_THE_MEASUREMENT else None,
        total_variation=chosen.total_variation if reference == "total_variation" else None,
        frames_per_chunk=chosen.sampler.frames_per_chunk if reference == "vae" else None,
    )


modules = modules_of_measurement


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    add_measurements(parser)
    parser.add_argument("--prior", type=Path, metavar="FOLDER", help="trained autoencoder; vae only")
    parser.add_argument(
        "--output", required=True, type=Path, metavar="FILE", help="reconstructions of all the videos, HDF5"
    )


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write the reference reconstruction of each measurement; raises `InputError` where a truth lacks."""
    from step.io.reconstructions import Reconstruction, read_measurement, write_reconstructions
    from step.physics.forward_models import build_forward_model, check_measurement, to_tensors
    from step.progress import track

    reconstructions = []
    for path in track(arguments.measurements, settings.reference, "video"):
        measurement, truth = read_measurement(path)
        if truth is None:
            raise InputError(f"{path} holds no truth, which tells a reference its size; measure a known video")
        measured = to_tensors(measurement)
        if settings.measurement is not None:
            check_measurement(measured, build_forward_model(settings.measurement, truth.shape), truth.shape, path)
        reconstruct = _reconstruction(arguments, settings, truth.shape)
        log.info("%s of %s", settings.reference, path.stem)
        video = reconstruct(measured, to_tensors({"truth": truth})["truth"])
        reconstructions.append(Reconstruction(path.stem, video.numpy(force=True), trace={}))
    attributes = {"method": settings.reference, "settings": dump_settings(settings)}
    write_reconstructions(arguments.output, reconstructions, attributes)


def _reconstruction(
    arguments: argparse.Namespace, settings: Settings, shape: tuple[int, int, int, int]
) -> "Reconstruct":
    """Return the function from a measurement and its truth, for videos of `shape`, to the reconstruction."""
    match settings.reference:
        case "zero_filled" | "dirty":
            return _naive_inverse(settings, shape)
        case "total_variation":
            return _total_variation(settings, shape)
        case "static":
            return lambda measurement, truth: truth.mean(dim=1, keepdim=True).expand_as(truth)
        case _:
            return _through_autoencoder(arguments.prior, settings)


def _naive_inverse(settings: Settings, shape: tuple[int, int, int, int]) -> "Reconstruct":
    from step.physics.forward_models import build_forward_model

    forward_model = build_forward_model(settings.measurement, shape)
    return lambda measurement, truth: forward_model.naive_inverse(measurement)


def _total_variation(settings: Settings, shape: tuple[int, int, int, int]) -> "Reconstruct":
    from step.physics.forward_models import build_forward_model
    from step.sampling.total_variation import reconstruct_total_variation

    # At noise level 1 the negative log-likelihood is ||A x - y||^2 / 2, to which the weight is relative.
    forward_model = build_forward_model(settings.measurement, shape, noise_level=1.0)
    weight, iterations = settings.total_variation.weight, settings.total_variation.iterations
    return lambda measurement, truth: reconstruct_total_variation(forward_model, measurement, weight, iterations)


def _through_autoencoder(folder: Path | None, settings: Settings) -> "Reconstruct":
    import torch

    from step.frames import by_frames
    from step.models.prior import load_autoencoder

    if folder is None:
        raise InputError("reference vae needs the trained autoencoder; give its folder with --prior")
    n_frames = settings.frames_per_chunk
    autoencoder = load_autoencoder(folder, settings.domain)

    def reconstruct(measurement: "Measured", truth: "torch.Tensor") -> "torch.Tensor":
        with torch.no_grad():
            return by_frames(lambda frames: autoencoder.decode(autoencoder.encode(frames)), truth, n_frames)

    return reconstruct
