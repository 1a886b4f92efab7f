"""Where there is no terminal, whatever takes more than a minute says how far it is every half minute."""

import logging
import time

import pytest
import step.progress
import torch
from accelerate import Accelerator
from gaussians import SHAPE, GaussianPrior, LinearGaussianModel
from step.__main__ import main
from step.config.priors import Optimisation
from step.config.study import load_config
from step.progress import EVERY_S, Progress, Reporter, in_words, rate_in_words, track
from step.sampling.daps import sample_posterior
from step.sampling.noise.independent import IndependentNoise
from step.sampling.posterior import LatentLikelihood
from step.training.loop import Objective, train


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def reporter(clock, lines, monkeypatch) -> Reporter:
    """The reporter of this process, with a clock that stands still unless it is set."""
    reporter = Reporter(lambda line, has_bar: lines.append(line), clock)
    monkeypatch.setattr(step.progress, "REPORTER", reporter)
    return reporter


def spend(seconds: int, clock: Clock, reporter: Reporter) -> None:
    """Let `seconds` pass, in each of which the reporter looks whether a line is due."""
    for _ in range(seconds):
        clock.now += 1
        reporter.write_if_due()


def test_a_line_comes_every_half_minute_and_says_how_far_how_fast_and_how_long(clock, lines, reporter):
    with Progress("training joint", 4000, "step") as progress:
        for number in range(4000):
            if number % 40 == 0:
                spend(1, clock, reporter)
            progress.note(loss=0.0123456)
            progress.advance()
    assert lines == [
        "training joint: step 1161 of 4000, 39 steps/s, loss 0.01235, 1 min 13 s left",
        "training joint: step 2361 of 4000, 39 steps/s, loss 0.01235, 42 s left",
        "training joint: step 3561 of 4000, 40 steps/s, loss 0.01235, 11 s left",
        "training joint: done, 4000 steps in 1 min 40 s, loss 0.01235",
    ]


def test_what_is_done_within_half_a_minute_writes_nothing(clock, lines, reporter):
    for _ in track(range(29), "split", "file"):
        spend(1, clock, reporter)
    assert lines == []


def test_a_single_long_call_is_no_silence(clock, lines, reporter):
    with Progress("modes"):
        spend(95, clock, reporter)
    assert lines == [f"modes: at work for {text}" for text in ("30 s", "1 min", "1 min 30 s")]


def test_what_goes_on_within_an_item_is_told_and_counts_as_its_part(clock, lines, reporter):
    with Progress("sample"), Progress("sampling mri8", 4, "level") as levels:
        levels.advance()
        levels.note(misfit=2.5)
        with Progress("Markov chain", 200, "step") as chain:
            chain.advance(100)
            spend(30, clock, reporter)
    assert lines[0] == (
        "sampling mri8: level 2 of 4, 3.0 levels/min, misfit 2.5, 50 s left; Markov chain: step 101 of 200"
    )


def test_a_small_part_of_an_item_does_not_count_as_its_time(clock, lines, reporter):
    with Progress("sampling", 4, "level") as levels:
        levels.advance()
        for _ in track(range(1), "PF-ODE", "step", is_item=False):
            spend(30, clock, reporter)
    assert lines[0] == "sampling: level 2 of 4, 2.0 levels/min, 1 min 30 s left; PF-ODE: step 1 of 1"


def test_a_resumed_run_is_as_fast_as_what_it_did_itself(clock, lines, reporter):
    with Progress("training", 1000, "step", done=900) as progress:
        progress.advance(50)
        spend(30, clock, reporter)
    assert lines[0] == "training: step 951 of 1000, 1.7 steps/s, 30 s left"
    assert lines[1] == "training: done, 50 steps in 30 s"


def test_what_fails_is_not_called_done(clock, lines, reporter):
    def fail() -> None:
        with Progress("training", 10, "step"):
            spend(31, clock, reporter)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert lines == ["training: step 1 of 10"]


def test_a_loop_that_an_error_left_unfinished_is_not_reported_on_any_more(clock, lines, reporter):
    with Progress("tune"):
        with Progress("trial"):
            left = track(range(5), "sampling", "level")
            next(left)
        spend(30, clock, reporter)
    left.close()
    assert lines == ["tune: at work for 30 s"]


