"""The `priors` section: the networks of each domain and how they are trained (Table 3)."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from step.config.data import Augmentation
from step.config.sections import AnySettings, Count, Fraction, ModuleName, NonNegative, Positive, Section

OURS = "unet"
"""The architecture of denoisers that is the paper's."""


class Optimisation(Section):
    """How long and how fast one network learns, with Adam."""

    epochs: Positive = Field(
        description="passes over the images, or over the videos for `video` and `joint`, whose steps on "
        "pseudo-videos count too (Table 3: epochs)"
    )
    batch_size: Count = Field(description="examples per step, over all processes together (Table 3: batch size)")
    learning_rate: Positive = Field(description="Adam's step size")
    schedule: Literal["constant", "cosine"] = Field(
        description="learning rate over the training: kept, or lowered to 0 along a `cosine`"
    )
    warmup_steps: Annotated[int, Field(ge=0)] = Field(description="steps of linear rise of the learning rate")
    ema_decay: Fraction = Field(
        description="decay per step of the moving average of the weights, which is the model that is kept; "
        "(1 + step) / (10 + step) where that is smaller"
    )
    gradient_norm: Positive = Field(description="largest norm of a step's gradient, which is scaled down to it")
    precision: Literal["no", "bf16", "fp16"] = Field(
        description="number format of the networks in training; 'no' is float32, which is also what is used "
        "where there is no GPU"
    )
    checkpoint_minutes: Positive = Field(description="time between two savings of the resumable state, minutes")
    tensorboard: bool = Field(description="whether losses go to TensorBoard too, next to the resumable state")


class Autoencoder(Section):
    """The frame-wise variational autoencoder (diffusers' AutoencoderKL)."""

    latent_channels: Count = Field(description="c (Table 3: latent channels)")
    patch_size: Count = Field(
        description="pixels of a patch's side; a patch becomes the channels of one pixel before the network sees it, "
        "so that no convolution runs at full resolution; 1 leaves the frames as they are"
    )
    block_channels: tuple[Count, ...] = Field(
        min_length=1, description="widths; n blocks halve the frame n - 1 times more (Table 3: block channels)"
    )
    layers_per_block: Count = Field(
        description="residual layers per block of the encoder; the decoder's blocks have one more"
    )
    norm_groups: Count = Field(description="groups of the group normalisation; divides every width")
    attention: bool = Field(description="whether the middle block has self-attention")

    @property
    def downsampling(self) -> int:
        """Factor by which the frame shrinks along each axis (Table 3: down sampling factor)."""
        return self.patch_size * 2 ** (len(self.block_channels) - 1)

    @model_validator(mode="after")
    def _grouped(self) -> "Autoencoder":
        _check_groups(self.block_channels, self.norm_groups)
        return self


class AutoencoderTraining(Section):
    """How the autoencoder is trained (Eq. 16)."""

    kl_weight: NonNegative = Field(
        description="beta (Table 3): weight of the KL divergence, summed over the latent, against the L1 "
        "distance, summed over the pixels"
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
        description="width of the middle transformer's cross-attention context, which is null here: kept "
        "for the paper's architecture"
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


class ChosenDenoiser(Section):
    """The architecture of a denoiser and its settings, which the architecture's own `Settings` checks."""

    architecture: ModuleName
    values: dict[str, Any]

    @property
    def downsampling(self) -> int:
        """Factor by which the latent shrinks within the network, whose sides it divides; 1 where we do not know."""
        return 2 ** (len(self.values["block_channels"]) - 1) if self.architecture == OURS else 1


class NoiseSchedule(Section):
    """Linear betas of the variance-preserving training process (Eq. 17)."""

    timesteps: Count = Field(description="number of noise levels in training")
    beta_start: Positive = Field(description="beta at t = 0")
    beta_end: Positive = Field(description="beta at the last t")


class DenoiserTraining(Section):
    """How a denoiser is trained (Eq. 17)."""

    optimisation: Optimisation
    augmentation: Augmentation


class VideoTraining(DenoiserTraining):
    """How a denoiser is trained on videos and pseudo-videos (Eq. 17)."""

    p_joint: Fraction = Field(
        description="p_joint (Table 3): probability that a step is on videos; the others are on pseudo-"
        "videos, independent images stacked, with the temporal modules OFF"
    )
    seed: Annotated[int, Field(ge=0, strict=True)] | None = Field(
        description="what first weights, order and noise of the training derive from; null: the study's seed. Which "
        "videos and images there are to train on does not depend on it"
    )
    kept_epochs: tuple[NonNegative, ...] = Field(
        description="epochs after which the prior as it was then is kept too, in the folder `epochs` of the model "
        "(Fig. 7), those that the training reaches; 0 is before the first step: the image prior, frame by frame"
    )


class DomainPriors(Section):
    """All priors of one domain."""

    pretrained: str | None = Field(
        description="a prior that is used instead of training one: the folder of one that `snakemake priors` made, or "
        "`owner/name@revision` on a hub; null: train. The sections of the networks below are then without effect, but "
        "for `architecture`, which says what code the samples depend on"
    )
    weights_precision: Literal["float32", "float16"] = Field(
        description="number format of the weights in the folder that `snakemake priors` makes; `float16` halves it, "
        "and changes what networks give by about a thousandth. They are loaded as float32 either way"
    )
    autoencoder: Autoencoder
    autoencoder_training: AutoencoderTraining
    standardise_latents: bool = Field(
        description="deviation from the paper: latents are shifted and scaled to mean 0 and variance 1 per "
        "channel, with statistics stored in the model folder"
    )
    noise_schedule: NoiseSchedule
    architecture: ModuleName = Field(
        description="the network that predicts the noise: `unet`, whose settings are `denoiser`, or any importable "
        "module (`step.contracts.DenoiserArchitecture`), whose settings are under `architectures`"
    )
    denoiser: Denoiser
    architectures: dict[ModuleName, AnySettings] = Field(
        description="settings of other architectures than `unet`, by their names; their own `Settings` check them"
    )
    image: DenoiserTraining = Field(description="the image prior (IDM), trained from scratch on images (Eq. 17)")
    video: VideoTraining = Field(description="the spatiotemporal prior trained from scratch on videos alone (Eq. 17)")
    joint: VideoTraining = Field(
        description="the spatiotemporal prior fine-tuned from the image prior, on videos and pseudo-videos (Eq. 17)"
    )

    @property
    def chosen_denoiser(self) -> ChosenDenoiser:
        """The architecture of the denoiser, and its settings."""
        chosen = self.denoiser if self.architecture == OURS else self.architectures[self.architecture]
        return ChosenDenoiser(architecture=self.architecture, values=chosen.model_dump(mode="json"))

    @model_validator(mode="after")
    def _architecture_has_settings(self) -> "DomainPriors":
        if self.architecture not in (OURS, *self.architectures):
            raise ValueError(
                f"architecture is {self.architecture!r}, of which architectures has no settings; add them, or {{}} if "
                "there are none"
            )
        return self


def _check_groups(widths: tuple[int, ...], groups: int) -> None:
    for width in widths:
        if width % groups:
            raise ValueError(f"{groups} normalisation groups do not divide a block of {width} channels")
