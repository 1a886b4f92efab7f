"""How often a sampler evaluates its networks, which is what it costs (Table 2: NFE)."""

import torch

from step.contracts import VideoPrior


class CountedPrior:
    """A prior that counts its evaluations: one for a whole video, parts of a video as what they are."""

    def __init__(self, prior: VideoPrior):
        self._prior = prior
        self.decoder_evaluations = 0.0
        self.denoiser_evaluations = 0

    @property
    def latent_shape(self) -> tuple[int, int, int, int]:
        """The shape of one latent video: (time, latent_channel, latent_y, latent_x)."""
        return self._prior.latent_shape

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        """Return the latents of `video`."""
        return self._prior.encode(video)

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """Return the videos of `latent`, and count their frames."""
        self.decoder_evaluations += latent.shape[0] * latent.shape[1] / self.latent_shape[0]
        return self._prior.decode(latent)

    def denoise(self, latent: torch.Tensor, sigma: float) -> torch.Tensor:
        """Return the denoised `latent`, and count its videos."""
        self.denoiser_evaluations += len(latent)
        return self._prior.denoise(latent, sigma)
