"""What the sampler costs, part by part, against its networks alone and against Algorithm 1 as it is written down."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch

from step.benchmark.reference_implementation import sample_as_written_down
from step.config.tasks import Sampler
from step.contracts import ForwardModel, Measurement, NoiseSource, VideoPrior
from step.progress import track
from step.sampling.batches import FixedBatches, arrange_batches, divide
from step.sampling.daps import PosteriorGivenNoisy, sample_posterior, step_size_at
from step.sampling.evaluations import CountedPrior
from step.sampling.mcmc import sample_damped_hamiltonian
from step.sampling.posterior import LatentLikelihood
from step.seeds import derive_seed


@dataclass(frozen=True)
class Cost:
    """One measured quantity; `axis` and `at` say what was varied and where, if anything was."""

    quantity: str
    value: float
    unit: str  # '' for a number
    extrapolated: bool = False
    axis: str = ""
    at: int | str = ""


@dataclass(frozen=True)
class Workload:
    """A prior and a measurement, a batch of one, of which samples are taken to see what they cost."""

    prior: VideoPrior
    forward_model: ForwardModel
    measurement: Measurement
    source: NoiseSource
    seed: int
    device: torch.device

    def likelihood(self, prior: VideoPrior, sampler: Sampler, n_videos: int) -> LatentLikelihood:
        """Return the likelihood of `n_videos` videos with the same measurement."""
        repeated = {name: torch.cat([array] * n_videos) for name, array in self.measurement.items()}
        sizes, bound = (sampler.videos_per_batch, sampler.frames_per_chunk), sampler.likelihood.gradient_bound
        return LatentLikelihood(prior, self.forward_model, repeated, *sizes, bound)

    def generator(self, number: int) -> torch.Generator:
        """Return the generator of sample `number`, as it is before its first number."""
        return torch.Generator().manual_seed(derive_seed(self.seed, "benchmark", f"sample{number}"))

    def latents(self, n_videos: int) -> torch.Tensor:
        """Return standard normal latents (batch, time, latent_channel, latent_y, latent_x)."""
        return torch.randn(n_videos, *self.prior.latent_shape, generator=self.generator(0)).to(self.device)


@dataclass(frozen=True)
class Sampled:
    """Samples, and how often networks were evaluated for each, those that fill batches up not counted as samples."""

    latents: torch.Tensor  # (sample, time, latent_channel, latent_y, latent_x)
    n_sampled: int  # with those that fill batches up
    decoder_evaluations: float  # per sample
    denoiser_evaluations: float


def take_samples(workload: Workload, sampler: Sampler, n_samples: int) -> Sampled:
    """Return `n_samples` samples of the library's own sampler, in the batches of its settings."""
    batches = arrange_batches(range(n_samples), sampler.videos_per_batch)
    counted = CountedPrior(FixedBatches(workload.prior, sampler.videos_per_batch))
    n_sampled = len(batches.order)
    latents, _ = sample_posterior(
        counted,
        workload.likelihood(counted, sampler, n_sampled),
        [workload.source] * n_sampled,
        [workload.generator(number) for number in batches.order],
        sampler,
        workload.device,
        "benchmark",
    )
    evaluations = (counted.decoder_evaluations / n_sampled, counted.denoiser_evaluations / n_sampled)
    return Sampled(latents[batches.rows], n_sampled, *evaluations)


def sample_by_reference_implementation(workload: Workload, sampler: Sampler, n_samples: int) -> torch.Tensor:
    """Return the same samples by Algorithm 1 as it is written down, one after the other."""
    model, device = workload.forward_model, workload.device
    samples = [
        sample_as_written_down(
            workload.prior, model, workload.measurement, workload.source, workload.generator(number), sampler, device
        )
        for number in range(n_samples)
    ]
    return torch.cat(samples)


def time_in_turn(
    tasks: Mapping[str, Callable[[], object]], repeats: int, device: torch.device
) -> dict[str, list[float]]:
    """Return the seconds of each of `tasks`, all run in turn `repeats` times: what else ran slows all alike.

    A GPU runs them once before, as its first run of anything makes ready what the others use.
    """
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    if device.type == "cuda":
        for task in tasks.values():
            task()
    runs = [(name, task) for _ in range(repeats) for name, task in tasks.items()]
    for name, task in track(runs, "timing", "run"):
        _finish(device)
        started = time.perf_counter()
        task()
        _finish(device)
        seconds[name].append(time.perf_counter() - started)
    return seconds


def fastest(tasks: Mapping[str, Callable[[], object]], repeats: int, device: torch.device) -> dict[str, float]:
    """Return the least seconds of each of `tasks`, as `time_in_turn` measures them."""
    return {name: min(seconds) for name, seconds in time_in_turn(tasks, repeats, device).items()}


