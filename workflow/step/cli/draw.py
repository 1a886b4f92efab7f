"""Where prior, forward model and sampler are put together: posterior samples of measurements in files."""

import argparse
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    import numpy as np
    import torch

    from step.contracts import NoiseSource
    from step.models.prior import LatentDiffusionPrior

log = logging.getLogger(__name__)


class DrawSettings(Section):
    """What decides the samples."""

    seed: int
    task: Name
    domain: Name
    method: Method
    measurement: MeasurementOfDomain
    sampler: Sampler


def draw_settings(config: Config, task: str, method: str) -> DrawSettings:
    """Return the settings of one task's samples by one method."""
    settings = config.tasks[task]
    return DrawSettings(
        seed=config.seed,
        task=task,
        domain=settings.domain,
        method=config.methods[method],
        measurement=config.measurement_of(task),
        sampler=settings.sampler,
    )


def modules_of_drawing(settings: DrawSettings) -> list[str]:
    """Return the modules that drawing imports by name: of the forward model, and of the noise."""
    return [*modules_of_measurement(settings), noise_source_name(settings.method.noise.source)]


def add_problem(parser: argparse.ArgumentParser) -> None:
    """Declare the files that `load_problem` reads."""
    parser.add_argument("--autoencoder", type=Path, required=True, help="folder of the autoencoder")
    parser.add_argument("--denoiser", type=Path, required=True, help="folder of the image, video or joint prior")
    parser.add_argument(
        "--measurements",
        type=Path,
        nargs="+",
        required=True,
        help="measurement files; the stem names the video",
    )
    parser.add_argument("--flow", type=Path, help="optical flow of these videos, HDF5; for methods that warp noise")


@dataclass(frozen=True)
class Problem:
    """A prior, and the measurements of some videos."""

    prior: "LatentDiffusionPrior"
    device: "torch.device"
    measurements: Mapping[str, Path]  # by video
    arrays: Mapping[str, Mapping[str, "torch.Tensor"]]  # by video: its measurement, a batch of one
    sources: Mapping[str, "NoiseSource"]  # by video
    flow: str  # what flow moves the noise, in words; '' for none


@dataclass(frozen=True)
class Drawn:
    """Posterior samples of some videos, and what they took."""

    samples: Mapping[str, "np.ndarray"]  # by video: (sample, time, channel, y, x)
    trace: Mapping[str, Mapping[str, "np.ndarray"]]  # by video: (sample, annealing level) each
    seconds: float
    decoder_evaluations: float  # per sample
    denoiser_evaluations: float


def load_problem(arguments: argparse.Namespace, settings: DrawSettings) -> Problem:
    """Return the prior and the measurements in the files of `add_problem`, on the GPU where there is one."""
    import torch

    from step.io.reconstructions import read_measurement
    from step.models.prior import load_prior
    from step.physics.forward_models import to_tensors

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    prior = load_prior(arguments.autoencoder, arguments.denoiser, settings.domain)
    prior = prior.to(device).prepare(settings.sampler.networks)
    paths = {path.stem: path for path in arguments.measurements}
    sources, flow = _noise_sources(arguments.flow, settings, list(paths), prior.latent_shape)
    arrays = {video: to_tensors(read_measurement(path)) for video, path in paths.items()}
    return Problem(prior, device, paths, arrays, dict(zip(paths, sources, strict=True)), flow)


