"""The measurement's part of a sample in the space of videos instead of latents: no derivative of the decoder."""

import math
from collections.abc import Sequence

import torch

from step.config.tasks import PixelSpace
from step.contracts import CurvatureModel, LeastSquaresModel, Measurement
from step.errors import InputError
from step.frames import by_frames
from step.physics.least_squares import conjugate_gradients, curvature_of
from step.progress import track
from step.sampling.mcmc import sample_noise
from step.sampling.posterior import LatentLikelihood


def sample_in_pixel_space(
    likelihood: LatentLikelihood,
    latent: torch.Tensor,
    sigma: float,
    pixel_space: PixelSpace,
    generators: Sequence[torch.Generator],
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return latents given the measurement, and their videos (batch, time, channel, y, x).

    With x0 the decoded `latent` z (batch, time, latent_channel, latent_y, latent_x), the PF-ODE's solution at the level
    `sigma`, a video x is sampled from ``N(x; x0, s^2) p(y | x)``, ``s = spread * sigma / sqrt(1 + sigma^2)``, with the
    measurement linearised at x0 (`sample_video`), and becomes ``z + E(x) - E(x0)``: what the autoencoder loses of x0 is
    not taken for news from the measurement. Where decoder and measurement are linear and the encoder inverts the
    decoder it is an exact sample. Raises `InputError` for a measurement that is no least-squares problem.
    """
    model = likelihood.forward_model
    if not isinstance(model, LeastSquaresModel):
        raise InputError(
            f"sampler.pixel_space needs a measurement with residuals, {type(model).__name__} has none; "
            "set above_sigma to null"
        )
    spread = pixel_space.spread * sigma / math.sqrt(1 + sigma**2)
    with torch.no_grad():
        before = by_frames(likelihood.prior.decode, latent, likelihood.frames_per_chunk)
        pairs = list(zip(before.split(1), generators, strict=True))
        # Video by video, so that a sample's rounding does not depend on the others of its batch.
        after = torch.cat(
            [
                sample_video(
                    model,
                    one,
                    likelihood.measurement_of(slice(n, n + 1)),
                    spread,
                    pixel_space.iterations,
                    [generator],
                    likelihood.power,
                )
                for n, (one, generator) in enumerate(track(pairs, "pixel space", "video"))
            ]
        )
        encoded = [by_frames(likelihood.prior.encode, video, likelihood.frames_per_chunk) for video in (after, before)]
        latent = latent + encoded[0] - encoded[1]
        return latent, by_frames(likelihood.prior.decode, latent, likelihood.frames_per_chunk)


def sample_video(
    model: LeastSquaresModel,
    centre: torch.Tensor,
    measurement: Measurement,
    spread: float,
    iterations: int,
    generators: Sequence[torch.Generator],
    power: float = 1.0,
) -> torch.Tensor:
    """Return one video per generator from ``N(x; centre, spread^2) exp(-||r(x)||^2 / 2)``, r linearised at `centre`.

    `power` is that of a tempered likelihood, ``exp(-power ||r(x)||^2 / 2)``.

    Perturb and optimise: with J the residuals' derivative, H = J^T J + 1 / spread^2 and standard normal n1 and n2, the
    solution of ``H d = -J^T (r + n1) + n2 / spread`` is distributed as x - centre is. `iterations` of conjugate
    gradients solve it; as many as H has different eigenvalues do so exactly, which for Cartesian k-space of one coil is
    two. Several coils need more: a dozen or two.
    """

    def residuals(video: torch.Tensor) -> torch.Tensor:
        return math.sqrt(power) * model.residuals(video, measurement)

    # torch's annotation has a third, auxiliary, return value too, which is not asked for here.
    at_centre, transposed = torch.func.vjp(residuals, centre)  # type: ignore[misc]
    disturbed = at_centre + sample_noise(at_centre, generators)
    right = sample_noise(centre, generators) / spread - transposed(disturbed)[0]
    if isinstance(model, CurvatureModel):
        product = model.curvature(centre, measurement)
    else:
        product = curvature_of(residuals, centre)

    def curvature(direction: torch.Tensor) -> torch.Tensor:
        return product(direction) + direction / spread**2

    return centre + conjugate_gradients(curvature, right, iterations)
