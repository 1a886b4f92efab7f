"""Unconditional samples of a prior: the probability-flow ODE (Eq. 4) from noise, without any measurement."""

from collections.abc import Sequence

import torch

from step.config.generation import Generation
from step.contracts import VideoPrior
from step.diffusion.ode import solve_probability_flow
from step.frames import video_by_video
from step.sampling.batches import FixedBatches


def generate_videos(
    prior: VideoPrior,
    generators: Sequence[torch.Generator],
    generation: Generation,
    frames_at_once: int,
    device: torch.device,
) -> torch.Tensor:
    """Return one video of `prior` per generator (batch, time, channel, y, x), on the processor.

    It is `generate_latents`, one at a time, and decoded `frames_at_once` frames at once.
    """
    latents = generate_latents(FixedBatches(prior, 1), generators, generation, device)
    with torch.no_grad():
        return video_by_video(lambda part: prior.decode(part).cpu(), latents, frames_at_once)


def generate_latents(
    prior: VideoPrior, generators: Sequence[torch.Generator], generation: Generation, device: torch.device
) -> torch.Tensor:
    """Return one latent of `prior` per generator: (batch, time, latent_channel, latent_y, latent_x).

    Item i begins as ``sigma_max`` times white noise of ``generators[i]`` and depends on nothing else in the batch.
    The network of an image prior sees each frame alone, so the frames of its latents are independent. Raises
    `FloatingPointError` where a latent stops being finite.
    """
    noise = torch.stack([torch.randn(prior.latent_shape, generator=generator) for generator in generators])
    return integrate_to_zero(prior, generation.sigma_max * noise.to(device), generation)


@torch.no_grad()
def integrate_to_zero(prior: VideoPrior, noisy: torch.Tensor, generation: Generation) -> torch.Tensor:
    """Return the solution of the ODE at noise level 0, from `noisy` (batch, ...) at ``sigma_max``; see above."""
    nearly_clean = solve_probability_flow(
        prior.denoise, noisy, generation.sigma_max, generation.steps, generation.sigma_min, generation.rho
    )
    # The Euler step from sigma to 0, z - sigma (z - denoise(z, sigma)) / sigma, is the denoiser itself.
    clean = prior.denoise(nearly_clean, generation.sigma_min)
    if not torch.isfinite(clean).all():
        raise FloatingPointError(
            f"a generated latent is not finite after {generation.steps} steps from sigma {generation.sigma_max:g} to "
            f"{generation.sigma_min:g}; raise generation.steps, or train the prior again"
        )
    return clean
