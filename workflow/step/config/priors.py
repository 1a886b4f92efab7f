"""The `priors` section: the networks of each domain and how they are trained (Table 3)."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from step.config.data import Augmentation
from step.config.sections import Count, Fraction, NonNegative, Positive, Section


class Optimisation(Section):
    """How long and how fast one network learns."""

    epochs: Positive = Field(description="passes over the training set (Table 3: epochs)")
    batch_size: Count = Field(description="examples per step, over all processes together (Table 3: batch size)")
    learning_rate: Positive = Field(description="Adam's step size")
    schedule: Literal["constant", "cosine"] = Field(description="learning rate over the training, to 0 if cosine")
    warmup_steps: Annotated[int, Field(ge=0)] = Field(description="steps of linear rise of the learning rate")
    ema_decay: Fraction = Field(description="decay of the moving average of the weights, which is what is kept")
    gradient_norm: Positive = Field(description="gradients are scaled down to at most this norm")
    precision: Literal["no", "bf16", "fp16"] = Field(description="mixed precision of the networks (accelerate)")
    checkpoint_minutes: Positive = Field(description="the resumable state is written at least this often, minutes")
    tensorboard: bool = Field(description="whether losses go to TensorBoard too, beside the resumable state")


class Autoencoder(Section):
    """The frame-wise variational autoencoder (diffusers' AutoencoderKL)."""

    latent_channels: Count = Field(description="c (Table 3: latent channels)")
    block_channels: tuple[Count, ...] = Field(
        min_length=1, description="widths; n blocks halve the frame n - 1 times (Table 3: block channels)"
    )
    layers_per_block: Count = Field(description="residual layers per encoder block; the decoder has one more")
    norm_groups: Count = Field(description="groups of the group normalisation; divides every width")
    attention: bool = Field(description="self-attention in the middle block")

    @property
    def downsampling(self) -> int:
        """Factor by which the frame shrinks along each axis (Table 3: down sampling factor)."""
        return 2 ** (len(self.block_channels) - 1)

    @model_validator(mode="after")
    def _grouped(self) -> "Autoencoder":
        _check_groups(self.block_channels, self.norm_groups)
        return self


class AutoencoderTraining(Section):
    """Eq. 16."""

    kl_weight: NonNegative = Field(
        description="beta (Table 3): weighs the KL summed over the latent against the L1 summed over pixels"
    )
    optimisation: Optimisation
    augmentation: Augmentation


class Denoiser(Section):
    """The UNet that predicts the noise; image and video network share these widths."""

    block_channels: tuple[Count, ...] = Field(min_length=1, description="widths (Table 3: block channels)")
    layers_per_block: Count = Field(description="residual layers per block")
    norm_groups: Count = Field(description="groups of the group normalisation; divides every width")
    attention_heads: Count = Field(description="heads of the middle block's transformer")
    context_width: Count = Field(
        description="width of the middle transformer's cross-attention context, which is null here: kept for the "
        "paper's architecture"
    )
    condition_width: Count = Field(
        description="width of the clip condition's embedding, which is null here: kept for the paper's architecture"
    )

    @model_validator(mode="after")
    def _grouped(self) -> "Denoiser":
        _check_groups(self.block_channels, self.norm_groups)
        if self.block_channels[-1] % self.attention_heads:
            raise ValueError(f"{self.attention_heads} attention heads do not divide {self.block_channels[-1]} channels")
        return self


class NoiseSchedule(Section):
    """Linear betas of the variance-preserving training process (Eq. 17)."""

    timesteps: Count = Field(description="number of noise levels in training")
    beta_start: Positive = Field(description="beta at t = 0")
    beta_end: Positive = Field(description="beta at the last t")


class DenoiserTraining(Section):
    """Eq. 17 on images."""

    optimisation: Optimisation
    augmentation: Augmentation


class VideoTraining(DenoiserTraining):
    """Eq. 17 on videos and pseudo-videos."""

    p_joint: Fraction = Field(
        description="p_joint (Table 3): probability of a video step; else independent images with the switch OFF"
    )


class DomainPriors(Section):
    """All priors of one domain."""

    autoencoder: Autoencoder
    autoencoder_training: AutoencoderTraining
    standardise_latents: bool = Field(
        description="deviation from the paper: latents are shifted and scaled to mean 0 and variance 1 per channel, "
        "with statistics stored in the model folder"
    )
    noise_schedule: NoiseSchedule
    denoiser: Denoiser
    image: DenoiserTraining = Field(description="the image prior (IDM), from scratch, on images")
    video: VideoTraining = Field(description="the spatiotemporal prior trained from scratch on videos alone")
    joint: VideoTraining = Field(description="the spatiotemporal prior fine-tuned from the image prior")


def _check_groups(widths: tuple[int, ...], groups: int) -> None:
    for width in widths:
        if width % groups:
            raise ValueError(f"{groups} normalisation groups do not divide a block of {width} channels")
