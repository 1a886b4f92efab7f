"""Draw posterior videos given measurements, with one method (Algorithm 1)."""

import argparse
import logging
import time
from pathlib import Path

from step.cli.settings import modules_of_measurement
from step.config.sections import Name, Section
from step.config.study import Config
from step.config.tasks import MeasurementOfDomain, Method, Sampler

log = logging.getLogger(__name__)


class Settings(Section):
    """What decides the samples."""

    seed: int
    task: Name
    domain: Name
    method: Method
    measurement: MeasurementOfDomain
    sampler: Sampler


def select(config: Config, task: str, method: str) -> Settings:
    """Return the settings of one task's samples by one method."""
    settings = config.tasks[task]
    return Settings(
        seed=config.seed,
        task=task,
        domain=settings.domain,
        method=config.methods[method],
        measurement=config.measurement_of(task),
        sampler=settings.sampler,
    )


modules = modules_of_measurement


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's files to `parser`."""
    parser.add_argument("--autoencoder", type=Path, required=True, help="folder of the autoencoder")
    parser.add_argument("--denoiser", type=Path, required=True, help="folder of the image, video or joint prior")
    parser.add_argument(
        "--measurements",
        type=Path,
        nargs="+",
        required=True,
        help="measurement files; the stem names the video",
    )
    parser.add_argument(
        "--samples",
        type=int,
        nargs=2,
        default=(0, 1),
        metavar=("FIRST", "LAST"),
        help="numbers of the samples, from FIRST to before LAST (default: 0 1)",
    )
    parser.add_argument("--output", type=Path, required=True, help="HDF5 file of the reconstructions")


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Sample all measurements at once and write the reconstructions with their traces."""
    import torch

    from step.io.reconstructions import Reconstruction, read_measurement, write_reconstructions
    from step.models.prior import load_prior
    from step.physics.forward_models import build_forward_model, check_measurement, to_tensors
    from step.sampling.daps import sample_posterior
    from step.sampling.noise import noise_source
    from step.sampling.posterior import LatentLikelihood
    from step.seeds import derive_seed

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    prior = load_prior(arguments.autoencoder, arguments.denoiser, settings.domain).to(device)
    videos = [path.stem for path in arguments.measurements]
    single = [to_tensors(read_measurement(path)[0]) for path in arguments.measurements]
    numbers = range(*arguments.samples)
    draws = [(video, number) for video in range(len(videos)) for number in numbers]
    sampler = settings.sampler
    with torch.no_grad():
        shape = tuple(prior.decode(torch.zeros(1, *prior.latent_shape, device=device)).shape[1:])
    forward_model = build_forward_model(settings.measurement, shape, sampler.mcmc.noise_level)
    for path, of_video in zip(arguments.measurements, single, strict=True):
        check_measurement(of_video, forward_model, shape, path)
    measurement = {name: torch.cat([single[video][name] for video, _ in draws]).to(device) for name in single[0]}
    likelihood = LatentLikelihood(
        prior,
        forward_model,
        measurement,
        sampler.frames_per_chunk,
        sampler.mcmc.gradient_clip,
        sampler.mcmc.noise_level,
    )
    generators = [
        torch.Generator().manual_seed(derive_seed(settings.seed, settings.task, videos[video], f"sample{number}"))
        for video, number in draws
    ]
    sources = [noise_source(settings.method.noise) for _ in draws]
    log.info("%s: %d videos x %d samples on %s", settings.task, len(videos), len(numbers), device)
    started = time.monotonic()
    latents, trace = sample_posterior(prior, likelihood, sources, generators, sampler, device, settings.task)
    with torch.no_grad():
        samples = torch.cat([prior.decode(latent).cpu() for latent in latents.split(1)]).numpy()
    seconds = time.monotonic() - started
    log.info("%.1f s, %.1f s per sample", seconds, seconds / len(draws))
    histories = {name: torch.stack(levels, dim=1).cpu().numpy() for name, levels in trace.items()}
    reconstructions = []
    for number, video in enumerate(videos):
        rows = slice(number * len(numbers), (number + 1) * len(numbers))
        history = {name: values[rows] for name, values in histories.items()}
        reconstructions.append(Reconstruction(video, samples[rows], history))
    attributes = {"task": settings.task, "method": settings.method.model_dump_json(), "seed": settings.seed}
    write_reconstructions(arguments.output, reconstructions, attributes)
