"""Which way a black hole's spot turns: shares of weighted samples follow the posterior, where DAPS' are the prior's."""

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from step.physics.vlbi import ClosureImaging
from step.sampling.daps import Daps
from step.sampling.noise.independent import IndependentNoise
from step.sampling.posterior import LatentLikelihood
from step.sampling.weighted import WeightedDaps
from test_weighted import daps, weighted_share, weighting
from turning_spots import CLOCKWISE, COUNTER_CLOCKWISE, N_FRAMES, TurningSpots, closures

CPU = torch.device("cpu")
PRIOR = TurningSpots((0.8, 0.2))
N_PARTICLES, N_RUNS, N_REFERENCE = 150, 6, 20_000
SETTINGS = daps(step_size_squared=1e-3, steps=8)
ERROR_FACTOR = 16.0  # on errors of amplitudes, so that a long reference run has thousands of effective samples


def repeated(measured: Mapping[str, torch.Tensor], n_samples: int) -> dict[str, torch.Tensor]:
    return {name: array.expand(n_samples, *array.shape[1:]) for name, array in measured.items()}


def reference_share(physics: ClosureImaging, measured: Mapping[str, torch.Tensor]) -> tuple[float, float]:
    """Return how probable the first sense is, by importance sampling from the prior, and the standard error."""
    latents, senses = PRIOR.sample(N_REFERENCE, torch.Generator().manual_seed(5))
    with torch.no_grad():
        parts = [
            physics.negative_log_likelihood(PRIOR.decode(part), repeated(measured, len(part)))
            for part in latents.split(1000)
        ]
    weights = torch.softmax(-torch.cat(parts).double(), dim=0).numpy()
    share = weights[senses == COUNTER_CLOCKWISE].sum()
    return share, float(np.sqrt(np.square(weights * ((senses == COUNTER_CLOCKWISE) - share)).sum()))


def shares_of_runs(physics, measured, sampler, n_runs: int) -> np.ndarray:
    """Return the share of the first sense in each of some runs."""
    shares = []
    for seed in range(n_runs):
        generators = [torch.Generator().manual_seed(1000 * seed + number) for number in range(N_PARTICLES)]
        likelihood = LatentLikelihood(
            PRIOR, physics, repeated(measured, N_PARTICLES), N_PARTICLES, N_FRAMES, gradient_bound=None
        )
        sources = [IndependentNoise()] * N_PARTICLES
        found = sampler.sample(PRIOR, likelihood, sources, generators, CPU, "spots")
        shares.append(weighted_share(found, PRIOR.senses_of(found.latents), COUNTER_CLOCKWISE))
    return np.array(shares)


@pytest.mark.long
@pytest.mark.parametrize(("sense", "phase_sigma"), [(COUNTER_CLOCKWISE, None), (CLOCKWISE, 0.9)])
def test_shares_of_both_senses_are_those_of_a_long_reference_run(sense, phase_sigma):
    physics, measured = closures(sense, phase_sigma, ERROR_FACTOR)
    exact, error = reference_share(physics, measured)
    assert error < 0.02
    if phase_sigma is None:
        assert exact == pytest.approx(PRIOR.shares[0], abs=3 * error)  # amplitudes do not tell the senses apart
    else:
        assert exact < 0.6  # the data favour the sense that is rarer
    shares = shares_of_runs(physics, measured, WeightedDaps(SETTINGS, weighting(particles=N_PARTICLES)), N_RUNS)
    scatter = np.hypot(shares.std(ddof=1) / N_RUNS**0.5, error)
    assert abs(shares.mean() - exact) < 2.5 * scatter
    assert scatter < 0.08
    if phase_sigma is not None:
        plain = shares_of_runs(physics, measured, Daps(SETTINGS), 2)
        assert plain.mean() > exact + 0.15  # it keeps to the prior


@pytest.mark.slow
def test_amplitudes_of_both_senses_are_the_same_and_phases_are_not():
    for phase_sigma, apart in ((None, False), (0.9, True)):
        physics, measured = closures(COUNTER_CLOCKWISE, phase_sigma, ERROR_FACTOR)
        videos = PRIOR.decode(PRIOR.means.float()[:, :, None, None])
        one, other = physics.negative_log_likelihood(videos, repeated(measured, 2)).tolist()
        assert (abs(one - other) > 1) == apart
        if not apart:
            assert one == pytest.approx(other, abs=1e-3)