def cost_of_step(workload: Workload, sampler: Sampler, n_samples: int, repeats: int, whole_frames: int) -> list[Cost]:
    """Return where the time of a step of the damped Markov chain goes, milliseconds per video.

    ``step = decoder_gradient + forward_model + step_denoiser + step_rest``; `decoder_forward` is the first part of
    `decoder_gradient`, and `denoiser` one evaluation, of which a step has a share. Videos shorter than `whole_frames`
    give costs that are extrapolated: they grow with the frames, but for the attention over time, a small part.
    """
    mcmc, n_videos = sampler.mcmc, len(arrange_batches(range(n_samples), sampler.videos_per_batch).order)
    batched = CountedPrior(FixedBatches(workload.prior, sampler.videos_per_batch))
    likelihood = workload.likelihood(batched, sampler, n_videos)
    latents = workload.latents(n_videos)
    upstream = _upstream(workload, n_videos)
    level, sigma = sampler.annealing.levels - 1, sampler.annealing.sigma_min
    h = step_size_at(level, sigma, sampler)
    counted = []

    def chain() -> None:
        before = batched.denoiser_evaluations
        generators = [workload.generator(number) for number in range(n_videos)]
        target = PosteriorGivenNoisy(batched, likelihood, latents, latents, sigma, mcmc)
        sample_damped_hamiltonian(target, latents, mcmc.steps, h, mcmc.damping, generators)
        counted.append(batched.denoiser_evaluations - before)

    tasks = {
        "decoder_forward": lambda: _decode(workload.prior, latents, None, sampler),
        "decoder_gradient": lambda: _decode(workload.prior, latents, upstream, sampler),
        "denoiser": lambda: batched.denoise(latents, mcmc.prior_score_sigma),
        "forward_model": lambda: _differentiate_likelihood(likelihood, upstream),
        "step": chain,
    }
    seconds = fastest(tasks, repeats, workload.device)
    seconds["step"] /= mcmc.steps
    seconds["step_denoiser"] = seconds["denoiser"] * counted[-1] / n_videos / mcmc.steps
    parts = ("decoder_gradient", "forward_model", "step_denoiser")
    seconds["step_rest"] = seconds["step"] - sum(seconds[part] for part in parts)
    share = workload.prior.latent_shape[0] / whole_frames
    return [Cost(name, 1e3 * each / n_videos / share, "ms", share != 1) for name, each in seconds.items()]


def cost_of_sampling(
    workload: Workload, run: Sampler, n_samples: int, repeats: int, whole: Sampler, whole_frames: int
) -> list[Cost]:
    """Return what samples take with the settings `run`: the library's sampler against bare networks and plain code.

    * `overhead`: the `sampler` against `bare`, as many decoder gradients and denoisings in the same batches and nothing
      else; no level in pixel space, where a decoder has no gradient.
    * `reference_implementation`: Algorithm 1 as it is written down; `same_algorithm`: the library's sampler with the
      same settings, which must give the same samples (`largest_difference`, relative to the largest element);
      `configured`: as the task has it. Seconds of all samples together, the least; what compares two is the median of
      their ratios in the same turn, as a machine is not equally fast at all times.
    * `sampler_whole`: seconds per sample of the settings `whole` and `whole_frames` frames, from `sampler`.
    """
    chain = run.model_copy(update={"pixel_space": run.pixel_space.model_copy(update={"above_sigma": None})})
    as_written = {"algorithm": "damped", "prior_score": "exact", "prior_score_every": 1}
    plain = chain.model_copy(update={"mcmc": run.mcmc.model_copy(update=as_written)})
    settings = {"sampler": chain, "same_algorithm": plain, "configured": run}
    first = {name: next(other for other in settings if settings[other] == settings[name]) for name in settings}
    sampled: dict[str, Sampled] = {}
    reference: list[torch.Tensor] = []

    def sample(name: str) -> None:
        sampled[name] = take_samples(workload, settings[name], n_samples)

    def written_down() -> None:
        reference[:] = [sample_by_reference_implementation(workload, plain, n_samples)]

    tasks: dict[str, Callable[[], object]] = {"sampler": lambda: sample("sampler")}
    # As large as the batches; found out before anything is timed, since it takes a decoding.
    upstream = _upstream(workload, len(arrange_batches(range(n_samples), chain.videos_per_batch).order))
    tasks["bare"] = lambda: _evaluate_networks(workload, chain, sampled["sampler"], upstream)
    tasks |= {name: partial(sample, name) for name in settings if first[name] == name != "sampler"}
    tasks["reference_implementation"] = written_down
    seconds = time_in_turn(tasks, repeats, workload.device)
    seconds |= {name: seconds[first[name]] for name in settings}

    def ratio_of(one: str, other: str) -> float:
        return statistics.median(a / b for a, b in zip(seconds[one], seconds[other], strict=True))

    difference = (sampled[first["same_algorithm"]].latents - reference[0]).abs().max() / reference[0].abs().max()
    counted = sampled["sampler"]
    ratio = whole_frames / workload.prior.latent_shape[0]
    ratio *= whole.annealing.levels * whole.mcmc.steps / (run.annealing.levels * run.mcmc.steps)
    per_sample = min(seconds["sampler"]) / counted.n_sampled
    return [
        *(Cost(name, min(each), "s") for name, each in seconds.items()),
        Cost("overhead", ratio_of("sampler", "bare") - 1, ""),
        Cost("decoder_evaluations", counted.decoder_evaluations, ""),
        Cost("denoiser_evaluations", counted.denoiser_evaluations, ""),
        Cost("speedup_same_algorithm", ratio_of("reference_implementation", "same_algorithm"), ""),
        Cost("speedup_configured", ratio_of("reference_implementation", "configured"), ""),
        Cost("largest_difference", difference.item(), ""),
        Cost("sampler_whole", per_sample * ratio, "s", extrapolated=(run, ratio) != (whole, 1)),
    ]


