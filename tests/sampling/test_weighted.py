"""Weighted DAPS gives every mode of a mixture the weight that it has in the exact posterior; plain DAPS does not."""

import itertools
import logging
from functools import cache

import numpy as np
import pytest
import torch
from mixtures import WIDTH, Mixture, informative_mixture, mixture
from step.config.sections import AnySettings
from step.config.tasks import Annealing, Likelihood, Mcmc, Networks, Ode, PixelSpace, Sampler
from step.contracts import ParticleSampler, PosteriorSampler
from step.errors import InputError
from step.particles import error_of_mean, normalise
from step.reconstruct import Reconstructor, Sampled
from step.sampling import weighted
from step.sampling.daps import Daps
from step.sampling.noise.independent import IndependentNoise
from step.sampling.posterior import LatentLikelihood
from step.sampling.samplers import build_sampler
from step.sampling.state import SamplingState
from step.sampling.weighted import Settings, WeightedDaps

CPU = torch.device("cpu")
N_RUNS, N_PARTICLES = 20, 100
SHARES = {2: [0.9, 0.1], 3: [0.65, 0.25, 0.1], 8: [0.38, 0.2, 0.12, 0.1, 0.08, 0.06, 0.04, 0.02]}
LINEAR = {(3, 2), (8, 2), (2, 20)}
TIMELY = [(n, d, "linear" if (n, d) in LINEAR else "squared") for n in SHARES for d in (2, 20)]
LENGTHY = [(n, d, "squared" if (n, d) in LINEAR else "linear") for n in SHARES for d in (2, 20)]
CASES = [*TIMELY, *(pytest.param(*case, marks=pytest.mark.study) for case in LENGTHY)]  # these by `-m study`


def daps(videos_per_batch: int = N_PARTICLES, **mcmc) -> Sampler:
    chain = {
        "algorithm": "damped",
        "steps": 6,
        "damping": 0.7,
        "acceptance": 0.65,
        "step_size_squared": 0.01,
        "step_decay": 1.0,
        "prior_score": "exact",
        "prior_score_every": 1,
        "prior_score_sigma": 0.01,
        "gaussian_width": 1.0,
        "limit_step_to_sigma": True,
    }
    return Sampler(
        annealing=Annealing(levels=11, sigma_max=15.0, sigma_min=0.03, rho=7),
        # So many that Euler's steps do not narrow the modes, which would weigh them too favourably.
        ode=Ode(steps=40, sigma_min=1e-3, rho=7),
        pixel_space=PixelSpace(above_sigma=None, spread=0.1, iterations=1),
        mcmc=Mcmc(**(chain | mcmc)),
        likelihood=Likelihood(noise_level=1.0, gradient_bound=None),
        networks=Networks(precision="float32", channels_last=False, compile=False, frames_per_chunk=1),
        videos_per_batch=videos_per_batch,
        frames_per_chunk=1,
    )


def weighting(**changes) -> Settings:
    values = {
        "particles": N_PARTICLES,
        "tempering_sigma": 0.3,
        "resample_below": 0.5,
        "insert_below": 0.5,
        "inserted_levels": 4,
        "kept_by_rise": None,
        "final_power": 1.0,
        "trusted_size": 5,
    }
    return Settings(**(values | changes))


def likelihood(problem: Mixture, n_samples: int = N_PARTICLES) -> LatentLikelihood:
    repeated = {name: array.expand(n_samples, *array.shape[1:]) for name, array in problem.measurement.items()}
    return LatentLikelihood(problem, problem, repeated, n_samples, 1, None)


def run(problem: Mixture, sampler: PosteriorSampler, seed: int, n_samples: int = N_PARTICLES):
    generators = [torch.Generator().manual_seed(1000 * seed + number) for number in range(n_samples)]
    sources = [IndependentNoise()] * n_samples
    return sampler.sample(problem, likelihood(problem, n_samples), sources, generators, CPU, "a mixture")


def weights_of(found) -> np.ndarray:
    n_samples = len(found.latents)
    return np.full(n_samples, 1 / n_samples) if found.log_weights is None else normalise(found.log_weights.numpy())


