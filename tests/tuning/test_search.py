"""The search for values on a made-up score whose maximum is known."""

import math
from pathlib import Path

import numpy as np
import pytest
from step.config.tasks import Likelihood, Mcmc
from step.config.tuning import Search, Space
from step.errors import InputError, Interrupted
from step.tuning.search import Bounds, Trial, best_trial, bounds_around, estimated_means, search

VIDEOS = ("easy", "middle", "hard")
LEVEL = {"easy": 40.0, "middle": 30.0, "hard": 20.0}
START = {"step_size_squared": 1e-3, "damping": 0.0}
BOUNDS = {"step_size_squared": Bounds(1e-4, 1e-2, log=True), "damping": Bounds(0.0, 0.9, log=False)}


class Killed(BaseException):
    """What ends a process at once: nothing that a search catches."""


def score(values: dict[str, float], video: str) -> float:
    """Return a score that is highest for a step size of 4e-3 and a damping of 0.6, below a level for each video."""
    distance = math.log(values["step_size_squared"] / 4e-3) ** 2 + 4 * (values["damping"] - 0.6) ** 2
    return LEVEL[video] - distance


def settings(trials: int = 25, percentile: float | None = None, startup_trials: int = 8, fewest: int = 1) -> Search:
    pruning = None if percentile is None else {"percentile": percentile, "startup_trials": 3, "videos": fewest}
    return Search(trials=trials, startup_trials=startup_trials, pruning=pruning, space=space())


def space(**changes) -> Space:
    ranges = dict.fromkeys(Space.model_fields) | {"own": {}, "step_size_squared": [0.1, 10], "damping": [0.0, 0.9]}
    return Space(**ranges | changes)


def searchable(**changes) -> dict[str, object]:
    values = {
        "algorithm": "damped",
        "steps": 1,
        "damping": 0.0,
        "acceptance": 0.65,
        "step_size_squared": 1e-3,
        "step_decay": 0.01,
        "prior_score": "exact",
        "prior_score_every": 1,
        "prior_score_sigma": 0.01,
        "gaussian_width": 1.0,
        "limit_step_to_sigma": False,
    }
    own = {"noise_level": 0.1, "gradient_bound": None}
    likelihood = Likelihood(**own | {key: changes.pop(key) for key in own if key in changes})
    return dict(Mcmc(**values | changes)) | dict(likelihood)


def run(folder: Path, chosen: Search, function=score, seed: int = 0, stop_requested=lambda: False) -> list[Trial]:
    return search(function, VIDEOS, START, BOUNDS, chosen, seed, folder / "state.journal", stop_requested)


def what_was_tried(trials: list[Trial]) -> list[tuple]:
    return [(trial.number, trial.state, dict(trial.values), trial.scores, trial.reason) for trial in trials]


@pytest.mark.slow
def test_the_first_trial_is_the_start_and_the_best_one_is_near_the_maximum(tmp_path):
    trials = run(tmp_path, settings())
    assert trials[0].values == START
    assert [trial.number for trial in trials] == list(range(1, 26))
    best = best_trial(trials)
    assert trials[0].mean == pytest.approx(30 - math.log(4) ** 2 - 4 * 0.36)
    assert best.mean > 29.8  # of 30, from 26.6
    assert best.values["step_size_squared"] == pytest.approx(4e-3, rel=0.5)
    for name, bounds in BOUNDS.items():
        assert all(bounds.low <= trial.values[name] <= bounds.high for trial in trials)


@pytest.mark.slow
def test_later_trials_are_nearer_to_the_maximum_than_the_random_ones(tmp_path):
    trials = run(tmp_path, settings(trials=30))
    assert np.mean([t.mean for t in trials[20:]]) > np.mean([t.mean for t in trials[1:8]]) + 1


@pytest.mark.slow
def test_another_seed_tries_other_values(tmp_path):
    first, second = (run(tmp_path / str(seed), settings(trials=3), seed=seed) for seed in (0, 1))
    assert first[0].values == second[0].values
    assert first[1].values != second[1].values


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> list[Trial]:
    """Return the trials of a search that nothing has ended early."""
    trials = run(tmp_path_factory.mktemp("whole"), settings(trials=12, percentile=75.0))
    assert {trial.state for trial in trials} == {"complete", "pruned"}
    return trials


