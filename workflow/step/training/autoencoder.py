"""Trains the autoencoder on the image set (Eq. 16)."""

from pathlib import Path

import torch
from accelerate import Accelerator

from step.config.priors import Autoencoder, AutoencoderTraining
from step.models.autoencoder import FrameAutoencoder, PosteriorSample, build_autoencoder
from step.progress import track
from step.seeds import derive_seed
from step.training.batches import ImageSet, ShuffledBatches, place, sample_transforms, transform
from step.training.loop import Objective, train
from step.training.objectives import autoencoder_loss, mean_in_parts
from step.training.state import History

STATISTICS_IMAGES = 2048
"""Images over which the latents' mean and standard deviation are taken."""


def train_autoencoder(
    images: ImageSet,
    validation: torch.Tensor,
    architecture: Autoencoder,
    training: AutoencoderTraining,
    standardise: bool,
    dark: float,
    seed: int,
    state_file: Path,
    accelerator: Accelerator,
) -> tuple[FrameAutoencoder, History]:
    """Return the trained autoencoder, its latents standardised if asked, and the history of its losses.

    `validation` (image, channel, y, x) are held-out images, whose loss is recorded. `dark` is the value of a pixel
    without signal, which a zoom brings in from outside the frame.
    """
    torch.manual_seed(derive_seed(seed, "autoencoder", "weights"))
    network = PosteriorSample(build_autoencoder(architecture, validation.shape[1]), architecture.patch_size)
    # Convolutions of few channels on large frames are a fifth faster with the channels innermost.
    network = network.to(memory_format=torch.channels_last)
    optimisation = training.optimisation
    order = ShuffledBatches(len(images), optimisation.batch_size, seed, "autoencoder")
    latent = (architecture.latent_channels, *(n // architecture.downsampling for n in validation.shape[2:]))
    rank, world, device = accelerator.process_index, accelerator.num_processes, accelerator.device

    def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        generator = torch.Generator().manual_seed(derive_seed(seed, "autoencoder", "step", step))
        transforms = sample_transforms(optimisation.batch_size, training.augmentation, generator)
        noise = torch.randn(optimisation.batch_size, *latent, generator=generator)
        examples = place(images.read(order.batch(step)[rank::world])[:, None], device)
        transformed = transform(examples, place(transforms[rank::world], device), dark)[:, 0]
        return transformed, place(noise[rank::world], device)

    validation_noise = torch.zeros(len(validation), *latent, device=device)

    @torch.no_grad()
    def validation_loss(average: torch.nn.Module) -> float:
        def loss(images: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
            return autoencoder_loss(average, images.to(device), noise, training.kl_weight)

        return mean_in_parts(loss, (validation, validation_noise), optimisation.batch_size)

    def loss(network: torch.nn.Module, example: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return autoencoder_loss(network, *example, training.kl_weight)

    objective = Objective(batch, loss, validation_loss)
    steps = max(1, round(optimisation.epochs * order.steps_per_epoch))
    average, history = train(network, objective, optimisation, steps, order.steps_per_epoch, state_file, accelerator)
    return _standardised(average, images, standardise, order, device), history


@torch.no_grad()
def _standardised(
    trained: PosteriorSample, images: ImageSet, standardise: bool, order: ShuffledBatches, device: torch.device
) -> FrameAutoencoder:
    network, patch_size = trained.network, trained.patch_size
    channels = network.config["latent_channels"]
    plain = FrameAutoencoder(network, [0.0] * channels, [1.0] * channels, patch_size).to(device)
    if not standardise:
        return plain
    batches = range(min(order.steps_per_epoch, max(1, STATISTICS_IMAGES // order.batch_size)))
    followed = track(batches, "statistics of the latents", "step")
    latents = torch.cat([plain.encode(images.read(order.batch(step))[:, None].to(device)) for step in followed])
    by_channel = latents.transpose(0, 2).flatten(1)
    mean, std = by_channel.mean(dim=1).tolist(), by_channel.std(dim=1).tolist()
    return FrameAutoencoder(network, mean, std, patch_size).to(device)