def weighted_share(found, labels: np.ndarray, label: int) -> float:
    """Return what the samples `found` with one of their `labels` (sample,) weigh together."""
    return float(weights_of(found)[labels == label].sum())


def shares_of(problem: Mixture, found) -> np.ndarray:
    return np.bincount(problem.modes_of(found.latents), weights_of(found), len(problem.shares))


@cache
def weighted_runs(modes: int, dimension: int, kind: str):
    problem = mixture(SHARES[modes], dimension, kind)
    sampler = WeightedDaps(daps(), weighting())
    return problem, [run(problem, sampler, seed) for seed in range(N_RUNS)]


def deviations(problem: Mixture, runs) -> np.ndarray:
    """Return how far the mean share of each mode is off, in standard errors of the mean."""
    shares = np.array([shares_of(problem, found) for found in runs])
    return (shares.mean(axis=0) - problem.shares) / (shares.std(axis=0, ddof=1) / len(runs) ** 0.5)


def off(problem: Mixture, runs) -> float:
    """Return the total variation distance of the mean shares from the exact ones."""
    shares = np.mean([shares_of(problem, found) for found in runs], axis=0)
    return float(np.abs(shares - problem.shares).sum() / 2)


@pytest.mark.long
@pytest.mark.parametrize(("modes", "dimension", "kind"), CASES)
def test_every_mode_has_its_exact_weight_and_moments(modes, dimension, kind):
    problem, runs = weighted_runs(modes, dimension, kind)
    far = deviations(problem, runs)
    assert np.sqrt(np.square(far).mean()) < 2, far
    # Of smaller ones most runs have a few particles, so that their scatter is not known.
    assert (np.abs(far[problem.shares >= 0.1]) < 3.5).all(), far
    latents = torch.cat([found.latents for found in runs])
    weights, labels = np.concatenate([weights_of(found) for found in runs]), problem.modes_of(latents)
    points = latents.flatten(1).double().numpy()
    means, widths = problem.measured_moments()
    n_data = len(problem.data)
    for mode in np.flatnonzero(problem.shares >= 0.3):  # of which there are enough samples
        of_mode = weights * (labels == mode) / weights[labels == mode].sum()
        mean = of_mode @ points
        width = np.sqrt(of_mode @ np.square(points - mean))
        assert mean[:n_data] == pytest.approx(means[mode], abs=0.1 * WIDTH)
        assert width[:n_data] == pytest.approx(widths[mode], rel=0.1)
        assert np.sqrt(np.square(width[n_data:]).mean()) == pytest.approx(WIDTH, rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(("dimension", "kind"), [(2, "linear"), (20, "squared")])
def test_plain_daps_keeps_the_weights_of_the_prior(dimension, kind):
    problem, runs = weighted_runs(3, dimension, kind)
    plain = [run(problem, Daps(daps()), seed) for seed in range(3)]
    assert off(problem, plain) > 0.1
    assert off(problem, plain) > 4 * off(problem, runs)


def leave_out(monkeypatch) -> None:
    monkeypatch.setattr(weighted.Island, "weigh", lambda island, nll, power: setattr(island, "power", power))


def weigh_after_the_chain(monkeypatch) -> None:
    rise = {}

    def remember(island, nll, power):
        rise.update(island=island, by=power - island.power)
        island.power = power

    def sample_and_weigh(prior, likelihood, *rest):
        clean, video, step_sizes = level(prior, likelihood, *rest)
        ended = likelihood.negative_log_likelihood(clean).numpy()
        rise["island"].log_weights = rise["island"].log_weights - rise["by"] * ended
        return clean, video, step_sizes

    level = weighted.sample_level
    monkeypatch.setattr(weighted.Island, "weigh", remember)
    monkeypatch.setattr(weighted, "sample_level", sample_and_weigh)


@pytest.mark.slow
@pytest.mark.parametrize("mistake", [leave_out, weigh_after_the_chain])
def test_the_weights_are_wrong_if_increments_are_left_out_or_taken_after_the_chain(mistake, monkeypatch):
    problem, _ = weighted_runs(3, 20, "squared")
    mistake(monkeypatch)
    runs = [run(problem, WeightedDaps(daps(), weighting()), seed) for seed in range(6)]
    assert np.sqrt(np.square(deviations(problem, runs)).mean()) > 3


@pytest.mark.slow
def test_the_error_of_a_weight_from_one_run_is_how_far_runs_scatter():
    problem, runs = weighted_runs(3, 2, "linear")
    shares = np.array([shares_of(problem, found) for found in runs])
    errors = [
        error_of_mean((problem.modes_of(one.latents) == 0).astype(float), weights_of(one), one.ancestors.numpy())
        for one in runs
    ]
    assert 0.5 < np.mean(errors) / shares[:, 0].std(ddof=1) < 1.6


@pytest.mark.slow
def test_the_mean_of_the_weights_estimates_the_evidence():
    problem, runs = weighted_runs(3, 2, "linear")
    # The likelihood is without its normalisation, the grid's sum without its spacing and that of the Gaussian.
    spacing = 16 / 4000 / (2 * np.pi) ** 0.5
    exact = np.log((problem.weights * problem.evidences().prod(axis=1) * spacing).sum())
    found = [np.logaddexp.reduce(one.log_weights.numpy()) - np.log(N_PARTICLES) for one in runs]
    assert np.logaddexp.reduce(found) - np.log(N_RUNS) == pytest.approx(exact, abs=0.15)


ADAPTED = {"kept_by_rise": 0.8, "inserted_levels": 200}


def informative_runs(n_runs: int, **changes):
    problem = informative_mixture([0.75, 0.25], 30, 0.05)
    sampler = WeightedDaps(daps(step_size_squared=5e-4), weighting(**changes))
    return problem, [run(problem, sampler, seed) for seed in range(n_runs)]


def smallest_size(runs) -> float:
    return float(np.median([found.trace["effective_size"].min().item() for found in runs]))


@pytest.mark.long
def test_many_exact_data_leave_one_particle_of_the_plain_ladder_and_many_of_the_adapted(caplog):
    _, plain = informative_runs(3)
    problem, runs = informative_runs(10, **ADAPTED)
    assert smallest_size(plain) < 1.5
    assert smallest_size(runs) > 0.25 * N_PARTICLES
    assert all(found.trace["power"][0, -1] == 1 for found in (*plain, *runs))
    means, widths = problem.measured_moments()
    offs, ratios = [], []
    for found in runs:
        of_mode = weights_of(found) * (problem.modes_of(found.latents) == 0)
        if of_mode.sum() < 0.5:
            continue
        points = found.latents.flatten(1).double().numpy()[:, :30]
        mean = of_mode @ points / of_mode.sum()
        offs.append((mean - means[0]) / widths[0])
        ratios.append(np.sqrt(of_mode @ np.square(points - mean) / of_mode.sum()) / widths[0])
    assert np.sqrt(np.mean(np.square(np.mean(offs, axis=0)))) < 0.15
    assert np.mean(ratios) == pytest.approx(1, abs=0.1)
    # Few starts are left of so many resamplings, by which the share of a mode scatters.
    assert np.median([len(np.unique(found.ancestors)) for found in runs]) < 0.1 * N_PARTICLES
    assert caplog.text.count("ancestors, both should be 5 or more") >= len(plain) + 5


@pytest.mark.slow
def test_an_adapted_ladder_leaves_the_weights_of_few_data_right():
    problem = mixture(SHARES[3], 20, "squared")
    sampler = WeightedDaps(daps(), weighting(**ADAPTED))
    runs = [run(problem, sampler, seed) for seed in range(10)]
    assert np.sqrt(np.square(deviations(problem, runs)).mean()) < 2
    assert smallest_size(runs) > 0.25 * N_PARTICLES


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, ADAPTED])
def test_a_tempered_posterior_is_that_of_larger_errors_and_the_log_names_it(changes, caplog):
    # A Gaussian prior N(0, WIDTH^2) measured with the variance NOISE^2 / power.
    problem, power = informative_mixture([1.0], 30, 0.4), 0.25
    with caplog.at_level(logging.WARNING):
        found = run(problem, WeightedDaps(daps(), weighting(final_power=power, **changes)), 0)
    assert found.trace["power"][0, -1] == power
    points, weights = found.latents.flatten(1).double().numpy()[:, :30], weights_of(found)
    variance = 1 / (WIDTH**-2 + power / problem.noise**2)
    exact = variance * power / problem.noise**2 * problem.data.numpy()
    mean = weights @ points
    assert np.sqrt(np.square(mean - exact).mean() / variance) < 0.35
    assert np.sqrt((weights @ np.square(points - mean)).mean() / variance) == pytest.approx(1, abs=0.1)
    assert "samples of a tempered posterior: the likelihood has the power 0.25 (temperature 4)" in caplog.text


