"""Where prior, forward model and sampler are put together; the command line and notebooks call the same."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch

from step.config.sampling import SampleSettings
from step.config.tasks import Sampler
from step.contracts import (
    ForwardModel,
    Measurement,
    NoiseSource,
    ParticleSampler,
    PosteriorSampler,
    PosteriorSamples,
    VideoPrior,
)
from step.errors import InputError
from step.frames import video_by_video
from step.io.optical_flows import read_optical_flow_attributes, read_optical_flows
from step.io.reconstructions import read_measurement
from step.physics.forward_models import build_forward_model, check_measurement, to_tensors
from step.sampling.batches import FilledBatches, FixedBatches, arrange_batches, divide
from step.sampling.evaluations import CountedPrior
from step.sampling.noise.sources import build_noise_source
from step.sampling.optical_flow import OpticalFlow
from step.sampling.posterior import LatentLikelihood
from step.sampling.samplers import build_sampler
from step.sampling.state import ResumableSampler, SamplingState
from step.seeds import derive_seed

if TYPE_CHECKING:
    from step.models.prior import LatentDiffusionPrior

log = logging.getLogger(__name__)

Pairs = Sequence[tuple[str, int]]
"""Samples by the names of their videos and their numbers."""

Call = Callable[[Pairs, str], PosteriorSamples]
"""What finds the samples of some pairs, described in words."""


@dataclass(frozen=True)
class Sampled:
    """Posterior samples of some videos, and what they took."""

    samples: Mapping[str, np.ndarray]  # by video: (sample, time, channel, y, x)
    trace: Mapping[str, Mapping[str, np.ndarray]]  # by video: (sample, level) each
    log_weights: Mapping[str, np.ndarray | None]  # by video: (sample,), up to a constant; None where all weigh the same
    ancestors: Mapping[str, np.ndarray | None]  # by video: (sample,), the numbers of samples; None: each its own
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
        videos = list(measurements)
        pairs = [(video, number) for video in videos for number in numbers]
        log.info("%s: %d videos x %d samples on %s", describe, len(videos), len(numbers), self.device)
        started = time.monotonic()
        counted = CountedPrior(self._batched())

        def tally() -> dict[str, float]:
            used = {"decoder": counted.decoder_evaluations, "denoiser": float(counted.denoiser_evaluations)}
            return used | {"seconds": time.monotonic() - started}

        if state is not None:
            state.tally = tally

        def call(placed: Pairs, what: str) -> PosteriorSamples:
            # An island is a part of the job; together they are one.
            part = state.part("{}-{}".format(*placed[0])) if state and self._has_islands else state
            return self._call(counted, measurements, noise_sources, placed, seed_of, what, part)

        if self._has_islands:
            found, n_sampled = self._sample_islands(call, pairs, describe)
        else:
            places = [place + rank + number for rank in range(len(videos)) for number in numbers]
            found, n_sampled = self._sample_together(call, pairs, places, describe)
        with torch.no_grad():
            chunk = self.chunks.frames_per_chunk
            decoded = video_by_video(lambda part: self.prior.decode(part).cpu(), found.latents, chunk)
        used = state.used() if state else tally()
        evaluations, seconds = (used["decoder"] / n_sampled, used["denoiser"] / n_sampled), used["seconds"]
        log.info("%.1f s, %.1f s per sample", seconds, seconds / len(pairs))
        rows = {video: slice(n * len(numbers), (n + 1) * len(numbers)) for n, video in enumerate(videos)}
        trace = {name: levels.cpu().numpy() for name, levels in found.trace.items()}
        weights = None if found.log_weights is None else found.log_weights.cpu().numpy()
        ancestors = None if found.ancestors is None else found.ancestors.cpu().numpy()
        return Sampled(
            samples={video: decoded.numpy()[row] for video, row in rows.items()},
            trace={video: {name: levels[row] for name, levels in trace.items()} for video, row in rows.items()},
            log_weights={video: None if weights is None else weights[row] for video, row in rows.items()},
            ancestors={video: None if ancestors is None else ancestors[row] for video, row in rows.items()},
            seconds=seconds,
            decoder_evaluations=evaluations[0],
            denoiser_evaluations=evaluations[1],
        )

    @property
    def _has_islands(self) -> bool:
        return isinstance(self.sampler, ParticleSampler)

    def _batched(self) -> FixedBatches:
        """Return the prior as the sampler's batches need it: of one size, or filled up to it."""
        batches = FilledBatches if self._has_islands else FixedBatches
        return batches(self.prior, self.chunks.videos_per_batch)

    def _sample_together(
        self, call: Call, pairs: Pairs, places: Sequence[int], describe: str
    ) -> tuple[PosteriorSamples, int]:
        """Return what is found of `pairs` of video and number, in batches of one size, and how many were sampled.

        There are more than `pairs` where batches are filled up.
        """
        batches = arrange_batches(places, self.chunks.videos_per_batch)
        placed = [pairs[row] for row in batches.order]
        found = call(placed, describe)
        rows = batches.rows
        return PosteriorSamples(
            found.latents[rows],
            {name: levels[rows] for name, levels in found.trace.items()},
            None if found.log_weights is None else found.log_weights[rows],
        ), len(placed)

    def _sample_islands(self, call: Call, pairs: Pairs, describe: str) -> tuple[PosteriorSamples, int]:
        """Return the same, of a sampler whose samples of one measurement depend on each other, island by island.

        Islands begin at multiples of their size, so that a sample does not depend on the job that it is sampled in.
        """
        size = cast(ParticleSampler, self.sampler).particles
        numbers = [number for video, number in pairs if video == pairs[0][0]]
        if numbers[0] % size or len(numbers) % size:
            raise InputError(
                f"samples {numbers[0]} to {numbers[-1]} are no whole islands of {size} particles; let the numbers of "
                f"samples, and those of a job, be multiples of it, or change samplers.weighted.particles"
            )
        islands = [pairs[row] for row in divide(len(pairs), size)]
        found = []
        for island in islands:
            video, first = island[0]
            one = call(island, f"{describe}, {video}, samples {first} to {first + size - 1}")
            found.append(one if one.ancestors is None else replace(one, ancestors=one.ancestors + first))
        weights = [one.log_weights for one in found if one.log_weights is not None]
        ancestors = [one.ancestors for one in found if one.ancestors is not None]
        return PosteriorSamples(
            torch.cat([one.latents for one in found]),
            {name: _join_levels([one.trace[name] for one in found]) for name in found[0].trace},
            torch.cat(weights) if weights else None,
            torch.cat(ancestors) if ancestors else None,
        ), len(pairs)

    def _call(
        self,
        prior: VideoPrior,
        measurements: Mapping[str, Measurement],
        noise_sources: Mapping[str, NoiseSource],
        pairs: Pairs,
        seed_of: Callable[[str, int], int],
        describe: str,
        state: SamplingState | None,
    ) -> PosteriorSamples:
        """Return what the sampler finds of `pairs`, one batch; from where `state` was left on, if it can go on."""
        together = {
            name: torch.cat([measurements[video][name] for video, _ in pairs]).to(self.device)
            for name in measurements[pairs[0][0]]
        }
        chunks = self.chunks
        likelihood = LatentLikelihood(
            prior,
            self.forward_model,
            together,
            chunks.videos_per_batch,
            chunks.frames_per_chunk,
            chunks.likelihood.gradient_bound,
        )
        generators = [torch.Generator().manual_seed(seed_of(*pair)) for pair in pairs]
        sources = [noise_sources[video] for video, _ in pairs]
        arguments = (prior, likelihood, sources, generators, self.device, f"sampling {describe}")
        if state is not None and isinstance(self.sampler, ResumableSampler):
            return self.sampler.sample_on(*arguments, state)
        return self.sampler.sample(*arguments)


def _join_levels(traces: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return `traces` (sample, level) as one; those of fewer levels than others end in nan."""
    n_levels = max(trace.shape[1] for trace in traces)
    pad = torch.nn.functional.pad
    return torch.cat([pad(trace, (0, n_levels - trace.shape[1]), value=float("nan")) for trace in traces])


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
