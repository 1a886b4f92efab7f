"""Trains the denoising networks on the autoencoder's latents (Eq. 17): image, video and joint prior."""

from collections.abc import Callable
from pathlib import Path

import torch
from accelerate import Accelerator
from diffusers.models.modeling_utils import ModelMixin

from step.config.priors import DenoiserTraining, VideoTraining
from step.diffusion.schedule import LinearBetaSchedule
from step.frames import by_frames
from step.models.autoencoder import FrameAutoencoder
from step.seeds import derive_seed
from step.training.batches import ImageSet, ShuffledBatches, VideoSet, place, sample_transforms, transform
from step.training.loop import Objective, train
from step.training.objectives import denoising_loss, mean_in_parts
from step.training.state import History, read_kept

Example = tuple[torch.Tensor, torch.Tensor, torch.Tensor, bool]
"""Latents, noise, timesteps, and the switch of the temporal modules: what `denoising_loss` takes."""


def train_image_denoiser(
    network: ModelMixin,
    images: ImageSet,
    validation: torch.Tensor,
    latents: "LatentBatches",
    training: DenoiserTraining,
    state_file: Path,
    accelerator: Accelerator,
) -> tuple[ModelMixin, History]:
    """Return the image network trained on `images`, and the history of its losses.

    `validation` (video, time, channel, y, x) are held-out videos, whose frames' loss is recorded.
    """
    optimisation = training.optimisation
    order = ShuffledBatches(len(images), optimisation.batch_size, latents.seed, "images")

    def batch(step: int) -> Example:
        generator = latents.generator("image", step)
        return (
            *latents.batch(images.read(latents.mine(order.batch(step)))[:, None], generator, training),
            False,
        )

    steps = max(1, round(optimisation.epochs * order.steps_per_epoch))
    objective = latents.objective(batch, validation, False, optimisation.batch_size)
    return train(network, objective, optimisation, steps, order.steps_per_epoch, state_file, accelerator)


def train_video_denoiser(
    network: ModelMixin,
    videos: VideoSet,
    images: ImageSet,
    p_joint: float,
    validation: torch.Tensor,
    latents: "LatentBatches",
    training: VideoTraining,
    state_file: Path,
    accelerator: Accelerator,
) -> tuple[ModelMixin, dict[str, ModelMixin], History]:
    """Return the video network trained on `videos` and pseudo-videos, what it was earlier, and its losses.

    What it was after each of ``training.kept_epochs`` is a network by that epoch, as text.

    With probability `p_joint` a step is on videos with the temporal modules ON; else on pseudo-videos, that is as
    many independent images, with the modules OFF.
    """
    optimisation = training.optimisation
    n_frames = validation.shape[1]
    video_order = ShuffledBatches(len(videos), optimisation.batch_size, latents.seed, "videos")
    image_order = ShuffledBatches(len(images), optimisation.batch_size * n_frames, latents.seed, "pseudo-videos")

    def batch(step: int) -> Example:
        generator = latents.generator("video", step)
        if is_video_step(latents.seed, step, p_joint):
            return (
                *latents.batch(videos.read(latents.mine(video_order.batch(step))), generator, training),
                True,
            )
        # The frames of a pseudo-video are independent of each other, so each has its own flip, zoom and noise level.
        examples = images.read(latents.mine(image_order.batch(step)))[:, None]
        return (*latents.batch(examples, generator, training), False)

    steps = max(1, round(optimisation.epochs * video_order.steps_per_epoch))
    objective = latents.objective(batch, validation, True, optimisation.batch_size)
    reached = [epoch for epoch in training.kept_epochs if epoch <= optimisation.epochs]
    step_of = {epoch: round(epoch * video_order.steps_per_epoch) for epoch in reached}
    average, history = train(
        network,
        objective,
        optimisation,
        steps,
        video_order.steps_per_epoch,
        state_file,
        accelerator,
        step_of.values(),
    )
    kept = {f"{epoch:g}": read_kept(state_file, step, average) for epoch, step in step_of.items()}
    return average, kept, history


def is_video_step(seed: int, step: int, p_joint: float) -> bool:
    """Return whether a step of the joint training is on videos; true with probability `p_joint`."""
    generator = torch.Generator().manual_seed(derive_seed(seed, "switch", step))
    return float(torch.rand((), generator=generator)) < p_joint


class LatentBatches:
    """Turns examples into noisy latents, the same on any number of processes."""

    def __init__(
        self,
        autoencoder: FrameAutoencoder,
        schedule: LinearBetaSchedule,
        dark: float,
        frames_at_once: int,
        seed: int,
        accelerator: Accelerator,
    ):
        """Hold the autoencoder, which encodes `frames_at_once` frames at once.

        `dark` is the value of a pixel without signal, brought in by a zoom.
        """
        self.autoencoder = autoencoder.to(accelerator.device)
        self.schedule = schedule
        self.seed = seed
        self._dark = dark
        self._frames_at_once = frames_at_once
        self._device = accelerator.device
        self._rank, self._world = accelerator.process_index, accelerator.num_processes

    def generator(self, *names: object) -> torch.Generator:
        """Return the generator of a step's random numbers."""
        return torch.Generator().manual_seed(derive_seed(self.seed, "denoiser", *names))

    def mine(self, numbers: list[int]) -> list[int]:
        """Return the examples of a batch that this process works on."""
        return numbers[self._rank :: self._world]

    def batch(
        self, examples: torch.Tensor, generator: torch.Generator, training: DenoiserTraining
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return latents, noise and timesteps of this process' `examples` (example, time, channel, y, x).

        All processes sample for the whole batch and take their share.
        """
        n_batch = len(examples) * self._world
        mine = slice(self._rank, None, self._world)
        transforms = sample_transforms(n_batch, training.augmentation, generator)[mine]
        placed = place(examples, self._device)
        latent = self._encode(transform(placed, place(transforms, self._device), self._dark))
        noise = torch.randn(n_batch, *latent.shape[1:], generator=generator)[mine]
        t = torch.randint(0, self.schedule.timesteps, (n_batch,), generator=generator)[mine]
        return latent, place(noise, self._device), place(t, self._device)

    def objective(
        self, batch: Callable[[int], Example], validation: torch.Tensor, temporal: bool, batch_size: int
    ) -> Objective[Example]:
        """Return the objective with these batches; `validation` (video, time, channel, y, x) is noised once.

        Its loss is taken of `batch_size` videos at once, or frames where the network is not `temporal`.
        """
        latent = self._encode(validation)
        generator = self.generator("validation")
        noise = torch.randn(latent.shape, generator=generator).to(self._device)
        t = torch.linspace(0, self.schedule.timesteps - 1, len(latent)).round().long().to(self._device)
        if not temporal:
            t = t.repeat_interleave(latent.shape[1])
            latent, noise = (videos.flatten(0, 1)[:, None] for videos in (latent, noise))

        def loss(network: torch.nn.Module, example: Example) -> torch.Tensor:
            return denoising_loss(network, self.schedule, *example)

        @torch.no_grad()
        def validation_loss(average: torch.nn.Module) -> float:
            def loss(latent: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
                return denoising_loss(average, self.schedule, latent, noise, t, temporal)

            return mean_in_parts(loss, (latent, noise, t), batch_size)

        return Objective(batch, loss, validation_loss)

    @torch.no_grad()
    def _encode(self, videos: torch.Tensor) -> torch.Tensor:
        frames = videos.flatten(0, 1)[None]
        encoded = by_frames(lambda part: self.autoencoder.encode(part.to(self._device)), frames, self._frames_at_once)
        return encoded[0].unflatten(0, videos.shape[:2])