def reconstruct(
    numbers,
    videos=("video000", "video001"),
    particles: int = 6,
    videos_per_batch: int = 4,
    state: SamplingState | None = None,
    **changes,
) -> Sampled:
    problem = mixture(SHARES[3], 2, "linear")
    chunks = daps(videos_per_batch, steps=2)
    sampler = WeightedDaps(
        chunks, weighting(**{"inserted_levels": 2, "insert_below": 0.9, "particles": particles} | changes)
    )
    shifts = {"video000": 0.0, "video001": 0.4}
    measurements = {video: {"y": problem.measurement["y"] + shifts[video]} for video in videos}
    return Reconstructor(problem, problem, sampler, chunks, CPU).sample(
        measurements,
        dict.fromkeys(videos, IndependentNoise()),
        numbers,
        lambda video, number: 100 * int(video[-1]) + number,
        "mixtures",
        state=state,
    )


@pytest.fixture(scope="module")
def whole() -> Sampled:
    return reconstruct(range(12))


@pytest.mark.slow
def test_samples_are_the_same_whatever_they_are_sampled_with(whole):
    parts = [reconstruct(range(6), ["video001"]), reconstruct(range(6, 12), ["video001"])]
    for name in ("samples", "log_weights", "ancestors"):
        joined = np.concatenate([getattr(part, name)["video001"] for part in parts])
        assert np.array_equal(joined, getattr(whole, name)["video001"]), name


