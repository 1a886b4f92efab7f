"""The protocols by which domains, measurements, priors, noise and samplers plug in, and what some offer besides.

Axes are named throughout the library: videos are ``(batch, time, channel, y, x)``, latents are
``(batch, time, latent_channel, latent_y, latent_x)``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch

Measurement = Mapping[str, torch.Tensor]
"""What one instrument recorded, and what of the video it sampled: named arrays with leading axes ``(batch, time)``."""


@runtime_checkable
class ForwardModel(Protocol):
    """The physics of one measurement, ``y = A(x) + n``, frame by frame, with the noise that it assumes.

    A measurement carries what was sampled (a mask, baselines), so that simulated and real data go the same way.
    `LeastSquares` is a base that has all methods but A and its transpose.

    Examples:
        >>> physics = step.CartesianMri.equispaced(rows=16, acceleration=4, acs_lines=4, noise_level=0.1)
        >>> isinstance(physics, step.ForwardModel)
        True
    """

    @property
    def layout(self) -> Mapping[str, tuple[int | None, ...]]:
        """The names of a measurement's arrays and their axes after (batch, time); None is any length."""
        ...

    def measure(self, video: torch.Tensor, generator: torch.Generator) -> Measurement:
        """Return a simulated noisy measurement of `video` (batch, time, channel, y, x)."""
        ...

    def negative_log_likelihood(self, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        """Return ``-log p(y | x)`` up to a constant, shape (batch,), differentiable in `video`.

        It is a sum over frames, so video and measurement may be given as any matching chunk of frames.
        """
        ...

    def misfit(self, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        """Return the data misfit in the convention in which the paper reports it, shape (batch,)."""
        ...

    def chi_squares(self, video: torch.Tensor, measurement: Measurement) -> Mapping[str, torch.Tensor]:
        """Return the reduced chi-square of each kind of data by its name, each of shape (batch,)."""
        ...

    def backprojection(self, measurement: Measurement) -> torch.Tensor:
        """Return the instrument's own picture of the data (batch, time, channel, y, x), without any prior."""
        ...


@runtime_checkable
class LeastSquaresModel(Protocol):
    """What a forward model offers besides the rest if its likelihood is a sum of squares; some samplers need it."""

    def residuals(self, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        """Return r (batch, datum) in units of their errors: ``-log p(y | x) = ||r||^2 / 2``, up to a constant."""
        ...


@runtime_checkable
class PrecomputingModel(Protocol):
    """What a forward model offers besides the rest if part of its likelihood is the same for every video."""

    def precompute(self, measurement: Measurement, dtype: torch.dtype) -> Measurement:
        """Return `measurement` with more arrays, of leading axes (batch, time), which spare its likelihood that part.

        All the model's methods take it in place of `measurement`, of videos of `dtype`, with the same result.
        """
        ...


@runtime_checkable
class SeveralLayouts(Protocol):
    """What a forward model offers besides the rest if real data may have other arrays than simulated ones."""

    @property
    def layouts(self) -> Sequence[Mapping[str, tuple[int | None, ...]]]:
        """All layouts that it understands, as `ForwardModel.layout` has them, that one first."""
        ...


@runtime_checkable
class CurvatureModel(Protocol):
    """What a least-squares model offers besides the rest if it knows its likelihood's curvature without residuals."""

    def curvature(self, video: torch.Tensor, measurement: Measurement) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return the function that multiplies videos by ``J' J``, J the derivative of the residuals at `video`."""
        ...


@runtime_checkable
class BoundedModel(Protocol):
    """What a least-squares model offers besides the rest if its operator's norm may be above 1."""

    def curvature_bound(self, measurement: Measurement) -> torch.Tensor:
        """Return what no eigenvalue of ``J' J`` exceeds, J the derivative of the residuals, shape (batch,)."""
        ...


@runtime_checkable
class OutsideModel(Protocol):
    """What a forward model offers besides the rest if its data see more than the frame."""

    def outside_energy(self, video: torch.Tensor, measurement: Measurement) -> torch.Tensor:
        """Return the share of the data's energy that comes from outside the frame, given `video`, shape (batch,)."""
        ...


class ClassicalReconstruction(Protocol):
    """How videos are reconstructed without a learned prior: a module of `step.classical`, or one of your own.

    A task has its settings under `classical`, by the module's name, and names it among its `references`.
    """

    Settings: type
    """The section (`step.config.sections.Section`) that checks its settings."""

    def reconstruct(self, forward_model: ForwardModel, measurement: Measurement, settings: Any) -> torch.Tensor:
        """Return the videos (batch, time, channel, y, x) of a measurement, each independent of the rest of the batch.

        `forward_model` assumes the noise level 1: the errors that the data state, or, of a measurement with one level
        for all data, the unit, so that ``-log p(y | x)`` is ``||A(x) - y||^2 / 2``.
        """
        ...


@runtime_checkable
class VideoPrior(Protocol):
    """A latent diffusion prior over videos.

    Examples:
        Independent pixels, normal with mean 0 and variance 1, which are their own latents:

        >>> class Pixels:
        ...     latent_shape = (3, 1, 4, 4)
        ...
        ...     def encode(self, video):
        ...         return video
        ...
        ...     def decode(self, latent):
        ...         return latent
        ...
        ...     def denoise(self, latent, sigma):
        ...         return latent / (1 + sigma**2)
        >>> isinstance(Pixels(), step.VideoPrior)
        True
    """

    @property
    def latent_shape(self) -> tuple[int, int, int, int]:
        """The shape of one latent video: (time, latent_channel, latent_y, latent_x)."""
        ...

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        """Return the latents (batch, time, latent_channel, latent_y, latent_x) of `video`."""
        ...

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """Return the videos (batch, time, channel, y, x) of `latent`; frame by frame and differentiable."""
        ...

    def denoise(self, latent: torch.Tensor, sigma: float) -> torch.Tensor:
        """Return ``E[z0 | z0 + sigma n = latent]``, same shape as `latent`."""
        ...


class DenoiserArchitecture(Protocol):
    """What kind of network predicts the noise: a module of `step.models`, or one of your own by its dotted name.

    Its networks are diffusers' `ModelMixin`, which writes and reads their folders, and are called with a latent
    (batch, time, latent_channel, y, x), the timestep `t` in training's count, one for each or for all, and the switch
    `temporal`: they return the noise in the latent, same shape, and with the switch OFF treat every frame by itself.
    Their `config` has `temporal`, whether the network has anything for the switch to turn on.
    """

    Settings: type
    """The section (`step.config.sections.Section`) that checks its settings."""

    Network: type
    """The class of its networks."""

    def build(self, settings: Any, latent_channels: int, temporal: bool) -> Any:
        """Return an untrained network; its weights are of torch's global generator."""
        ...

    def inflate(self, image_network: Any) -> Any:
        """Return a video network that equals `image_network` frame by frame, from which fine-tuning starts."""
        ...


@runtime_checkable
class NoiseSource(Protocol):
    """Where the noise of the sampler (`n_init` and `n_k` of Algorithm 1) comes from.

    Examples:
        The same noise in every frame:

        >>> class Still:
        ...     def noise(self, shape, generator):
        ...         return torch.randn(shape[1:], generator=generator).expand(shape)
        >>> isinstance(Still(), step.NoiseSource)
        True
        >>> Still().noise((3, 2, 4, 4), torch.Generator()).shape
        torch.Size([3, 2, 4, 4])
    """

    def noise(self, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
        """Return unit-variance noise for one video: `shape` is (time, latent_channel, latent_y, latent_x)."""
        ...


class DomainStep(Protocol):
    """One step from raw files to videos: a module of a domain's package."""

    Settings: type
    """The section (`step.config.sections.Section`) of exactly what the step uses, which decides when it runs again."""

    def settings_of(self, data: Any, seed: int) -> Any:
        """Return the `Settings` cut from the domain's section `data` and the study's seed."""
        ...


class Ingestion(DomainStep, Protocol):
    """The module ``ingest`` of a domain."""

    def find_files(self, data: Any) -> dict[str, list[Path]]:
        """Return the raw files of each subject, none of which is opened: the workflow asks whenever it plans.

        Subjects that are simulated have an empty list. Raises `InputError` where there are no raw files.
        """
        ...

    def ingest(self, settings: Any, root: Path, subjects: Sequence[str], output: Path) -> None:
        """Write what the files of `subjects` under `root` hold to one raw store, in a format of the domain's own."""
        ...


class Preparation(DomainStep, Protocol):
    """The module ``prepare`` of a domain."""

    def prepare(self, settings: Any, store: Path, output: Path) -> None:
        """Write the videos of a raw store, and single images if it has any, with `step.io.videos.write_videos`."""
        ...


class Simulation(DomainStep, Protocol):
    """The module ``simulate`` of a domain, which it needs where its `Data` says `is_simulated`."""

    def simulate(self, settings: Any, subjects: Sequence[str], root: Path) -> None:
        """Write the raw files of `subjects` under `root`, as real ones are laid out."""
        ...


class Domain(Protocol):
    """A kind of video and its raw files: a package of these modules, and one `data` whose `Data` checks its section.

    `Data` is a `step.config.data.VideoFormat`. The library's domains are `step.domains.mri` and
    `step.domains.blackhole`; another one is named by its dotted name, ``data.cells.module: my_lab.fluorescence``, and
    nothing else is edited.
    """

    ingest: Ingestion
    prepare: Preparation
    simulate: Simulation


class Likelihood(Protocol):
    """``log p(y | D(z))`` of a batch of videos, D the prior's decoder; how its memory is bounded is its own matter."""

    def gradient(self, latent: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the gradient of ``log p(y | D(z))`` at `latent`, and the video D(z) (batch, time, channel, y, x)."""
        ...

    def misfit(self, video: torch.Tensor) -> torch.Tensor:
        """Return the data misfit of decoded videos in the convention in which the paper reports it, shape (batch,)."""
        ...


@dataclass(frozen=True)
class PosteriorSamples:
    """Latents from the posterior, one per generator, and what is known of each.

    Examples:
        >>> found = step.PosteriorSamples(torch.zeros(2, 3, 4, 8, 8), trace={"misfit": torch.ones(2, 10)})
        >>> found.latents.shape, found.log_weights
        (torch.Size([2, 3, 4, 8, 8]), None)
    """

    latents: torch.Tensor
    """The latents (batch, time, latent_channel, latent_y, latent_x)."""
    trace: Mapping[str, torch.Tensor] = field(default_factory=dict)
    """How the sampling went, by name: arrays (batch, level)."""
    log_weights: torch.Tensor | None = None
    """The logarithms of what each counts for (batch,), up to a constant; None where all weigh the same."""
    ancestors: torch.Tensor | None = None
    """Which of the batch's starts each goes back to (batch,), int64; None where each goes back to its own."""


@runtime_checkable
class PosteriorSampler(Protocol):
    """An algorithm that samples latents given a prior and a likelihood.

    Examples:
        Gradient ascent to the most probable latent, if latents were normal with mean 0 and variance 1:

        >>> class Ascent:
        ...     def sample(self, prior, likelihood, noise_sources, generators, device, describe):
        ...         latents = torch.zeros(len(generators), *prior.latent_shape, device=device)
        ...         for _ in range(5):
        ...             gradient, video = likelihood.gradient(latents)
        ...             latents = latents + 1e-4 * (gradient - latents)
        ...         return step.PosteriorSamples(latents)
        >>> isinstance(Ascent(), step.PosteriorSampler)
        True
        >>> prior = step.load_prior("resources/priors/mri")
        >>> physics = step.CartesianMri.equispaced(rows=prior.rows, acceleration=4, acs_lines=4, noise_level=0.1)
        >>> y = physics.measure(step.generate(prior, seed=1), seed=0)
        >>> step.sample(prior, physics, y, sampler=Ascent()).mean.shape == prior.shape
        True
    """

    def sample(
        self,
        prior: VideoPrior,
        likelihood: Likelihood,
        noise_sources: Sequence[NoiseSource],
        generators: Sequence[torch.Generator],
        device: torch.device,
        describe: str,
    ) -> PosteriorSamples:
        """Return one posterior latent per generator, on `device`.

        Item i of the batch is sampled with ``noise_sources[i]`` and ``generators[i]`` given item i of the likelihood's
        measurement, and must not depend on the rest of the batch. `describe` names the work in logs. Raises
        `FloatingPointError` where a latent stops being finite.
        """
        ...


@runtime_checkable
class ParticleSampler(Protocol):
    """What a sampler offers besides the rest if samples of one measurement depend on each other.

    Its batch is then one island: as many samples of one measurement as it says, and nothing else. The log-weights of
    islands have one constant in common (an estimate of ``log p(y)`` is in them), so that islands can be put together.
    """

    @property
    def particles(self) -> int:
        """How many samples an island has."""
        ...
