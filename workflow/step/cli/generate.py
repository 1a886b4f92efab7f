"""Sample one prior unconditionally: what it believes before it sees a measurement.

Samples of the same number begin from the same noise, whichever prior of the domain they are of. The frames of the
image prior's samples are independent of each other.
"""

import argparse
import logging
import time
from pathlib import Path
from typing import Literal, cast, get_args

from step.config.generation import Generation
from step.config.sections import Count, ModuleName, Name, Section
from step.config.study import Config
from step.errors import InputError
from step.plugins import architecture_name

log = logging.getLogger(__name__)

Prior = Literal["image", "video", "joint"]


class GenerationSettings(Section):
    """What decides the samples."""

    seed: int
    domain: Name
    architecture: ModuleName
    prior: Prior
    generation: Generation
    frames_at_once: Count  # that are decoded: as many as the autoencoder was trained on at once


Settings = GenerationSettings


def select(config: Config, domain: str, prior: str) -> GenerationSettings:
    """Return the settings of one prior's samples; raises `InputError` for the autoencoder, which has none."""
    if prior not in get_args(Prior):
        raise InputError(f"no samples can be taken of {prior!r}; give one of {', '.join(get_args(Prior))}")
    frames_at_once = config.priors[domain].autoencoder_training.optimisation.batch_size
    return GenerationSettings(
        seed=config.seed,
        domain=domain,
        architecture=config.priors[domain].architecture,
        prior=cast(Prior, prior),
        generation=config.generation,
        frames_at_once=frames_at_once,
    )


def modules(settings: GenerationSettings) -> list[str]:
    """Return the modules that are imported by name."""
    return [architecture_name(settings.architecture)]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files of the stage."""
    parser.add_argument("--autoencoder", type=Path, required=True, metavar="DIR", help="folder of the autoencoder")
    parser.add_argument("--denoiser", type=Path, required=True, metavar="DIR", help="folder of the prior")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FILE", help="the samples, named after the prior, HDF5"
    )


def run(arguments: argparse.Namespace, settings: GenerationSettings) -> None:
    """Write the samples; raises `InputError` unless the prior was trained on the autoencoder's latents."""
    import torch

    from step.io.reconstructions import Reconstruction, write_reconstructions
    from step.models.prior import load_prior
    from step.sampling.generation import generate_videos
    from step.seeds import derive_seed

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    prior = load_prior(arguments.autoencoder, arguments.denoiser, settings.domain, settings.architecture).to(device)
    generators = [
        torch.Generator().manual_seed(derive_seed(settings.seed, settings.domain, "generated", number))
        for number in range(settings.generation.samples)
    ]
    started = time.monotonic()
    samples = generate_videos(prior, generators, settings.generation, settings.frames_at_once, device).numpy()
    seconds = time.monotonic() - started
    log.info("%d samples of the %s prior on %s: %.1f s", len(samples), settings.prior, device, seconds)
    attributes = {
        "domain": settings.domain,
        "prior": settings.prior,
        "seed": settings.seed,
        "generation": settings.generation.model_dump_json(),
    }
    write_reconstructions(arguments.output, [Reconstruction(settings.prior, samples, trace={})], attributes)
