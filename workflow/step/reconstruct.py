"""Where prior, forward model and sampler are put together; the command line and notebooks call the same."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from step.config.sampling import SampleSettings
from step.config.tasks import Sampler
from step.contracts import ForwardModel, Measurement, NoiseSource, PosteriorSampler, VideoPrior
from step.errors import InputError
from step.frames import video_by_video
from step.io.optical_flows import read_optical_flow_attributes, read_optical_flows
from step.io.reconstructions import read_measurement
from step.physics.forward_models import build_forward_model, check_measurement, to_tensors
from step.sampling.batches import FixedBatches, arrange_batches
from step.sampling.daps import Daps
from step.sampling.evaluations import CountedPrior
from step.sampling.noise.sources import build_noise_source
from step.sampling.optical_flow import OpticalFlow
from step.sampling.posterior import LatentLikelihood
from step.sampling.samplers import build_sampler
from step.sampling.state import SamplingState
from step.seeds import derive_seed

if TYPE_CHECKING:
    from step.models.prior import LatentDiffusionPrior

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sampled:
    """Posterior samples of some videos, and what they took."""

    samples: Mapping[str, np.ndarray]  # by video: (sample, time, channel, y, x)
    trace: Mapping[str, Mapping[str, np.ndarray]]  # by video: (sample, level) each
    log_weights: Mapping[str, np.ndarray | None]  # by video: (sample,), up to a constant; None where all weigh the same
    seconds: float
    decoder_evaluations: float  # per sample
    denoiser_evaluations: float


@dataclass(frozen=True)
class Reconstructor:
    """A prior, a forward model and a sampler.

    `chunks` has what all samplers share: how many videos and frames the networks see at once, and the bound on the
    likelihood's gradient. The forward model assumes the likelihood's noise already.
    """

    prior: VideoPrior
    forward_model: ForwardModel
    sampler: PosteriorSampler
    chunks: Sampler
    device: torch.device

    def sample(
        self,
        measurements: Mapping[str, Measurement],
        noise_sources: Mapping[str, NoiseSource],
        numbers: Sequence[int],
        seed_of: Callable[[str, int], int],
        describe: str,
        place: int = 0,
        state: SamplingState | None = None,
    ) -> Sampled:
        """Return the samples called `numbers` of each video of `measurements`, sampled together (Algorithm 1).

        Where a `state` was left they go on from it, with the same numbers; a sampler that cannot begins anew.

        A measurement is a batch of one, and has a noise source under the name of its video. A sample depends on
        ``seed_of(video, number)`` and on nothing that is sampled with it; in its last bits it depends on the place of
        its video among those of the task, of which the first here has number `place`. Raises `FloatingPointError` where
        a sample diverges.
        """
        videos, size = list(measurements), self.chunks.videos_per_batch
        pairs = [(video, number) for video in videos for number in numbers]
        batches = arrange_batches([place + rank + number for rank in range(len(videos)) for number in numbers], size)
        placed = [pairs[row] for row in batches.order]
        together = {
            name: torch.cat([measurements[video][name] for video, _ in placed]).to(self.device)
            for name in measurements[videos[0]]
        }
        counted = CountedPrior(FixedBatches(self.prior, size))
        frames_per_chunk, bound = self.chunks.frames_per_chunk, self.chunks.likelihood.gradient_bound
        likelihood = LatentLikelihood(counted, self.forward_model, together, size, frames_per_chunk, bound)
        generators = [torch.Generator().manual_seed(seed_of(*pair)) for pair in placed]
        sources = [noise_sources[video] for video, _ in placed]
        log.info("%s: %d videos x %d samples on %s", describe, len(videos), len(numbers), self.device)
        started = time.monotonic()

        def tally() -> dict[str, float]:
            used = {"decoder": counted.decoder_evaluations, "denoiser": float(counted.denoiser_evaluations)}
            return used | {"seconds": time.monotonic() - started}

        arguments = (counted, likelihood, sources, generators, self.device, f"sampling {describe}")
        if state is not None and isinstance(self.sampler, Daps):
            state.tally = tally
            found = self.sampler.sample_on(*arguments, state)
        else:
            found = self.sampler.sample(*arguments)
        with torch.no_grad():
            latents = found.latents[batches.rows]
            decoded = video_by_video(lambda part: self.prior.decode(part).cpu(), latents, frames_per_chunk)
        used = state.used() if state and state.tally is tally else tally()
        evaluations, seconds = (used["decoder"] / len(placed), used["denoiser"] / len(placed)), used["seconds"]
        log.info("%.1f s, %.1f s per sample", seconds, seconds / len(pairs))
        rows = {video: slice(n * len(numbers), (n + 1) * len(numbers)) for n, video in enumerate(videos)}
        trace = {name: levels[batches.rows].cpu().numpy() for name, levels in found.trace.items()}
        weights = None if found.log_weights is None else found.log_weights[batches.rows].cpu().numpy()
        return Sampled(
            samples={video: decoded.numpy()[row] for video, row in rows.items()},
            trace={video: {name: levels[row] for name, levels in trace.items()} for video, row in rows.items()},
            log_weights={video: None if weights is None else weights[row] for video, row in rows.items()},
            seconds=seconds,
            decoder_evaluations=evaluations[0],
            denoiser_evaluations=evaluations[1],
        )


def shape_of_videos(prior: VideoPrior, device: torch.device) -> tuple[int, int, int, int]:
    """Return the shape of the videos that `prior` is of: (time, channel, y, x)."""
    n_frames, *latent_frame = prior.latent_shape
    with torch.no_grad():
        frame = prior.decode(torch.zeros(1, 1, *latent_frame, device=device)).shape[2:]
    return (n_frames, *frame)


@dataclass(frozen=True)
class Problem:
    """A prior, and the measurements of some videos."""

    prior: "LatentDiffusionPrior"
    device: torch.device
    files: Mapping[str, Path]  # of the measurements, by video
    measurements: Mapping[str, Measurement]  # by video, a batch of one
    noise_sources: Mapping[str, NoiseSource]  # by video
    optical_flow: str  # what optical flow moves the noise, in words; '' for none


def read_problem(
    autoencoder: Path, denoiser: Path, measurements: Sequence[Path], optical_flow: Path | None, settings: SampleSettings
) -> Problem:
    """Return the prior in two model folders and the measurements in files, on the GPU where there is one.

    The stem of a measurement's file names its video. `optical_flow` is the file of their optical flow, for methods
    whose noise moves with it. Raises `InputError` where one of them cannot be used.
    """
    from step.models.prior import load_prior

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    prior = (
        load_prior(autoencoder, denoiser, settings.domain, settings.architecture)
        .to(device)
        .place(settings.sampler.networks)
    )
    files = {path.stem: path for path in measurements}
    sources, moved_by = _noise_sources(optical_flow, settings, list(files), prior.latent_shape)
    arrays = {video: to_tensors(read_measurement(path)) for video, path in files.items()}
    return Problem(prior, device, files, arrays, dict(zip(files, sources, strict=True)), moved_by)


def sample_problem(
    problem: Problem,
    settings: SampleSettings,
    videos: Sequence[str],
    numbers: Sequence[int],
    place: int = 0,
    state: SamplingState | None = None,
) -> Sampled:
    """Return the samples called `numbers` of each of `videos`, as the study has them: `Reconstructor.sample`.

    Raises `InputError` for a measurement that is not of the task.
    """
    device, chunks = problem.device, settings.sampler.on(problem.device.type)
    shape = shape_of_videos(problem.prior, device)
    forward_model = build_forward_model(settings.measurement, shape, chunks.likelihood.noise_level)
    for video in videos:
        check_measurement(problem.measurements[video], forward_model, shape, problem.files[video])
    sampler = build_sampler(settings.method.sampler, chunks, settings.own)
    return Reconstructor(problem.prior, forward_model, sampler, chunks, device).sample(
        {video: problem.measurements[video] for video in videos},
        problem.noise_sources,
        numbers,
        lambda video, number: derive_seed(settings.seed, settings.task, video, f"sample{number}"),
        settings.task,
        place,
        state,
    )


def cost_of(sampled: Sampled, device: torch.device) -> dict[str, object]:
    """Return what `sampled` took, as one row of a table, with the peak memory of this process, in GB, so far.

    It is that of the GPU where `device` is one.
    """
    import resource  # which Windows does not have

    if device.type == "cuda":
        memory, name = torch.cuda.max_memory_allocated(), torch.cuda.get_device_name()
    else:
        memory, name = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, "CPU"
    return {
        "videos": len(sampled.samples),
        "samples": len(next(iter(sampled.samples.values()))),
        "seconds": sampled.seconds,
        "peak_memory_gb": memory / 1e9,
        "device": name,
        "threads": torch.get_num_threads(),
        "decoder_evaluations": sampled.decoder_evaluations,
        "denoiser_evaluations": sampled.denoiser_evaluations,
    }


def _noise_sources(
    optical_flow_file: Path | None, settings: SampleSettings, videos: list[str], latent_shape: tuple[int, int, int, int]
) -> tuple[list[NoiseSource], str]:
    """Return the noise source of each video, and what optical flow it uses, in words; '' for none."""
    noise = settings.method.noise
    if not settings.method.uses_optical_flow:
        return [build_noise_source(noise, None, latent_shape) for _ in videos], ""
    if optical_flow_file is None:
        raise InputError(
            f"noise {noise.source} moves with the optical flow of the videos; give its file with --optical-flow"
        )
    optical_flows = read_optical_flows(optical_flow_file, videos)
    pairs = [
        (torch.from_numpy(optical_flows[video].forward), torch.from_numpy(optical_flows[video].backward))
        for video in videos
    ]
    sources = [build_noise_source(noise, OpticalFlow(*pair), latent_shape) for pair in pairs]
    return sources, str(read_optical_flow_attributes(optical_flow_file)["optical_flow"])
