"""The measurement's part of the posterior: its gradient with respect to the latent, in chunks of frames."""

import torch

from step.contracts import ForwardModel, Measurement, VideoPrior


class LatentLikelihood:
    """``log p(y | D(z))`` and its gradient for a batch of videos.

    Decoder and forward model treat frames separately, so the gradient is computed for `videos_per_batch` videos and
    `frames_per_chunk` of their frames at a time: the memory depends neither on the length of the videos nor on their
    number. With a prior of `FixedBatches` of that size the gradient of a video at its place in a batch is the same, bit
    for bit, whatever else is in the batch.
    """

    def __init__(
        self,
        prior: VideoPrior,
        forward_model: ForwardModel,
        measurement: Measurement,
        videos_per_batch: int,
        frames_per_chunk: int,
        gradient_clip: float | None,
        noise_level: float,
    ):
        """Take the measurement of a batch of videos: arrays with leading axes (batch, time).

        `gradient_clip` bounds each element of noise_level^2 times the gradient, as the authors' code does for its
        own loss; None leaves it alone.
        """
        self.prior = prior
        self.forward_model = forward_model
        self.measurement = measurement
        self.videos_per_batch = videos_per_batch
        self.frames_per_chunk = frames_per_chunk
        self._largest = None if gradient_clip is None else gradient_clip / noise_level**2

    def gradient(self, latent: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the gradient at `latent`, and the decoded video (batch, time, channel, y, x) it was taken at."""
        firsts = range(0, len(latent), self.videos_per_batch)
        pairs = [self._gradient_of(latent[first : first + self.videos_per_batch], first) for first in firsts]
        gradient, video = (torch.cat(parts) for parts in zip(*pairs, strict=True))
        if self._largest is not None:
            gradient = gradient.clamp(-self._largest, self._largest)
        return gradient, video

    def _gradient_of(self, latent: torch.Tensor, first: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return gradient and video of a batch, whose first item is number `first` of all."""
        gradients, videos = [], []
        for begin in range(0, latent.shape[1], self.frames_per_chunk):
            frames = slice(begin, begin + self.frames_per_chunk)
            chunk = latent[:, frames].detach().requires_grad_()
            video = self.prior.decode(chunk)
            # Video by video: the forward model costs little, and its rounding must not depend on the batch either.
            nll = sum(self._nll(one, first + number, frames) for number, one in enumerate(video.split(1)))
            gradients.append(torch.autograd.grad(-nll, chunk)[0])
            videos.append(video.detach())
        return torch.cat(gradients, dim=1), torch.cat(videos, dim=1)

    def _nll(self, video: torch.Tensor, number: int, frames: slice) -> torch.Tensor:
        """Return the negative log-likelihood of some frames of one video, number `number` of all."""
        return self.forward_model.negative_log_likelihood(video, self._measurement_of(number, frames)).sum()

    def misfit(self, video: torch.Tensor) -> torch.Tensor:
        """Return the data misfit of decoded videos, shape (batch,)."""
        ones = enumerate(video.split(1))
        return torch.cat([self.forward_model.misfit(one, self._measurement_of(number)) for number, one in ones])

    def _measurement_of(self, number: int, frames: slice = slice(None)) -> Measurement:
        """Return the measurement of some frames of video number `number`, a batch of one."""
        return {name: array[number : number + 1, frames] for name, array in self.measurement.items()}