def cost_along(axis: str, workload: Workload, settings: Mapping[int, tuple[Sampler, int]], repeats: int) -> list[Cost]:
    """Return the sampler's seconds along `axis`; `settings` are, at each of its points, the sampler and the samples."""
    tasks = {
        str(at): lambda sampler=sampler, n=n_samples: take_samples(workload, sampler, n)
        for at, (sampler, n_samples) in settings.items()
    }
    return [
        Cost("sampler", each, "s", axis=axis, at=at) for at, each in fastest(tasks, repeats, workload.device).items()
    ]


def reduced(sampler: Sampler, levels: int | None, steps: int | None) -> Sampler:
    """Return `sampler` with so many annealing levels and steps of the chain, None for all, and its share of the ODE's.

    It has no more of either than before.
    """
    levels = min(levels or sampler.annealing.levels, sampler.annealing.levels)
    steps = min(steps or sampler.mcmc.steps, sampler.mcmc.steps)
    ode_steps = max(1, round(sampler.ode.steps * steps / sampler.mcmc.steps))
    return sampler.model_copy(
        update={
            "annealing": sampler.annealing.model_copy(update={"levels": levels}),
            "ode": sampler.ode.model_copy(update={"steps": ode_steps}),
            "mcmc": sampler.mcmc.model_copy(update={"steps": steps}),
        }
    )


def _evaluate_networks(workload: Workload, sampler: Sampler, sampled: Sampled, upstream: torch.Tensor) -> None:
    """Evaluate the networks as often as `sampled` was counted to have, in the batches of `sampler`.

    `upstream` is the gradient with respect to the pixels that goes back through the decoder.
    """
    batched = FixedBatches(workload.prior, sampler.videos_per_batch)
    latents = workload.latents(sampled.n_sampled)
    for _ in range(round(sampled.decoder_evaluations)):
        _decode(workload.prior, latents, upstream, sampler)
    for _ in range(round(sampled.denoiser_evaluations)):
        batched.denoise(latents, sampler.mcmc.prior_score_sigma)


def _upstream(workload: Workload, n_videos: int) -> torch.Tensor:
    """Return a fixed gradient with respect to the pixels (batch, time, channel, y, x), as large as a video."""
    with torch.no_grad():
        frame = workload.prior.decode(workload.latents(1)[:, :1]).shape[2:]
    shape = (n_videos, workload.prior.latent_shape[0], *frame)
    return torch.rand(shape, generator=workload.generator(1)).to(workload.device)


def _decode(prior: VideoPrior, latents: torch.Tensor, upstream: torch.Tensor | None, sampler: Sampler) -> None:
    """Decode `latents` with a graph, as the sampler does, and go back through it where there is an `upstream`."""
    for videos in divide(len(latents), sampler.videos_per_batch):
        for frames in divide(latents.shape[1], sampler.frames_per_chunk):
            chunk = latents[videos, frames].detach().requires_grad_()
            video = prior.decode(chunk)
            if upstream is not None:
                torch.autograd.grad(video, chunk, upstream[videos, frames])


def _differentiate_likelihood(likelihood: LatentLikelihood, videos: torch.Tensor) -> None:
    """Take the gradient with respect to the pixels of `videos`, in the batches and chunks of `likelihood`."""
    for of in divide(len(videos), likelihood.videos_per_batch):
        for frames in divide(videos.shape[1], likelihood.frames_per_chunk):
            pixels = videos[of, frames].detach().requires_grad_()
            measurement = likelihood.measurement_of(of, frames)
            nll = likelihood.forward_model.negative_log_likelihood(pixels, measurement).sum()
            torch.autograd.grad(nll, pixels)


def _finish(device: torch.device) -> None:
    """Wait until `device` has done what it was given: a GPU works on while Python goes on."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
