"""The measurement's part of the posterior: its gradient with respect to the latent, in chunks of frames."""

import copy
from typing import NamedTuple, Self

import torch

from step.contracts import ForwardModel, Measurement, PrecomputingModel, VideoPrior
from step.sampling.batches import divide, join


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
        gradient_bound: float | None,
    ):
        """Take the measurement of a batch of videos: arrays with leading axes (batch, time).

        `gradient_bound` is the largest absolute value of an element of the gradient; None leaves it alone. The authors'
        code clamps the gradient of its loss to [-1, 1] and then divides by tau^2, so that its bound is 1 / tau^2.
        """
        self.prior = prior
        self.forward_model = forward_model
        if isinstance(forward_model, PrecomputingModel):
            measurement = forward_model.precompute(measurement, torch.float32)
        self.measurement = measurement
        self.videos_per_batch = videos_per_batch
        self.frames_per_chunk = frames_per_chunk
        self.gradient_bound = gradient_bound
        self.power = 1.0

    def tempered(self, power: float) -> Self:
        """Return the likelihood ``p(y | D(z))^power``, of the same bound on its gradient."""
        other = copy.copy(self)
        other.power = power
        return other

    def gradient(self, latent: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the gradient at `latent`, and the decoded video (batch, time, channel, y, x) it was taken at."""
        evaluation = self.evaluate(latent)
        return evaluation.gradient, evaluation.video

    def evaluate(self, latent: torch.Tensor) -> Evaluation:
        """Return the negative log-likelihood of every item too, from the same pass; the bound is the gradient's."""
        parts = [self._evaluate_batch(latent[batch], batch) for batch in divide(len(latent), self.videos_per_batch)]
        nll, gradient, video = (join(part) for part in zip(*parts, strict=True))
        if self.power != 1:
            nll, gradient = self.power * nll, self.power * gradient
        if self.gradient_bound is not None:
            gradient = gradient.clamp(-self.gradient_bound, self.gradient_bound)
        return Evaluation(nll, gradient, video)

    def _evaluate_batch(self, latent: torch.Tensor, batch: slice) -> Evaluation:
        """Return what the `latent` of a batch has; the gradient without its bound."""
        total = torch.zeros(len(latent), dtype=torch.float64, device=latent.device)
        gradients, videos = [], []
        for frames in divide(latent.shape[1], self.frames_per_chunk):
            chunk = latent[:, frames].detach().requires_grad_()
            video = self.prior.decode(chunk)
            nll = self.forward_model.negative_log_likelihood(video, self.measurement_of(batch, frames))
            gradients.append(torch.autograd.grad(-nll.sum(), chunk)[0])
            videos.append(video.detach())
            total += nll.detach()
        return Evaluation(total, join(gradients, dim=1), join(videos, dim=1))

    def negative_log_likelihood(self, video: torch.Tensor) -> torch.Tensor:
        """Return ``-log p(y | x)`` of decoded videos up to a constant, (batch,) float64, without the power."""
        totals = []
        with torch.no_grad():
            for batch in divide(len(video), self.videos_per_batch):
                parts = [
                    self.forward_model.negative_log_likelihood(video[batch, frames], self.measurement_of(batch, frames))
                    for frames in divide(video.shape[1], self.frames_per_chunk)
                ]
                totals.append(torch.stack(parts).to(torch.float64).sum(dim=0))
        return torch.cat(totals)

    def misfit(self, video: torch.Tensor) -> torch.Tensor:
        """Return the data misfit of decoded videos, shape (batch,)."""
        batches = divide(len(video), self.videos_per_batch)
        return torch.cat([self.forward_model.misfit(video[batch], self.measurement_of(batch)) for batch in batches])

    def measurement_of(self, videos: slice, frames: slice = slice(None)) -> Measurement:
        """Return the measurement of some videos of the batch, and of some of their frames."""
        return {name: array[videos, frames] for name, array in self.measurement.items()}
