"""The library's sampler and Algorithm 1 as it is written down take the same samples."""

from dataclasses import replace

import pytest
import torch
from gaussians import SHAPE, GaussianPrior, LinearGaussianModel
from step.benchmark import costs
from step.benchmark.costs import Workload, reduced, sample_by_reference_implementation, take_samples
from step.benchmark.reference_implementation import sample_as_written_down
from step.config.priors import Autoencoder, ChosenDenoiser, NoiseSchedule
from step.config.study import load_config
from step.config.tasks import Annealing, Likelihood, Ode, PixelSpace, Sampler
from step.physics.mri import CartesianMri
from step.sampling.evaluations import CountedPrior
from step.sampling.noise.independent import IndependentNoise

CPU = torch.device("cpu")
N_SAMPLES = 3  # of which two fill a batch, and one is left


def sampler(gradient_bound: float | None = None, **mcmc) -> Sampler:
    """Return the study's sampler with few, small steps."""
    own = load_config().tasks["mri8"].sampler
    values = {
        "steps": 5,
        "damping": 0.7,
        "step_size_squared": 8e-3,
        "step_decay": 0.5,
        "prior_score_sigma": 0.05,
        "limit_step_to_sigma": True,
    }
    return own.model_copy(
        update={
            "annealing": Annealing(levels=3, sigma_max=5.0, sigma_min=0.05, rho=3),
            "ode": Ode(steps=2, sigma_min=1e-2, rho=7),
            "mcmc": own.mcmc.model_copy(update=values | mcmc),
            "likelihood": Likelihood(noise_level=0.4, gradient_bound=gradient_bound),
            "videos_per_batch": 2,
            "frames_per_chunk": 1,
        }
    )


def gaussian_workload() -> Workload:
    model, prior = LinearGaussianModel(0.4), GaussianPrior()
    measurement = model.measure(torch.zeros(1, *SHAPE), torch.Generator().manual_seed(1))
    return Workload(prior, model, measurement, IndependentNoise(), 0, CPU)


def network_workload() -> Workload:
    """Return the problem of small networks with random weights, and every second line of k-space."""
    from step.models.untrained import untrained_prior

    video_shape = (4, 2, 16, 16)
    prior = untrained_prior(
        Autoencoder(
            latent_channels=2, patch_size=2, block_channels=(8, 8), layers_per_block=1, norm_groups=2, attention=True
        ),
        ChosenDenoiser(
            architecture="unet",
            values={
                "block_channels": (8, 16),
                "layers_per_block": 1,
                "norm_groups": 2,
                "attention_heads": 2,
                "context_width": 4,
                "condition_width": 4,
            },
        ),
        NoiseSchedule(timesteps=1000, beta_start=1e-4, beta_end=0.02),
        video_shape,
        temporal=True,
        seed=0,
    )
    model = CartesianMri(torch.arange(16) % 2 == 0, noise_level=0.4)
    video = torch.rand(1, *video_shape, generator=torch.Generator().manual_seed(1))
    measurement = model.measure(video, torch.Generator().manual_seed(2))
    return Workload(prior, model, measurement, IndependentNoise(), 0, CPU)


LANGEVIN_BOUNDED = {"damping": 0.0, "gradient_bound": 0.3125}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("workload", "settings"),
    [(gaussian_workload, {}), (gaussian_workload, LANGEVIN_BOUNDED), (network_workload, {"steps": 2})],
    ids=["hamiltonian", "bounded", "networks"],
)
def test_both_samplers_take_the_same_samples(workload, settings):
    chosen, problem = sampler(**settings), workload()
    ours = take_samples(problem, chosen, N_SAMPLES)
    theirs = sample_by_reference_implementation(problem, chosen, N_SAMPLES)
    torch.testing.assert_close(ours.latents, theirs, rtol=1e-4, atol=1e-4 * theirs.abs().max().item())
    # The test can fail: with the score of every second step the samples are others.
    other = take_samples(problem, sampler(**settings, prior_score_every=2), N_SAMPLES)
    assert not torch.allclose(other.latents, theirs, rtol=1e-4, atol=1e-4 * theirs.abs().max().item())


def test_evaluations_are_counted_per_sample():
    sampled = take_samples(gaussian_workload(), sampler(), N_SAMPLES)
    assert (sampled.n_sampled, sampled.decoder_evaluations, sampled.denoiser_evaluations) == (4, 3 * 5, 3 * (2 + 5))


@pytest.mark.slow
def test_what_is_timed_of_bare_networks_is_what_the_sampler_evaluates_and_no_more(monkeypatch):
    problem, evaluated = gaussian_workload(), {}
    counted = CountedPrior(problem.prior)

    def count(tasks, repeats, device):
        for name, task in tasks.items():
            decoded, denoised = counted.decoder_evaluations, counted.denoiser_evaluations
            task()
            evaluated[name] = (counted.decoder_evaluations - decoded, counted.denoiser_evaluations - denoised)
        return {name: [1.0] for name in tasks}

    monkeypatch.setattr(costs, "time_in_turn", count)
    costs.cost_of_sampling(replace(problem, prior=counted), sampler(), N_SAMPLES, 1, sampler(), SHAPE[0])
    assert evaluated["bare"] == evaluated["sampler"] == (4 * 3 * 5, 4 * 3 * (2 + 5))


def in_pixel_space() -> Sampler:
    return sampler().model_copy(update={"pixel_space": PixelSpace(above_sigma=1.0, spread=0.1, iterations=1)})


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (sampler(prior_score="frozen"), "the score frozen"),
        (sampler(algorithm="adapted"), "the chain is adapted"),
        (in_pixel_space(), "above sigma 1.0 are in pixel space"),
    ],
    ids=["score", "chain", "pixel space"],
)
def test_what_is_not_algorithm_1_is_refused(settings, says):
    of = gaussian_workload()
    with pytest.raises(ValueError, match=says):
        sample_as_written_down(of.prior, of.forward_model, of.measurement, of.source, of.generator(0), settings, CPU)


def test_a_reduced_sampler_has_the_same_share_of_the_ode_and_never_more_than_it_had():
    whole = sampler(steps=8)
    part = reduced(whole, levels=2, steps=4)
    assert (part.annealing.levels, part.mcmc.steps, part.ode.steps) == (2, 4, 1)
    assert reduced(whole, None, None) == whole
    assert reduced(whole, 99, 99) == whole
