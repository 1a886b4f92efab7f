"""The measurement's part of the posterior: its gradient with respect to the latent, in chunks of frames."""

import torch

from step.contracts import ForwardModel, Measurement, VideoPrior


class LatentLikelihood:
    """``log p(y | D(z))`` and its gradient for a batch of videos.

    Decoder and forward model treat frames separately, so the gradient is computed for one video and
    `frames_per_chunk` of its frames at a time: the memory depends neither on the length of the videos nor on their
    number, and the gradient of a video is the same, bit for bit, whatever else is in the batch.
    """

    def __init__(
        self,
        prior: VideoPrior,
        forward_model: ForwardModel,
        measurement: Measurement,
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
        self.frames_per_chunk = frames_per_chunk
        self._largest = None if gradient_clip is None else gradient_clip / noise_level**2

    def gradient(self, latent: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the gradient at `latent`, and the decoded video (batch, time, channel, y, x) it was taken at."""
        pairs = [self._gradient_of_one(latent[i : i + 1], i) for i in range(len(latent))]
        gradient, video = (torch.cat(parts) for parts in zip(*pairs, strict=True))
        if self._largest is not None:
            gradient = gradient.clamp(-self._largest, self._largest)
        return gradient, video

    def _gradient_of_one(self, latent: torch.Tensor, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        gradients, videos = [], []
        for first in range(0, latent.shape[1], self.frames_per_chunk):
            frames = slice(first, first + self.frames_per_chunk)
            measurement = {name: array[number : number + 1, frames] for name, array in self.measurement.items()}
            chunk = latent[:, frames].detach().requires_grad_()
            video = self.prior.decode(chunk)
            nll = self.forward_model.negative_log_likelihood(video, measurement).sum()
            gradients.append(torch.autograd.grad(-nll, chunk)[0])
            videos.append(video.detach())
        return torch.cat(gradients, dim=1), torch.cat(videos, dim=1)

    def misfit(self, video: torch.Tensor) -> torch.Tensor:
        """Return the data misfit of decoded videos, shape (batch,)."""
        return self.forward_model.misfit(video, self.measurement)
