"""What sampling in a task of a study costs, in time and memory, with the measurement of a random video."""

import logging
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from step.config.benchmark import BenchmarkSize
from step.config.methods import Method
from step.config.priors import Autoencoder, ChosenDenoiser, NoiseSchedule
from step.config.sections import Count, Name, Section
from step.config.study import Config, load_config
from step.config.tasks import MeasurementOfDomain, Sampler
from step.errors import InputError
from step.process import keep_freed_memory

if TYPE_CHECKING:
    from step.benchmark.costs import Cost, Workload

log = logging.getLogger(__name__)

BuildPrior = Callable[..., Any]
"""Returns a prior, as `step.models.untrained.untrained_prior` does of the same arguments."""


class BenchmarkSettings(Section):
    """One task of the study of one size, and how much of its sampling is run."""

    seed: int
    size: Name
    task: Name
    frames: Count
    channels: Count
    resolution: Count
    autoencoder: Autoencoder
    denoiser: ChosenDenoiser
    noise_schedule: NoiseSchedule
    method: Method
    measurement: MeasurementOfDomain
    sampler: Sampler
    extent: BenchmarkSize


def benchmark_settings(config: Config, size: str, task: str) -> BenchmarkSettings:
    """Return the settings of `task` in the study of `size`, which is read from its own files.

    Raises `InputError` where one of them is missing or cannot be used, or the study has no such task or method.
    """
    extent, name = config.benchmark.sizes[size], config.benchmark.method
    try:
        study = load_config(*extent.overlays)
    except InputError as error:
        raise InputError(f"benchmark.sizes.{size}.overlays: {error}") from None
    for kind, wanted, known in (("task", task, study.tasks), ("method", name, study.methods)):
        if wanted not in known:
            raise InputError(f"benchmark.sizes.{size}: its study has no {kind} {wanted!r}; it has {list(known)}")
    domain = study.tasks[task].domain
    video, priors = study.video_format(domain), study.priors[domain]
    return BenchmarkSettings(
        seed=study.seed,
        size=size,
        task=task,
        frames=video.frames,
        channels=video.channels,
        resolution=video.resolution,
        autoencoder=priors.autoencoder,
        denoiser=priors.chosen_denoiser,
        noise_schedule=priors.noise_schedule,
        method=study.methods[name],
        measurement=study.measurement_of(task),
        sampler=study.tasks[task].sampler,
        extent=extent,
    )


def costs_of_task(settings: BenchmarkSettings, build_prior: BuildPrior) -> "list[Cost]":
    """Return what gradients, steps and samples cost, with the prior that `build_prior` makes.

    `build_prior` is found by its name in other processes, too. Raises `InputError` where the memory does not suffice.
    """
    extent = settings.extent
    n_frames = min(extent.frames.get(settings.task, settings.frames), settings.frames)
    log.info("%s, %s: %d of %d frames", settings.size, settings.task, n_frames, settings.frames)
    # Each in a process of its own, and before this one has used the cores.
    costs = _costs_of_gradients(settings, n_frames, build_prior)
    return costs + _costs_of_sampler(settings, build_workload(settings, n_frames, settings.resolution, build_prior))


