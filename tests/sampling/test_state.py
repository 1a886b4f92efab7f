"""Sampling jobs that are killed go on where they were, number for number."""

import argparse
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from gaussians import SHAPE, GaussianPrior, LinearGaussianModel
from one_coil import PAPERS_LINES
from step.cli import sample as sample_stage
from step.config.methods import FrameNoise, Method
from step.config.sampling import SampleSettings
from step.config.settings import dump_settings, parse_settings
from step.config.tasks import Annealing, Likelihood, Mcmc, MeasurementOfDomain, Networks, Ode, PixelSpace, Sampler
from step.errors import InputError
from step.io.reconstructions import read_reconstructions, write_measurement
from step.io.tables import read_table
from step.physics.forward_models import build_forward_model
from step.sampling.daps import sample_posterior
from step.sampling.noise.independent import IndependentNoise
from step.sampling.posterior import LatentLikelihood
from step.sampling.state import SamplingState
from tiny_priors import SHAPE as TINY
from tiny_priors import write_tiny_prior

CPU = torch.device("cpu")
LEVELS = 4


class Killed(Exception):
    """What ends a job in these tests."""


class NoiseUntil(IndependentNoise):
    """Noise that ends the job when it is asked for the `last` time: in the middle of things."""

    def __init__(self, last: int):
        self.left = last

    def noise(self, shape, generator):
        self.left -= 1
        if self.left < 0:
            raise Killed
        return super().noise(shape, generator)


def sampler(algorithm: str = "damped", above_sigma: float | None = None) -> Sampler:
    return Sampler(
        annealing=Annealing(levels=LEVELS, sigma_max=5.0, sigma_min=0.01, rho=3),
        ode=Ode(steps=2, sigma_min=1e-3, rho=7),
        pixel_space=PixelSpace(above_sigma=above_sigma, spread=0.1, iterations=1),
        mcmc=Mcmc(
            algorithm=algorithm,
            steps=3,
            damping=0.7,
            acceptance=0.65,
            step_size_squared=8e-3,
            step_decay=0.5,
            prior_score="exact",
            prior_score_every=2,
            prior_score_sigma=0.01,
            gaussian_width=1.0,
            limit_step_to_sigma=True,
        ),
        likelihood=Likelihood(noise_level=0.4, gradient_bound=None),
        networks=Networks(precision="float32", channels_last=False, compile=False, frames_per_chunk=1),
        videos_per_batch=2,
        frames_per_chunk=1,
    )


def sample(settings: Sampler, source: IndependentNoise, state: SamplingState | None, seed: int = 0):
    model = LinearGaussianModel(settings.likelihood.noise_level)
    truth = torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(5))
    measured = {name: array.repeat(2, 1, 1, 1) for name, array in model.measure(truth, torch.Generator()).items()}
    likelihood = LatentLikelihood(GaussianPrior(), model, measured, 2, 1, None)
    generators = [torch.Generator().manual_seed(seed + number) for number in (1, 2)]
    return sample_posterior(GaussianPrior(), likelihood, [source] * 2, generators, settings, CPU, state=state)


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["damped", "adapted"])
@pytest.mark.parametrize("levels", range(LEVELS))
def test_samples_and_trace_are_those_of_a_run_that_was_not_stopped(algorithm, levels, tmp_path):
    whole, trace = sample(sampler(algorithm), IndependentNoise(), None)
    state = SamplingState(tmp_path / "state.safetensors")
    with pytest.raises(Killed):  # two samples, whose first noise comes before the first level
        sample(sampler(algorithm), NoiseUntil(2 + 2 * levels), state)
    assert state.file.exists() == (levels > 0)
    # The generators' seeds are those of the state, whatever they were before.
    resumed, trace_of_resumed = sample(sampler(algorithm), IndependentNoise(), state, seed=100 if levels else 0)
    assert torch.equal(resumed, whole)
    assert all(
        torch.equal(torch.stack(trace[name]), torch.stack(trace_of_resumed[name])) for name in ("sigma", "misfit")
    )


def test_a_finished_state_gives_its_samples_back_without_another_level(tmp_path):
    state = SamplingState(tmp_path / "state.safetensors")
    whole, _ = sample(sampler(), IndependentNoise(), state)
    again, _ = sample(sampler(), NoiseUntil(0), state)
    assert torch.equal(again, whole)


def test_a_damaged_state_is_one_line(tmp_path):
    state = SamplingState(tmp_path / "state.safetensors")
    state.file.write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"state\.safetensors is damaged .*; delete it to sample anew"):
        sample(sampler(), IndependentNoise(), state)


