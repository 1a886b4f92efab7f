"""Networks evaluated for several videos at once, without a sample depending on the others in its batch."""

from collections.abc import Callable

import torch

from step.contracts import VideoPrior


class FixedBatches:
    """A prior whose networks see `size` videos at a time, always: where there are fewer, they are filled up.

    Several videos at once cost less than one after the other. A network's rounding depends on the size of its batch,
    and on nothing else of it; so a sample is the same, bit for bit, whatever it is drawn together with.
    """

    def __init__(self, prior: VideoPrior, size: int):
        self.size = size
        self._prior = prior

    @property
    def latent_shape(self) -> tuple[int, int, int, int]:
        """The shape of one latent video: (time, latent_channel, latent_y, latent_x)."""
        return self._prior.latent_shape

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        """Return the latents of `video`."""
        return self._in_batches(self._prior.encode, video)

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """Return the videos of `latent`."""
        return self._in_batches(self._prior.decode, latent)

    def denoise(self, latent: torch.Tensor, sigma: float) -> torch.Tensor:
        """Return the denoised `latent`."""
        return self._in_batches(lambda part: self._prior.denoise(part, sigma), latent)

    def _in_batches(self, function: Callable[[torch.Tensor], torch.Tensor], videos: torch.Tensor) -> torch.Tensor:
        parts = videos.split(self.size)
        return torch.cat([function(self._filled(part))[: len(part)] for part in parts])

    def _filled(self, part: torch.Tensor) -> torch.Tensor:
        """Return `part` with copies of its last video until it has `size`."""
        missing = self.size - len(part)
        return torch.cat([part, part[-1:].expand(missing, *part.shape[1:])]) if missing else part
