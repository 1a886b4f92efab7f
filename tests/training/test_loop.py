import os
import signal
import time

import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file, save_file
from step.config.priors import Optimisation
from step.errors import InputError, Interrupted
from step.training import loop
from step.training.loop import Objective, train
from step.training.state import read_kept, remove_older_states

STEPS = 12


def optimisation(**changes) -> Optimisation:
    values = {
        "epochs": 3,
        "batch_size": 4,
        "learning_rate": 1e-2,
        "schedule": "cosine",
        "warmup_steps": 2,
        "ema_decay": 0.9,
        "gradient_norm": 1.0,
        "precision": "no",
        "checkpoint_minutes": 60,
        "tensorboard": False,
    }
    return Optimisation(**(values | changes))


def objective(stop_at: int | None = None, nan_at: int | None = None) -> Objective:
    """Fit a line to noisy points; ask for a stop, or give a NaN, when batch `stop_at` or `nan_at` is made."""

    def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        if step == stop_at:
            os.kill(os.getpid(), signal.SIGTERM)
        generator = torch.Generator().manual_seed(step)
        x = torch.randn(4, 1, generator=generator)
        return x, 3 * x + 1 + (float("nan") if step == nan_at else 0.0)

    def loss(network: torch.nn.Module, example: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return (network(example[0]) - example[1]).square().mean()

    return Objective(batch, loss, lambda average: float(loss(average, batch(10**6)).detach()))


def fit(state_file, objective: Objective, settings: Optimisation | None = None, kept_steps=(), steps: int = STEPS):
    torch.manual_seed(0)
    network = torch.nn.Linear(1, 1)
    return train(
        network, objective, settings or optimisation(), steps, 4, state_file, Accelerator(cpu=True), kept_steps
    )


def test_a_run_that_was_stopped_and_resumed_ends_with_the_same_weights_and_losses(tmp_path):
    whole, losses = fit(tmp_path / "whole/state.safetensors", objective())
    stopped = tmp_path / "stopped/state.safetensors"
    with pytest.raises(Interrupted, match="goes on from there"):
        fit(stopped, objective(stop_at=6))
    resumed, resumed_losses = fit(stopped, objective())
    for name, parameter in whole.state_dict().items():
        assert torch.equal(parameter, resumed.state_dict()[name])
    assert losses == resumed_losses
    assert [row["step"] for row in losses.rows] == list(range(1, STEPS + 1))


@pytest.mark.slow
def test_a_network_with_its_channels_innermost_resumes_to_the_same_weights(tmp_path):
    """Adam's one kernel goes through weights and moments as they lie in memory, so they must lie alike."""

    def images(step: int) -> torch.Tensor:
        return torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(step))

    def fit_convolution(state_file, stop_at: int | None):
        def batch(step: int) -> torch.Tensor:
            if step == stop_at:
                os.kill(os.getpid(), signal.SIGTERM)
            return images(step)

        torch.manual_seed(0)
        network = torch.nn.Conv2d(3, 3, 3, padding=1).to(memory_format=torch.channels_last)
        fitted = Objective(batch, lambda network, x: (network(x) - x).square().mean(), lambda average: 0.0)
        return train(network, fitted, optimisation(), STEPS, 4, state_file, Accelerator(cpu=True))[0]

    whole = fit_convolution(tmp_path / "whole/state.safetensors", None)
    with pytest.raises(Interrupted):
        fit_convolution(tmp_path / "stopped/state.safetensors", 6)
    assert torch.equal(whole.weight, fit_convolution(tmp_path / "stopped/state.safetensors", None).weight)