def test_durations_and_rates_are_in_words():
    texts = [in_words(seconds) for seconds in (0.4, 59.6, 60, 80, 3600, 7500, 360000)]
    assert texts == ["0 s", "1 min", "1 min", "1 min 20 s", "1 h", "2 h 5 min", "100 h"]
    rates = [rate_in_words(per_second, "level") for per_second in (35.2, 1.04, 0.5, 0.001)]
    assert rates == ["35 levels/s", "1.0 levels/s", "30 levels/min", "3.6 levels/h"]


@pytest.mark.slow
def test_a_thread_writes_although_the_work_never_says_anything(monkeypatch, caplog):
    monkeypatch.setattr(step.progress, "EVERY_S", 0.05)
    with caplog.at_level(logging.INFO, "step.progress"), Progress("prepare", reporter=Reporter()):
        time.sleep(0.4)
    assert 3 <= len(caplog.messages) <= 8
    assert set(caplog.messages) == {"prepare: at work for 0 s"}


def test_every_stage_of_the_command_line_is_followed(monkeypatch, tmp_path):
    """So that none is silent, whether or not it counts what it does."""
    followed = []
    monkeypatch.setattr(Reporter, "begin", lambda self, progress: followed.append(progress.what))
    monkeypatch.setattr(Reporter, "end", lambda self, progress, is_complete: None)
    main(["fetch_weights", "--settings", "{}", "--checksums", "none.csv", "--output", str(tmp_path / "none")])
    assert followed[0] == "fetch_weights"


def test_a_loop_pays_less_than_a_microsecond_for_an_item():
    items = range(200_000)

    def seconds(loop) -> float:
        started = time.perf_counter()
        for _ in loop:
            pass
        return time.perf_counter() - started

    with Progress("stage"):
        costs = [seconds(track(items, "chain", "step")) - seconds(items) for _ in range(3)]
    assert min(costs) / len(items) < 1e-6
    assert EVERY_S == 30


@pytest.mark.slow
def test_the_sampler_says_how_far_it_is_within_a_level(clock, lines, reporter):
    class SlowPrior(GaussianPrior):
        def decode(self, latent: torch.Tensor) -> torch.Tensor:
            spend(1, clock, reporter)
            return latent

    sampler = load_config().tasks["mri8"].sampler
    levels = sampler.annealing.model_copy(update={"levels": 2})
    mcmc = sampler.mcmc.model_copy(update={"steps": 50, "step_size_squared": 1e-6, "prior_score": "frozen"})
    settings = sampler.model_copy(update={"annealing": levels, "mcmc": mcmc})
    forward_model = LinearGaussianModel(0.4)
    measurement = {"y": torch.zeros(1, SHAPE[0], SHAPE[2], 2)}
    likelihood = LatentLikelihood(SlowPrior(), forward_model, measurement, 1, 2, None)
    noise, generators = [IndependentNoise()], [torch.Generator().manual_seed(0)]
    sample_posterior(SlowPrior(), likelihood, noise, generators, settings, torch.device("cpu"), "sampling mri8")
    assert lines[0].startswith("sampling mri8: level 1 of 2")
    assert lines[0].endswith("left; Markov chain: step 30 of 50")
    assert "misfit" in lines[1]
    assert len(lines) == 100 // 30 + 1  # and the last one


@pytest.mark.slow
def test_a_training_says_how_far_it_is(clock, lines, reporter, tmp_path):
    def loss(network: torch.nn.Module, example: torch.Tensor) -> torch.Tensor:
        spend(10, clock, reporter)
        return network(example).square().mean()

    torch.manual_seed(0)
    slow = Objective(lambda step: torch.ones(4, 1), loss, lambda average: 0.0)
    state = tmp_path / "joint/state.safetensors"
    settings: Optimisation = load_config().priors["mri"].joint.optimisation
    train(torch.nn.Linear(1, 1), slow, settings, 12, 4, state, Accelerator(cpu=True))
    assert len(lines) == 120 // 30 + 1
    assert lines[1].startswith("training joint: step 6 of 12, 5.0 steps/min, loss ")
    assert lines[1].endswith(", 1 min 24 s left")
