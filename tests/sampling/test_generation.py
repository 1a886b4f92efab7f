"""Unconditional samples, of priors whose probability flow is known in closed form."""

from itertools import pairwise

import pytest
import torch
from gaussians import SHAPE, GaussianPrior, N, as_rows, assert_distributed_as, from_rows
from pydantic import ValidationError
from step.config.generation import Generation
from step.sampling.generation import generate_latents, integrate_to_zero

CPU = torch.device("cpu")


def generation(**changes) -> Generation:
    values = {"samples": 1, "steps": 200, "sigma_max": 80.0, "sigma_min": 0.01, "rho": 7.0}
    return Generation(**(values | changes))


def generators(numbers) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(number) for number in numbers]


class FramePrior(GaussianPrior):
    """The same Gaussian with a denoiser that sees each frame alone, as an image prior does."""

    def denoise(self, latent: torch.Tensor, sigma: float) -> torch.Tensor:
        n = SHAPE[3]
        covariance = self.covariance[:n, :n]
        gain = covariance @ torch.linalg.inv(covariance + sigma**2 * torch.eye(n, dtype=torch.float64))
        return (self.mean[:n] + (latent.double() - self.mean[:n]) @ gain.T).to(latent.dtype)


def test_the_mean_and_the_covariance_of_a_gaussian_prior_are_recovered():
    prior = GaussianPrior()
    samples = generate_latents(prior, generators(range(40)), generation(), CPU)
    assert samples.shape == (40, *SHAPE)
    assert_distributed_as(samples, prior.mean, prior.covariance, bias=0.03)


@pytest.mark.slow
def test_a_sample_ends_where_the_closed_form_says_and_the_error_halves_with_twice_the_steps():
    prior = GaussianPrior()
    noisy = 80 * torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    # Along an eigenvector of the covariance with the eigenvalue v, z - mean shrinks as the root of v + sigma^2.
    eigenvalues, vectors = torch.linalg.eigh(prior.covariance)
    shrinkage = vectors @ torch.diag((eigenvalues / (eigenvalues + 80**2)).sqrt()) @ vectors.T
    expected = from_rows(prior.mean + (as_rows(noisy) - prior.mean) @ shrinkage.T)
    errors = [
        (integrate_to_zero(prior, noisy, generation(steps=steps, sigma_min=1e-4)) - expected).norm()
        for steps in (200, 400, 800)
    ]
    assert errors[-1] < 0.01 * expected.norm()
    for coarse, fine in pairwise(errors):
        assert coarse / fine == pytest.approx(2, rel=0.1)


def test_frames_that_a_prior_sees_alone_are_independent():
    prior = FramePrior()
    samples = generate_latents(prior, generators(range(40)), generation(), CPU)
    n = SHAPE[3]
    frame = prior.covariance[:n, :n]
    assert prior.covariance[:n, n:].abs().max() > 0.2  # those of the video prior are not
    assert_distributed_as(samples, prior.mean[:n].repeat(N // n), torch.block_diag(frame, frame), bias=0.03)


def test_a_sample_is_the_same_in_any_batch():
    prior = GaussianPrior()
    together = generate_latents(prior, generators([0, 1, 2]), generation(steps=5), CPU)
    for number in range(3):
        assert torch.equal(generate_latents(prior, generators([number]), generation(steps=5), CPU)[0], together[number])
    assert not torch.equal(together[0], together[1])


def test_a_network_that_diverges_is_told_of_with_steps_and_noise_levels():
    class Diverging(GaussianPrior):
        def denoise(self, latent: torch.Tensor, sigma: float) -> torch.Tensor:
            return latent * float("nan")

    with pytest.raises(FloatingPointError, match=r"not finite after 5 steps from sigma 80 to 0\.01"):
        generate_latents(Diverging(), generators([0]), generation(steps=5), CPU)


def test_noise_levels_that_do_not_fall_are_refused():
    with pytest.raises(ValidationError, match="sigma_min is 80, sigma_max 80"):
        generation(sigma_min=80.0)