@pytest.mark.slow
def test_a_run_killed_without_warning_goes_on_from_its_last_checkpoint(tmp_path):
    class Killed(BaseException):
        """Stands for SIGKILL: nothing of the run's own gets to act."""

    def batch(step: int):
        if step == 8:
            raise Killed
        return objective().batch(step)

    plain = objective()
    whole, _ = fit(tmp_path / "whole/state.safetensors", plain)
    state_file = tmp_path / "killed/state.safetensors"
    often = optimisation(checkpoint_minutes=1e-9)
    with pytest.raises(Killed):
        fit(state_file, Objective(batch, plain.loss, plain.validation_loss), often)
    assert state_file.exists()
    resumed, _ = fit(state_file, plain, often)
    assert torch.equal(whole.weight, resumed.weight)


def test_a_resumed_run_does_not_repeat_the_steps_that_were_done(tmp_path):
    state_file = tmp_path / "state.safetensors"
    with pytest.raises(Interrupted):
        fit(state_file, objective(stop_at=6))
    made = []
    plain = objective()
    fit(
        state_file,
        Objective(lambda step: made.append(step) or plain.batch(step), plain.loss, plain.validation_loss),
    )
    assert min(made) >= 6


@pytest.mark.slow
def test_waiting_for_batches_is_told_apart_from_learning_and_goes_on_counting_in_the_next_run(tmp_path):
    quick = objective()

    def wait(step: int) -> object:
        time.sleep(0.05)
        return quick.batch(step)

    def learn(network: torch.nn.Module, example: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        time.sleep(0.05)
        return quick.loss(network, example)

    def share(name: str, asked: Objective) -> float:
        _, history = fit(tmp_path / name / "state.safetensors", asked)
        return history.waited / history.seconds

    assert share("slow data", Objective(wait, quick.loss, quick.validation_loss)) > 0.8
    assert share("slow network", Objective(quick.batch, learn, quick.validation_loss)) < 0.2
    # The next batch is made while this one is used: as long for both is no wait but the first.
    assert share("both", Objective(wait, learn, quick.validation_loss)) < 0.5
    stopped = tmp_path / "slow data/state.safetensors"
    _, again = fit(stopped, Objective(wait, quick.loss, quick.validation_loss))
    assert again.waited > 0.8 * again.seconds > 0


def test_a_damaged_state_is_one_clear_line(tmp_path):
    state_file = tmp_path / "state.safetensors"
    state_file.write_bytes(b"not a state")
    with pytest.raises(InputError, match=r"state\.safetensors is damaged .* delete it to start over"):
        fit(state_file, objective())


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_no_state_of_it(tmp_path):
    state_file = tmp_path / "state.safetensors"
    with pytest.raises(FloatingPointError, match="the loss is nan at step 4 of 12"):
        fit(state_file, objective(nan_at=3))
    assert not state_file.exists()


@pytest.fixture
def reads(monkeypatch) -> list[int]:
    """How many losses each reading brought: every fifth step, as where a device has to finish its work for one."""
    found, reduce = [], Accelerator.reduce
    monkeypatch.setattr(loop, "READ_EVERY", {"cpu": 5})

    def counted(self, tensor, *arguments):
        found.append(len(tensor) - 1)  # whether a stop was asked for is there too
        return reduce(self, tensor, *arguments)

    monkeypatch.setattr(Accelerator, "reduce", counted)
    return found


@pytest.mark.slow
def test_losses_that_are_read_every_few_steps_are_those_of_every_step(tmp_path, reads, monkeypatch):
    seldom, losses = fit(tmp_path / "seldom.safetensors", objective(), steps=600)
    assert len(reads) == 120 + 50 - 10  # every fifth step, and every twelfth; every sixtieth is both
    assert sum(reads) == 600
    monkeypatch.setattr(loop, "READ_EVERY", {"cpu": 1})
    always, losses_of_every_step = fit(tmp_path / "always.safetensors", objective(), steps=600)
    assert torch.equal(seldom.weight, always.weight)
    assert losses == losses_of_every_step


@pytest.mark.slow
def test_a_loss_that_is_read_later_is_named_by_its_step_and_no_state_is_kept_of_it(tmp_path, reads):
    state_file = tmp_path / "state.safetensors"
    with pytest.raises(FloatingPointError, match="the loss is nan at step 302 of 600"):
        fit(state_file, objective(nan_at=301), optimisation(checkpoint_minutes=1e-9), steps=600)
    assert load_file(state_file)["network.weight"].isfinite().all()


@pytest.mark.slow
def test_a_stop_between_two_readings_is_heeded_at_once_and_resumes_the_same(tmp_path, reads):
    whole, losses = fit(tmp_path / "whole.safetensors", objective(), steps=600)
    stopped = tmp_path / "stopped.safetensors"
    with pytest.raises(Interrupted, match=r"stopped at step 30[23] of 600"):  # a batch is made a step ahead
        fit(stopped, objective(stop_at=302), steps=600)
    resumed, losses_of_resumed = fit(stopped, objective(), steps=600)
    assert torch.equal(resumed.weight, whole.weight)
    assert losses_of_resumed == losses


def test_the_fit_learns_and_the_average_is_what_comes_back(tmp_path):
    average, losses = fit(tmp_path / "state.safetensors", objective(), optimisation(learning_rate=0.5))
    assert losses.rows[-1]["loss"] < 0.2 * losses.rows[0]["loss"]
    assert losses.rows[-1]["learning_rate"] < losses.rows[4]["learning_rate"]
    assert average.weight.item() != pytest.approx(0.0)


def test_what_the_average_was_earlier_is_kept_although_the_run_was_stopped(tmp_path):
    constant = optimisation(schedule="constant")
    stopped = tmp_path / "stopped/state.safetensors"
    with pytest.raises(Interrupted):
        fit(stopped, objective(stop_at=6), constant, kept_steps=(0, 4, 9))
    last, _ = fit(stopped, objective(), constant, kept_steps=(0, 4, 9))
    for step in (4, 9):
        shorter, _ = fit(tmp_path / f"{step}/state.safetensors", objective(), constant, steps=step)
        assert torch.equal(read_kept(stopped, step, last).weight, shorter.weight)
    torch.manual_seed(0)
    assert torch.equal(read_kept(stopped, 0, last).weight, torch.nn.Linear(1, 1).weight)


def test_a_complete_run_gives_its_weights_back_without_a_step_more(tmp_path):
    state_file = tmp_path / "state.safetensors"
    whole, losses = fit(state_file, objective(), kept_steps=(4,))
    kept = read_kept(state_file, 4, whole)
    again, losses_again = fit(state_file, objective(nan_at=0), kept_steps=(4,))  # no step could be made
    assert torch.equal(whole.weight, again.weight)
    assert losses == losses_again
    assert torch.equal(kept.weight, read_kept(state_file, 4, again).weight)


@pytest.mark.slow
def test_of_other_runs_only_the_complete_ones_are_forgotten(tmp_path):
    complete, stopped, damaged, own = (
        tmp_path / f"{name}.safetensors" for name in ("complete", "stopped", "damaged", "own")
    )
    for state_file in (complete, own):
        fit(state_file, objective(), kept_steps=(4,))
    with pytest.raises(Interrupted):
        fit(stopped, objective(stop_at=6), kept_steps=(4,))
    damaged.write_bytes(b"not a state")
    save_file({"weight": torch.ones(1)}, tmp_path / "other.safetensors")
    remove_older_states(own)
    left = {path.stem for path in tmp_path.glob("*.safetensors")}
    assert left == {"own", "stopped", "damaged", "other"}
    assert {path.stem for path in tmp_path.glob("*.kept")} == {"own", "stopped"}


def test_weights_that_were_kept_and_lost_are_one_clear_line(tmp_path):
    state_file = tmp_path / "state.safetensors"
    last, _ = fit(state_file, objective())
    with pytest.raises(InputError, match=r"4\.safetensors are lost .* to start over"):
        read_kept(state_file, 4, last)