def draw(
    problem: Problem, settings: DrawSettings, videos: Sequence[str], numbers: Sequence[int], place: int = 0
) -> Drawn:
    """Return the samples called `numbers` of each of `videos`, drawn together (Algorithm 1).

    A sample depends on the seed, the task, its video and its number, and on nothing that is drawn with it. In its
    last bits it depends on the place of its video among those of the task; the first of `videos` is number `place`.
    Raises `InputError` for a measurement that is not of the task, `FloatingPointError` where a sample diverges.
    """
    import torch

    from step.frames import video_by_video
    from step.physics.forward_models import build_forward_model, check_measurement
    from step.sampling.batches import FixedBatches, arrange_batches
    from step.sampling.daps import sample_posterior
    from step.sampling.evaluations import CountedPrior
    from step.sampling.posterior import LatentLikelihood
    from step.seeds import derive_seed

    prior, device = problem.prior, problem.device
    sampler = settings.sampler.on(device.type)
    pairs = [(video, number) for video in videos for number in numbers]
    places = [place + rank + number for rank in range(len(videos)) for number in numbers]
    batches = arrange_batches(places, sampler.videos_per_batch)
    draws = [pairs[row] for row in batches.order]
    n_frames, *latent_frame = prior.latent_shape
    with torch.no_grad():
        frame = prior.decode(torch.zeros(1, 1, *latent_frame, device=device)).shape[2:]
    shape = (n_frames, *frame)
    forward_model = build_forward_model(settings.measurement, shape, sampler.likelihood.noise_level)
    for video in videos:
        check_measurement(problem.arrays[video], forward_model, shape, problem.measurements[video])
    first = problem.arrays[videos[0]]
    measurement = {name: torch.cat([problem.arrays[video][name] for video, _ in draws]).to(device) for name in first}
    counted = CountedPrior(FixedBatches(prior, sampler.videos_per_batch))
    likelihood = LatentLikelihood(
        counted,
        forward_model,
        measurement,
        sampler.videos_per_batch,
        sampler.frames_per_chunk,
        sampler.likelihood.gradient_bound,
    )
    generators = [
        torch.Generator().manual_seed(derive_seed(settings.seed, settings.task, video, f"sample{number}"))
        for video, number in draws
    ]
    log.info("%s: %d videos x %d samples on %s", settings.task, len(videos), len(numbers), device)
    started = time.monotonic()
    sources = [problem.sources[video] for video, _ in draws]
    describe = f"sampling {settings.task}"
    latents, trace = sample_posterior(counted, likelihood, sources, generators, sampler, device, describe)
    evaluations = (counted.decoder_evaluations / len(draws), counted.denoiser_evaluations / len(draws))
    with torch.no_grad():
        decoded = video_by_video(lambda part: prior.decode(part).cpu(), latents[batches.rows], sampler.frames_per_chunk)
    samples = decoded.numpy()
    seconds = time.monotonic() - started
    log.info("%.1f s, %.1f s per sample", seconds, seconds / len(pairs))
    histories = {name: torch.stack(levels, dim=1)[batches.rows].cpu().numpy() for name, levels in trace.items()}
    rows = {video: slice(n * len(numbers), (n + 1) * len(numbers)) for n, video in enumerate(videos)}
    return Drawn(
        samples={video: samples[of_video] for video, of_video in rows.items()},
        trace={
            video: {name: values[of_video] for name, values in histories.items()} for video, of_video in rows.items()
        },
        seconds=seconds,
        decoder_evaluations=evaluations[0],
        denoiser_evaluations=evaluations[1],
    )


def _noise_sources(
    flow_file: Path | None, settings: DrawSettings, videos: list[str], latent_shape: tuple[int, int, int, int]
) -> tuple[list["NoiseSource"], str]:
    """Return the noise source of each video, and what flow it uses, in words; '' for none."""
    import torch

    from step.io.flows import read_flow_attributes, read_flows
    from step.sampling.flow import Flow
    from step.sampling.noise.sources import build_noise_source

    noise = settings.method.noise
    if not settings.method.uses_flow:
        return [build_noise_source(noise, None, latent_shape) for _ in videos], ""
    if flow_file is None:
        raise InputError(f"noise {noise.source} moves with the optical flow of the videos; give its file with --flow")
    flows = read_flows(flow_file, videos)
    pairs = [(torch.from_numpy(flows[video].forward), torch.from_numpy(flows[video].backward)) for video in videos]
    sources = [build_noise_source(noise, Flow(*pair), latent_shape) for pair in pairs]
    return sources, str(read_flow_attributes(flow_file)["flow"])