def build_workload(settings: BenchmarkSettings, n_frames: int, side: int, build_prior: BuildPrior) -> "Workload":
    """Return the problem with videos of `n_frames` frames and `side` pixels: fewer frames are the first ones.

    Where there are more frames than the study has, its measurement is repeated: later the source may have set.
    """
    import torch

    from step.benchmark.costs import Workload
    from step.physics.forward_models import build_forward_model
    from step.sampling.noise.sources import build_noise_source
    from step.seeds import derive_seed

    factor = settings.autoencoder.downsampling * settings.denoiser.downsampling
    if side % factor:
        raise InputError(f"benchmark.sizes.{settings.size}.scaling.sides has {side}; give multiples of {factor}")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    whole = (settings.frames, settings.channels, side, side)
    forward_model = build_forward_model(settings.measurement, whole, settings.sampler.likelihood.noise_level)
    video_seed, weights_seed = (derive_seed(settings.seed, "benchmark", of) for of in ("video", "weights"))
    generator = torch.Generator().manual_seed(video_seed)
    measurement = forward_model.measure(torch.rand(1, *whole, generator=generator), generator)
    repeats = -(-n_frames // settings.frames)
    cut = {name: torch.cat([array] * repeats, dim=1)[:, :n_frames].to(device) for name, array in measurement.items()}
    prior = build_prior(
        settings.autoencoder,
        settings.denoiser,
        settings.noise_schedule,
        (n_frames, *whole[1:]),
        settings.method.prior != "image",
        weights_seed,
    )
    prior = prior.to(device).place(settings.sampler.networks)
    source = build_noise_source(settings.method.noise, None, prior.latent_shape)
    return Workload(prior, forward_model, cut, source, settings.seed, device)


def measure_gradient(
    settings: BenchmarkSettings, n_frames: int, side: int, build_prior: BuildPrior
) -> dict[str, tuple[float, str]]:
    """Return time and memory of one gradient of a batch of videos, by quantity, with units; for a fresh process.

    `gradient_memory` is `peak_memory` less `baseline_memory`: what is in use before the gradient, networks included.
    """
    from step.benchmark.costs import fastest
    from step.benchmark.memory import peak_memory, start_peak

    keep_freed_memory()  # as a job does
    workload = build_workload(settings, n_frames, side, build_prior)
    sampler = settings.sampler.on(workload.device.type)
    n_videos = sampler.videos_per_batch
    likelihood = workload.likelihood(workload.prior, sampler, n_videos)
    latents = workload.latents(n_videos)
    baseline = start_peak(workload.device)
    tasks = {"gradient": lambda: likelihood.gradient(latents)}
    seconds = fastest(tasks, settings.extent.repeats, workload.device)["gradient"]
    peak = peak_memory(workload.device)
    return {
        "gradient": (1e3 * seconds / n_videos, "ms"),
        "peak_memory": (peak, "GiB"),
        "baseline_memory": (baseline, "GiB"),
        "gradient_memory": (peak - baseline, "GiB"),
    }


def _costs_of_sampler(settings: BenchmarkSettings, workload: "Workload") -> list["Cost"]:
    """Return what a step and a whole sample cost, and how that grows with samples and levels."""
    from step.benchmark.costs import Cost, cost_along, cost_of_sampling, cost_of_step, reduced

    extent, whole = settings.extent, settings.sampler.on(workload.device.type)
    chosen = reduced(whole, extent.levels, extent.steps)
    n_samples, repeats, frames = extent.samples, extent.repeats, settings.frames
    run = {"levels": chosen.annealing.levels, "steps": chosen.mcmc.steps, "ode_steps": chosen.ode.steps}
    run |= {"frames": workload.prior.latent_shape[0], "samples": n_samples, "turns": repeats}
    costs = [Cost(f"{name}_run", number, "") for name, number in run.items()]
    log.info("a step of the Markov chain, part by part")
    costs += cost_of_step(workload, chosen, n_samples, repeats, frames)
    log.info("%d samples: sampler, bare networks, reference implementation", n_samples)
    costs += cost_of_sampling(workload, chosen, n_samples, repeats, whole, frames)
    by_samples = {n: (chosen, n) for n in extent.scaling.samples}
    by_levels = {n: (reduced(whole, n, extent.steps), n_samples) for n in extent.scaling.levels}
    for axis, points in (("samples", by_samples), ("levels", by_levels)):
        costs += cost_along(axis, workload, points, min(repeats, 2))
    _log_costs(costs)
    return costs


def _costs_of_gradients(settings: BenchmarkSettings, n_frames: int, build_prior: BuildPrior) -> list["Cost"]:
    """Return time and peak memory of one gradient of decoder and likelihood, along frames and sides."""
    from step.benchmark.costs import Cost
    from step.progress import track

    scaling = settings.extent.scaling
    frames = sorted({n_frames, *scaling.frames.get(settings.task, ())})
    points = [("frames", n, n, settings.resolution) for n in frames]
    points += [("side", side, n_frames, side) for side in scaling.sides.get(settings.task, ())]
    costs = []
    for axis, at, length, side in track(points, "gradients", "point"):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
            try:
                found = fresh.submit(measure_gradient, settings, length, side, build_prior).result()
            except BrokenProcessPool:
                raise InputError(
                    f"the gradient of {length} frames of {side} pixels ended its process, for want of memory perhaps; "
                    f"lower benchmark.sizes.{settings.size}.frames or .scaling, or free memory"
                ) from None
        costs += [Cost(name, value, unit, axis=axis, at=at) for name, (value, unit) in found.items()]
    _log_costs(costs)
    return costs


def _log_costs(costs: list["Cost"]) -> None:
    """Write what was found to the log, one quantity a line."""
    for cost in costs:
        where = f" at {cost.axis} {cost.at}" if cost.axis else ""
        mark = ", extrapolated" if cost.extrapolated else ""
        log.info("%s%s: %.4g %s%s", cost.quantity, where, cost.value, cost.unit, mark)