def test_what_earlier_processes_used_counts(tmp_path):
    state = SamplingState(tmp_path / "state.safetensors", tally=lambda: {"seconds": 2.0})
    sample(sampler(), IndependentNoise(), state)
    later = SamplingState(state.file, tally=lambda: {"seconds": 3.0})
    later.read([torch.Generator(), torch.Generator()], CPU)
    assert later.used() == {"seconds": 5.0}


MEASUREMENT = MeasurementOfDomain(
    model="mri", acceleration=4, acs_lines=4, noise_level=0.1, geometry={}, **PAPERS_LINES
)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    """A tiny prior and two measurements."""
    folder = tmp_path_factory.mktemp("inputs")
    write_tiny_prior(folder)
    model = build_forward_model(MEASUREMENT, TINY)
    for number in (0, 1):
        generator = torch.Generator().manual_seed(number)
        measured = model.measure(torch.randn(1, *TINY, generator=generator), generator)
        arrays = {name: array[0].numpy() for name, array in measured.items()}
        write_measurement(folder / f"video{number:03d}.h5", arrays, {})
    return folder


def run_job(inputs: Path, output: Path, videos: list[int], samples: tuple[int, int] = (0, 2), seed: int = 0) -> None:
    method = Method(prior="joint", noise=FrameNoise(source="independent"), sampler="daps")
    settings = SampleSettings(
        seed=seed,
        task="hearts",
        domain="mri",
        architecture="unet",
        method=method,
        measurement=MEASUREMENT,
        sampler=sampler(above_sigma=1.0),
        own=None,
    )
    words = ["--autoencoder", inputs / "networks/autoencoder", "--denoiser", inputs / "networks/joint"]
    words += ["--measurements", *(inputs / f"video{number:03d}.h5" for number in videos), "--place", videos[0]]
    words += ["--samples", *samples, "--cost", output.with_suffix(".csv"), "--output", output]
    parser = argparse.ArgumentParser()
    sample_stage.add_arguments(parser)
    sample_stage.run(parser.parse_args(list(map(str, words))), parse_settings(dump_settings(settings), SampleSettings))


def samples_in(*files: Path) -> dict[str, np.ndarray]:
    return {name: one.samples for name, one in read_reconstructions(list(files)).items()}


@pytest.fixture(scope="module")
def whole(inputs, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("whole") / "000.h5"
    run_job(inputs, output, [0, 1])
    return output


@contextmanager
def killed_at_noise(monkeypatch, last: int) -> Iterator[None]:
    """Within it, a job ends when it asks for noise once more than `last` times."""
    with monkeypatch.context() as patched:
        counted, original = itertools.count(), IndependentNoise.noise

        def noise(self, *arguments):
            if next(counted) == last:
                raise Killed
            return original(self, *arguments)

        patched.setattr(IndependentNoise, "noise", noise)
        with pytest.raises(Killed):
            yield


@pytest.mark.slow
def test_one_job_four_jobs_and_a_resumed_one_give_the_same_numbers(inputs, whole, tmp_path, monkeypatch):
    for video in (0, 1):
        for number in (0, 1):
            run_job(inputs, tmp_path / f"{video}{number}.h5", [video], (number, number + 1))
    of_one = samples_in(whole)
    for video, name in enumerate(of_one):
        parts = [samples_in(tmp_path / f"{video}{number}.h5")[name] for number in (0, 1)]
        np.testing.assert_array_equal(np.concatenate(parts), of_one[name])
    resumed = tmp_path / "resumed/000.h5"
    with killed_at_noise(monkeypatch, last=8):  # of four samples, after the first level
        run_job(inputs, resumed, [0, 1])
    assert not resumed.exists()
    assert len(list((resumed.parent / ".state").iterdir())) == 1
    run_job(inputs, resumed, [0, 1])
    for name, samples in samples_in(resumed).items():
        np.testing.assert_array_equal(samples, of_one[name])
    assert not (resumed.parent / ".state").exists()
    evaluations = [float(read_table(file.with_suffix(".csv"))[0]["decoder_evaluations"]) for file in (whole, resumed)]
    assert evaluations[1] == pytest.approx(evaluations[0])


@pytest.mark.slow
def test_a_job_goes_on_from_no_other_job_s_state(inputs, whole, tmp_path, monkeypatch):
    output = tmp_path / "000.h5"
    with killed_at_noise(monkeypatch, last=8):
        run_job(inputs, output, [0, 1], seed=1)
    run_job(inputs, output, [0, 1])
    for name, samples in samples_in(output).items():
        np.testing.assert_array_equal(samples, samples_in(whole)[name])
    assert len(list((tmp_path / ".state").iterdir())) == 1  # of the other seed, which may go on
