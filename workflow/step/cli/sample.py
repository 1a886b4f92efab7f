"""Draw posterior videos given measurements, with one method (Algorithm 1)."""

import argparse
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

from step.cli.settings import modules_of_measurement
from step.config.methods import Method
from step.config.sections import Name, Section
from step.config.study import Config
from step.config.tasks import MeasurementOfDomain, Sampler
from step.errors import InputError
from step.provenance import noise_source_name

if TYPE_CHECKING:
    import torch

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


def modules(settings: Settings) -> list[str]:
    """Return the modules that the stage imports by name: of the forward model, and of the noise."""
    return [*modules_of_measurement(settings), noise_source_name(settings.method.noise.source)]


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
    parser.add_argument("--flow", type=Path, help="optical flow of these videos, HDF5; for methods that warp noise")
    parser.add_argument("--cost", type=Path, help="table (CSV) of what the sampling took")
    parser.add_argument("--output", type=Path, required=True, help="HDF5 file of the reconstructions")


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Sample all measurements at once and write the reconstructions with their traces."""
    import torch

    from step.io.reconstructions import Reconstruction, read_measurement, write_reconstructions
    from step.io.tables import write_table
    from step.models.prior import load_prior
    from step.physics.forward_models import build_forward_model, check_measurement, to_tensors
    from step.sampling.daps import sample_posterior
    from step.sampling.evaluations import CountedPrior
    from step.sampling.posterior import LatentLikelihood
    from step.seeds import derive_seed

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    prior = load_prior(arguments.autoencoder, arguments.denoiser, settings.domain).to(device)
    videos = [path.stem for path in arguments.measurements]
    sources, flow = _noise_sources(arguments, settings, videos, prior.latent_shape)
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
    counted = CountedPrior(prior)
    likelihood = LatentLikelihood(
        counted,
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
    log.info("%s: %d videos x %d samples on %s", settings.task, len(videos), len(numbers), device)
    started = time.monotonic()
    per_draw = [sources[video] for video, _ in draws]
    latents, trace = sample_posterior(counted, likelihood, per_draw, generators, sampler, device, settings.task)
    evaluations = {
        "decoder_evaluations": counted.decoder_evaluations / len(draws),
        "denoiser_evaluations": counted.denoiser_evaluations / len(draws),
    }
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
    write_reconstructions(arguments.output, reconstructions, attributes | {"flow": flow})
    if arguments.cost:
        record = {"videos": len(videos), "samples": len(numbers), "seconds": seconds, **_machine(device)}
        write_table(arguments.cost, [record | evaluations])


def _noise_sources(
    arguments: argparse.Namespace, settings: Settings, videos: list[str], latent_shape: tuple[int, int, int, int]
) -> tuple[list, str]:
    """Return the noise source of each video, and what flow it uses, in words; '' for none."""
    import torch

    from step.io.flows import read_flow_attributes, read_flows
    from step.sampling.flow import Flow
    from step.sampling.noise.sources import build_noise_source

    noise = settings.method.noise
    if not settings.method.uses_flow:
        return [build_noise_source(noise, None, latent_shape) for _ in videos], ""
    if arguments.flow is None:
        raise InputError(f"noise {noise.source} moves with the optical flow of the videos; give its file with --flow")
    flows = read_flows(arguments.flow, videos)
    pairs = [(torch.from_numpy(flows[video].forward), torch.from_numpy(flows[video].backward)) for video in videos]
    sources = [build_noise_source(noise, Flow(*pair), latent_shape) for pair in pairs]
    return sources, str(read_flow_attributes(arguments.flow)["flow"])


def _machine(device: "torch.device") -> dict[str, object]:
    """Return the peak memory of this process in GB (of the GPU where there is one), the device and its threads."""
    import resource

    import torch

    if device.type == "cuda":
        memory, name = torch.cuda.max_memory_allocated(), torch.cuda.get_device_name()
    else:
        memory, name = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, "CPU"
    return {"peak_memory_gb": memory / 1e9, "device": name, "threads": torch.get_num_threads()}