class Killed(Exception):
    """What ends a job in these tests."""


@pytest.mark.long
@pytest.mark.parametrize("changes", [{}, {"kept_by_rise": 0.9, "inserted_levels": 5}])
@pytest.mark.parametrize("chains", [0, 1, 13, 17, 37])
def test_a_job_that_is_killed_loses_a_level_at_most_and_ends_with_the_same_numbers(
    chains, changes, tmp_path, monkeypatch
):
    uninterrupted = reconstruct(range(12), **changes)
    state = SamplingState(tmp_path / "state.safetensors")
    n_chains = itertools.count()

    def count(function):
        def counted(*arguments):
            if next(n_chains) == chains:
                raise Killed
            return function(*arguments)

        return counted

    with monkeypatch.context() as patch:
        for name in ("sample_level", "sample_chain"):
            patch.setattr(weighted, name, count(getattr(weighted, name)))
        with pytest.raises(Killed):
            reconstruct(range(12), state=state, **changes)
    again = itertools.count()
    with monkeypatch.context() as patch:
        for name in ("sample_level", "sample_chain"):
            chain = getattr(weighted, name)
            patch.setattr(weighted, name, lambda *arguments, chain=chain: (next(again), chain(*arguments))[1])
        resumed = reconstruct(range(12), state=SamplingState(state.file), **changes)
    n_levels = sum((~np.isnan(trace["sigma"][::6])).sum() for trace in uninterrupted.trace.values())
    assert next(again) == n_levels - chains
    for name in ("samples", "log_weights", "ancestors"):
        for video, values in getattr(uninterrupted, name).items():
            assert np.array_equal(values, getattr(resumed, name)[video]), name
    for video, trace in uninterrupted.trace.items():
        for name in trace:
            assert np.array_equal(trace[name], resumed.trace[video][name], equal_nan=True), name
    assert resumed.decoder_evaluations > 0.9 * uninterrupted.decoder_evaluations


