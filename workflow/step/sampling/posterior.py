"""The measurement's part of the posterior: its gradient with respect to the latent, in chunks of frames."""

from typing import NamedTuple

import torch

from step.contracts import ForwardModel, Measurement, VideoPrior


class Evaluation(NamedTuple):
    """What one pass through decoder and forward model gives at a latent."""

    negative_log_likelihood: torch.Tensor  # (batch,), float64
    gradient: torch.Tensor  # of the log-likelihood, with its bound; the latent's shape
    video: torch.Tensor  # (batch, time, channel, y, x)


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
        evaluation = self.evaluate(latent)
        return evaluation.gradient, evaluation.video

    def evaluate(self, latent: torch.Tensor) -> Evaluation:
        """Return the negative log-likelihood of every item too, from the same pass; the bound is the gradient's."""
        firsts = range(0, len(latent), self.videos_per_batch)
        parts = [self._evaluate_batch(latent[first : first + self.videos_per_batch], first) for first in firsts]
        nll, gradient, video = (torch.cat(part) for part in zip(*parts, strict=True))
        if self._largest is not None:
            gradient = gradient.clamp(-self._largest, self._largest)
        return Evaluation(nll, gradient, video)

    def _evaluate_batch(self, latent: torch.Tensor, first: int) -> Evaluation:
        """Return what a batch has, whose first item is number `first` of all; the gradient without its bound."""
        total = torch.zeros(len(latent), dtype=torch.float64, device=latent.device)
        gradients, videos = [], []
        for begin in range(0, latent.shape[1], self.frames_per_chunk):
            frames = slice(begin, begin + self.frames_per_chunk)
            chunk = latent[:, frames].detach().requires_grad_()
            video = self.prior.decode(chunk)
            measurement = self.measurement_of(slice(first, first + len(latent)), frames)
            nll = self.forward_model.negative_log_likelihood(video, measurement)
            gradients.append(torch.autograd.grad(-nll.sum(), chunk)[0])
            videos.append(video.detach())
            total += nll.detach()
        return Evaluation(total, torch.cat(gradients, dim=1), torch.cat(videos, dim=1))

    def misfit(self, video: torch.Tensor) -> torch.Tensor:
        """Return the data misfit of decoded videos, shape (batch,)."""
        ones = enumerate(video.split(1))
        return torch.cat([self.forward_model.misfit(one, self.measurement_of(slice(n, n + 1))) for n, one in ones])

    def measurement_of(self, videos: slice, frames: slice = slice(None)) -> Measurement:
        """Return the measurement of some videos of the batch, and of some of their frames."""
        return {name: array[videos, frames] for name, array in self.measurement.items()}