@pytest.mark.slow
@pytest.mark.parametrize("kill_at", [1, 3, 20, 27])
def test_a_search_that_was_killed_and_goes_on_tries_the_same_as_one_that_was_not(tmp_path, whole, kill_at):
    chosen = settings(trials=12, percentile=75.0)
    calls = iter(range(1, 10**6))

    def score_until_killed(values, video):
        if next(calls) == kill_at:
            raise Killed
        return score(values, video)

    with pytest.raises(Killed):
        run(tmp_path, chosen, score_until_killed)
    assert what_was_tried(run(tmp_path, chosen, score_until_killed)) == what_was_tried(whole)


@pytest.mark.slow
@pytest.mark.parametrize("torn", [1, 40])
def test_a_journal_that_a_kill_tore_within_its_last_line_is_gone_on_with(tmp_path, whole, torn):
    run(tmp_path, settings(trials=4, percentile=75.0))
    journal = tmp_path / "state.journal"
    journal.write_bytes(journal.read_bytes()[:-torn])
    assert what_was_tried(run(tmp_path, settings(trials=6, percentile=75.0))) == what_was_tried(whole)[:6]


@pytest.mark.slow
def test_a_stop_is_an_interruption_after_which_the_search_goes_on(tmp_path):
    scored = []

    def counted(values, video):
        scored.append(video)
        return score(values, video)

    with pytest.raises(Interrupted, match="trial 3 of 5; the same command goes on"):
        run(tmp_path, settings(trials=5), counted, stop_requested=lambda: len(scored) == 7)
    assert len(scored) == 7
    assert what_was_tried(run(tmp_path, settings(trials=5), counted)) == what_was_tried(
        run(tmp_path / "whole", settings(trials=5))
    )
    assert len(scored) == 7 + 9  # the two trials that were complete are not repeated


@pytest.mark.slow
def test_more_trials_go_on_from_fewer_and_fewer_are_the_first_of_them(tmp_path, whole):
    few, more = (settings(trials=trials, percentile=75.0) for trials in (5, 12))
    for chosen in (few, more, few):
        assert what_was_tried(run(tmp_path, chosen)) == what_was_tried(whole)[: chosen.trials]


@pytest.mark.slow
def test_a_trial_below_the_median_of_the_finished_ones_is_stopped_after_its_first_video(tmp_path):
    trials = run(tmp_path, settings(trials=20, percentile=50.0))
    finished = []
    for trial in trials:
        behind = len(finished) >= 3 and trial.scores[0] < np.median(finished)
        assert trial.state == ("pruned" if behind else "complete")
        assert len(trial.scores) == (1 if behind else 3)
        if behind:
            assert trial.reason == "behind the finished trials after 1 of the videos"
        else:
            finished.append(trial.scores[0])
    assert len(finished) < len(trials)


@pytest.mark.slow
def test_pruning_waits_for_as_many_videos_as_it_is_told_and_can_be_left_out(tmp_path):
    for fewest, percentile, lengths in ((2, 75.0, {2, 3}), (1, None, {3})):
        trials = run(tmp_path / str(fewest), settings(trials=12, percentile=percentile, fewest=fewest))
        assert {len(trial.scores) for trial in trials} == lengths


@pytest.mark.slow
def test_a_trial_that_is_bad_on_a_later_video_is_stopped_although_its_first_was_easy(tmp_path):
    def steadily_worse(values, video):
        bad = {"easy": 0, "middle": 100, "hard": 100}[video] * (values["damping"] > 0.3)
        return LEVEL[video] - bad

    trials = run(tmp_path, settings(percentile=50.0, startup_trials=25), steadily_worse)
    lengths = {len(trial.scores) for trial in trials[8:] if trial.values["damping"] > 0.3}
    assert lengths == {2}