@pytest.mark.slow
def test_the_states_of_all_islands_vanish_together(tmp_path):
    state = SamplingState(tmp_path / "states/job.safetensors")
    reconstruct(range(12), state=state)
    assert len(list(tmp_path.glob("states/job-video00?-*.safetensors"))) == 4
    state.remove()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_particles_of_an_island_depend_on_each_other_and_islands_do_not(whole):
    assert set(whole.ancestors["video000"][:6]) <= set(range(6))
    assert set(whole.ancestors["video000"][6:]) <= set(range(6, 12))
    smaller = reconstruct(range(12), ["video000"], particles=3)
    assert not np.array_equal(smaller.samples["video000"], whole.samples["video000"])


@pytest.mark.slow
def test_how_the_sampling_went_is_recorded(whole):
    trace = whole.trace["video000"]
    n_levels = (~np.isnan(trace["sigma"])).sum(axis=1)
    assert set(n_levels) <= {11, 12, 13}
    assert n_levels.max() > 11  # a level was put in
    for row, n in zip(range(12), n_levels, strict=True):
        assert (np.diff(trace["sigma"][row, :n]) < 0).all()
        assert (np.diff(trace["power"][row, :n]) > 0).all()
        assert trace["power"][row, n - 1] == 1
    sizes = trace["effective_size"][:, 0]
    assert ((sizes >= 1) & (sizes <= 6)).all()
    assert set(np.unique(trace["resampled"][~np.isnan(trace["resampled"])])) <= {0, 1}


@pytest.mark.slow
def test_the_cost_is_that_of_plain_daps_and_a_tenth_more_at_most():
    problem, chunks = mixture(SHARES[3], 2, "linear"), daps(4, steps=60)
    evaluations = []
    for sampler in (Daps(chunks), WeightedDaps(chunks, weighting(particles=4, inserted_levels=0))):
        source = {"video000": IndependentNoise()}
        found = Reconstructor(problem, problem, sampler, chunks, CPU).sample(
            {"video000": problem.measurement}, source, range(4), lambda _, number: number, "mixtures"
        )
        evaluations.append((found.decoder_evaluations, found.denoiser_evaluations))
    (plain_decoder, plain_denoiser), (decoder, denoiser) = evaluations
    assert plain_decoder < decoder < 1.1 * plain_decoder
    assert denoiser == plain_denoiser


def test_numbers_that_are_no_whole_islands_are_refused():
    with pytest.raises(InputError, match="samples 0 to 6 are no whole islands of 6 particles"):
        reconstruct(range(7))
    with pytest.raises(InputError, match="samples 3 to 8 are no whole islands"):
        reconstruct(range(3, 9))


@pytest.mark.slow
def test_the_log_says_where_weights_cannot_be_trusted(caplog):
    problem = mixture(SHARES[3], 2, "linear")
    with caplog.at_level(logging.INFO):
        run(problem, WeightedDaps(daps(), weighting(particles=6, trusted_size=6)), 0, 6)
    [warning] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "the weights cannot be trusted: an effective size of" in warning.getMessage()
    caplog.clear()
    with caplog.at_level(logging.INFO):
        run(problem, WeightedDaps(daps(), weighting(particles=6, trusted_size=1)), 0, 6)
    assert [record.levelname for record in caplog.records if "effective size" in record.getMessage()] == ["INFO"]


def test_it_is_found_by_its_name_and_given_the_settings_of_the_papers():
    own = AnySettings(**weighting().model_dump())
    sampler = build_sampler("weighted", daps(), own)
    assert isinstance(sampler, PosteriorSampler)
    assert isinstance(sampler, ParticleSampler)
    assert not isinstance(Daps(daps()), ParticleSampler)
    assert (sampler.settings, sampler.particles) == (daps(), N_PARTICLES)


def test_it_refuses_a_likelihood_that_has_a_gradient_alone():
    with pytest.raises(TypeError, match="weighted DAPS needs a LatentLikelihood, this is a object"):
        WeightedDaps(daps(), weighting()).sample(None, object(), [], [], CPU, "nothing")
