"""The adapter between trained networks and the sampler: encode, decode, denoise."""

from pathlib import Path

import torch
from diffusers import AutoencoderKL
from diffusers.models.modeling_utils import ModelMixin

from step.config.tasks import Networks
from step.diffusion.denoiser import denoise_from_noise_prediction
from step.diffusion.schedule import LinearBetaSchedule
from step.errors import InputError
from step.io.model_folders import load_network, read_facts, weights_digest
from step.io.prior_folders import AUTOENCODER, PriorFacts, networks_of_prior, read_prior_facts, verify_prior
from step.models.architectures import load_denoiser
from step.models.autoencoder import FrameAutoencoder


class LatentDiffusionPrior:
    """A latent diffusion prior over videos; with an image network, over independent frames."""

    def __init__(
        self,
        autoencoder: FrameAutoencoder,
        network: ModelMixin,
        schedule: LinearBetaSchedule,
        latent_shape: tuple[int, int, int, int],
        facts: PriorFacts | None = None,
    ):
        """Hold the networks; `latent_shape` is (time, latent_channel, latent_y, latent_x).

        `facts` are what the folder of a complete prior says of it.
        """
        self.autoencoder = autoencoder
        self.network = network.eval().requires_grad_(False)
        self.schedule = schedule
        self.latent_shape = latent_shape
        self.facts = facts

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return self.autoencoder.mean.device

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """The shape of a video, (time, channel, y, x); of a prior from a complete folder alone."""
        if self.facts is None:
            raise InputError("this prior is not from a complete folder, so it says no shape; load it with load_prior")
        return self.facts.shape

    @property
    def rows(self) -> int:
        """The number of rows of a frame."""
        return self.shape[2]

    @property
    def columns(self) -> int:
        """The number of columns of a frame."""
        return self.shape[3]

    def to(self, device: torch.device) -> "LatentDiffusionPrior":
        """Return the prior with its networks on `device`."""
        self.autoencoder.to(device)
        self.network.to(device)  # type: ignore[arg-type]  # diffusers wraps it, so that it is no method to mypy
        return self

    def place(self, networks: Networks) -> "LatentDiffusionPrior":
        """Return the prior with its networks evaluated as `networks` says, which holds on a GPU alone.

        What goes in and comes out stays float32.
        """
        if self.autoencoder.mean.device.type != "cuda":
            return self
        # Of convolutions alone: a forward model may be made of matrix products, and has none of these.
        torch.backends.cudnn.allow_tf32 = networks.precision == "tensorfloat32"
        parts = [self.autoencoder.network.encoder, self.autoencoder.network.decoder, self.network]
        if networks.precision == "bfloat16":
            for network in (self.autoencoder.network, self.network):
                torch.nn.Module.to(network, torch.bfloat16)  # diffusers' own warns of layers that these do not have
        for part in parts:
            if networks.channels_last:
                _lay_out_with_channels_last(part)
            if networks.compile:
                part.compile()
        return self

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        """Return the latents of `video` (batch, time, channel, y, x)."""
        return self.autoencoder.encode(video)

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """Return the videos of `latent` (batch, time, latent_channel, latent_y, latent_x)."""
        return self.autoencoder.decode(latent)

    @torch.no_grad()
    def denoise(self, latent: torch.Tensor, sigma: float) -> torch.Tensor:
        """Return the network's estimate of z0 in ``z0 + sigma n = latent``; a video network uses all frames."""
        return denoise_from_noise_prediction(self._predict_noise, self.schedule, latent, sigma)

    def _predict_noise(self, latent: torch.Tensor, t: float) -> torch.Tensor:
        timestep = torch.tensor(t, dtype=torch.float32, device=latent.device)  # a number would be compiled in
        noise = self.network(latent.to(self.network.dtype), timestep, temporal=self.network.config["temporal"])
        return noise.to(latent.dtype)


def _lay_out_with_channels_last(network: torch.nn.Module) -> None:
    """Lay out the weights of two-dimensional convolutions so; what they are applied to follows."""
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def load_autoencoder(folder: Path, domain: str | None = None) -> FrameAutoencoder:
    """Return the autoencoder in a model folder; raises `InputError` unless it is one, of `domain` if given."""
    facts = read_facts(folder, "autoencoder", domain)
    network = load_network(folder, AutoencoderKL)
    return FrameAutoencoder(network, facts["latent_mean"], facts["latent_std"], facts["patch_size"])


def load_prior(autoencoder_folder: Path, folder: Path, domain: str, architecture: str) -> LatentDiffusionPrior:
    """Return the prior in `folder`; raises `InputError` for another architecture or another autoencoder's latents."""
    facts = read_facts(folder, "denoiser", domain)
    if facts["autoencoder"] != weights_digest(autoencoder_folder):
        raise InputError(f"{folder} was trained on the latents of another autoencoder than {autoencoder_folder}")
    return LatentDiffusionPrior(
        load_autoencoder(autoencoder_folder, domain),
        load_denoiser(folder, domain, architecture),
        LinearBetaSchedule(**facts["noise_schedule"]),
        tuple(facts["latent_shape"]),
    )


def load_prior_folder(folder: Path, network: str, architecture: str) -> LatentDiffusionPrior:
    """Return the prior in a complete folder, with one of its networks, once the digests of both are right.

    Raises `InputError` where it is no such folder, is damaged, lacks the network, or that is of another architecture.
    """
    facts = read_prior_facts(folder)
    if network not in (there := networks_of_prior(folder)):
        raise InputError(f"{folder} has no {network} network; it has {', '.join(there)}")
    verify_prior(folder, [AUTOENCODER, network])
    prior = load_prior(folder / AUTOENCODER, folder / network, facts.domain, architecture)
    prior.facts = facts
    return prior