@pytest.mark.slow
def test_trials_that_diverge_or_score_nan_have_failed_with_their_reason_and_never_win(tmp_path):
    def fragile(values, video):
        if values["damping"] > 0.5 and video == "middle":
            raise FloatingPointError("nan at step 3")
        return math.nan if values["step_size_squared"] > 3e-3 else score(values, video)

    trials = run(tmp_path, settings(trials=20), fragile)
    failed = [trial for trial in trials if trial.state == "failed"]
    reasons = {trial.reason for trial in failed}
    assert reasons == {"middle: nan at step 3", "easy: the score is nan"}
    assert all(len(trial.scores) == (1 if "step 3" in trial.reason else 0) for trial in failed)
    best = best_trial(trials)
    assert best.state == "complete"
    assert best.values["damping"] <= 0.5
    assert best.values["step_size_squared"] <= 3e-3
    assert what_was_tried(run(tmp_path, settings(trials=20), fragile)) == what_was_tried(trials)


@pytest.mark.slow
def test_the_search_turns_away_from_where_trials_fail(tmp_path):
    def cliff(values, video):
        if values["step_size_squared"] > 2e-3:
            raise FloatingPointError("nan")
        return score(values, video)

    trials = run(tmp_path, settings(trials=30), cliff)
    assert sum(trial.state == "failed" for trial in trials[15:]) <= 8  # all 15 where failures are passed over
    assert best_trial(trials).mean > 29


def test_where_nothing_is_better_the_start_is_the_best():
    def trial(number, state, *scores):
        return Trial(number, state, {"damping": number}, scores, 1.0, "")

    start = trial(1, "complete", 30.0, 20.0)
    assert best_trial([start, trial(2, "complete", 20.0, 30.0), trial(3, "pruned", 40.0)]) is start
    failed = trial(1, "failed")
    assert best_trial([failed, trial(2, "pruned", 40.0)]) is failed
    better = trial(2, "complete", 1.0, 1.0)
    assert best_trial([failed, better]) is better


def test_a_stopped_trial_is_estimated_by_how_far_it_is_from_the_others_on_its_videos():
    values = {"damping": 0.1}
    complete = [Trial(n, "complete", values, tuple(level + n for level in (40.0, 30.0, 20.0)), 1.0, "") for n in (1, 3)]
    pruned = Trial(2, "pruned", values, (41.5,), 1.0, "")
    failed = Trial(4, "failed", values, (), 1.0, "nan")
    assert estimated_means([complete[0], pruned, complete[1], failed]) == pytest.approx(
        [31.0, 31.5, 33.0, math.nan], nan_ok=True
    )
    assert np.isnan(estimated_means([failed, pruned])).all()


def test_ranges_are_multiples_of_the_own_value_and_bounds_of_the_damping():
    chosen = space(noise_level=[0.5, 4], gradient_bound=[0.1, 10])
    bounds = bounds_around(searchable(), chosen)
    assert bounds == {
        "step_size_squared": Bounds(pytest.approx(1e-4), pytest.approx(1e-2), log=True),
        "damping": Bounds(0.0, 0.9, log=False),
        "noise_level": Bounds(pytest.approx(0.05), pytest.approx(0.4), log=True),
    }
    assert bounds_around(searchable(gradient_bound=2.0), chosen)["gradient_bound"] == Bounds(0.2, 20.0, log=True)


def test_an_own_damping_outside_its_range_is_refused():
    with pytest.raises(InputError, match=r"damping is 0\.95, tuning\.space\.damping goes from 0 to 0\.9; widen it"):
        bounds_around(searchable(damping=0.95), space())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"step_size_squared": [2.0, 10.0]}, "less than or equal to 1"),
        ({"noise_level": [1.0, 1.0]}, "noise_level goes from 1 to 1"),
        ({"damping": [0.5, 0.2]}, "damping goes from 0.5 to 0.2"),
        ({"damping": None, "step_size_squared": None}, "all values are null"),
    ],
)
def test_a_space_that_leaves_no_room_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        space(**changes)
