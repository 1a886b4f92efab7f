"""A search for the values that score best on some videos: pruned, and resumable after a kill at any moment."""

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import optuna
from optuna.distributions import FloatDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState

from step.config.tuning import OWN, Budget, Multiples, Pruning, Space
from step.errors import InputError, Interrupted
from step.progress import Progress
from step.seeds import derive_seed

log = logging.getLogger(__name__)

STUDY = "tuning"
"""The study's name in its file, which holds no other."""

LINEAR = "damping"
"""The value that is searched between bounds of its own, linearly; the others are scales."""

ENDED = (TrialState.COMPLETE, TrialState.PRUNED)
"""What Optuna calls trials that have ended by themselves; one that a kill ended it is told to have failed."""

Score = Callable[[Mapping[str, float], str], float]
"""Returns how good values are on one video, the larger the better; raises `FloatingPointError` where they diverge."""


State = Literal["complete", "pruned", "failed"]


@dataclass(frozen=True)
class Bounds:
    """Where one value is searched."""

    low: float
    high: float
    log: bool


@dataclass(frozen=True)
class Trial:
    """One set of values, and what came of it."""

    number: int  # 1 on; 1 are the values that the search starts from
    state: State
    values: Mapping[str, float]
    scores: tuple[float, ...]  # of the first videos; of all of them where it is complete
    seconds: float
    reason: str  # why it failed or was stopped; '' for neither

    @property
    def mean(self) -> float:
        """The mean score of the videos so far; nan for none."""
        return float(np.mean(self.scores)) if self.scores else math.nan


def bounds_around(start: Mapping[str, object], space: Space) -> dict[str, Bounds]:
    """Return where each value is searched: what `space` has a range of, and `start` a value.

    Raises `InputError` where the damping of `start` is not in its range, or a sampler has no such value of its own.
    """
    bounds = {}
    for name, (low, high) in space.ranges.items():
        own = start.get(name)
        if name.startswith(OWN) and not isinstance(own, int | float):
            raise InputError(
                f"tuning.space.{name} has a range, the sampler no such number; it has "
                f"{[key for key in start if key.startswith(OWN)] or 'none of its own'}"
            )
        if not isinstance(own, int | float):
            continue
        if name != LINEAR:
            bounds[name] = Bounds(own * low, own * high, log=True)
        elif low <= own <= high:
            bounds[name] = Bounds(low, high, log=False)
        else:
            raise InputError(
                f"{name} is {own:g}, tuning.space.{name} goes from {low:g} to {high:g}; widen it so that the search "
                "can start there"
            )
    return bounds


def multiples_around(start: Mapping[str, object], multiples: Multiples, key: str) -> dict[str, Bounds]:
    """Return where each of `multiples` of the values `start` is searched.

    Raises `InputError`, naming the `key` of the configuration, where `start` has no such number to be a multiple of.
    """
    bounds = {}
    for name, (low, high) in multiples.ranges.items():
        own = start.get(name)
        if not isinstance(own, float) or own <= 0:
            raise InputError(
                f"{key}.{name} has a range, and the value {own!r} no multiples; search numbers above 0 that are not "
                f"whole, of {[name for name, value in start.items() if isinstance(value, float)]}"
            )
        bounds[name] = Bounds(own * low, own * high, log=True)
    return bounds


def search(
    score: Score,
    videos: Sequence[str],
    start: Mapping[str, float],
    bounds: Mapping[str, Bounds],
    settings: Budget,
    seed: int,
    file: Path,
    stop_requested: Callable[[], bool],
) -> list[Trial]:
    """Return the trials, in their order: that of `start` first, then those of a tree-structured Parzen estimator.

    What was tried is in `file`, and a search that finds it there goes on from it. The values of a trial depend on
    `seed`, on its number and on the trials before it, so that a search that was killed tries the same values as one
    that was not. Raises `Interrupted` after the video during which a stop was requested.
    """
    study = _open_study(file, settings.pruning)
    for killed in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(killed.number, state=TrialState.FAIL)
    trials = _trials(study)
    if trials:
        log.info("going on after %d trials from %s", len(trials), file)
    progress = Progress("tuning", settings.trials, "trial", len(trials))
    for _ in progress.through(range(len(trials), settings.trials)):
        if not trials and not study.get_trials(states=(TrialState.WAITING,)):
            study.enqueue_trial(dict(start))
        number = len(trials) + 1
        study.sampler = optuna.samplers.TPESampler(
            n_startup_trials=settings.startup_trials, seed=derive_seed(seed, "trial", number) % 2**32
        )
        trial = study.ask({name: FloatDistribution(one.low, one.high, log=one.log) for name, one in bounds.items()})
        if not _run_trial(study, trial, score, videos, stop_requested):
            raise Interrupted(f"stopped in trial {number} of {settings.trials}; the same command goes on from there")
        trials = _trials(study)
        _report(trials, settings.trials)
        progress.note(best=best_trial(trials).mean)
    return trials[: settings.trials]


def best_trial(trials: Sequence[Trial]) -> Trial:
    """Return the complete trial with the highest mean, the first of equals; the first trial where none is complete."""
    complete = [trial for trial in trials if trial.state == "complete"]
    return max(complete, key=lambda trial: trial.mean, default=trials[0])


def estimated_means(trials: Sequence[Trial]) -> list[float]:
    """Return the mean score over all videos of each trial, estimated where it was stopped; nan where it failed.

    Videos differ more than trials do: a stopped trial is put as far from the mean of the complete ones as it is on
    the videos that it has. nan for it too, where none is complete.
    """
    complete = np.array([trial.scores for trial in trials if trial.state == "complete"])
    means = []
    for trial in trials:
        if trial.state == "failed" or not len(complete):
            means.append(math.nan)
        elif trial.state == "complete":
            means.append(trial.mean)
        else:
            means.append(float(complete.mean() + trial.mean - complete[:, : len(trial.scores)].mean()))
    return means


class BelowPercentile(optuna.pruners.BasePruner):
    """Stops a trial whose mean over the videos so far is below a percentile of the finished trials' over the same.

    Optuna's own pruner compares the best of a trial's reports: that of an easy first video would save it for good.
    """

    def __init__(self, settings: Pruning):
        self._settings = settings

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Return whether `trial` is to be stopped."""
        finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        n_videos = len(trial.intermediate_values)
        if len(finished) < self._settings.startup_trials or n_videos < self._settings.videos:
            return False
        means = [one.intermediate_values[n_videos] for one in finished]
        return bool(trial.intermediate_values[n_videos] < np.percentile(means, self._settings.percentile))


def _open_study(file: Path, pruning: Pruning | None) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    file.parent.mkdir(parents=True, exist_ok=True)
    _cut_torn_line(file)
    journal = str(file.resolve())
    storage = JournalStorage(JournalFileBackend(journal, JournalFileOpenLock(journal)))
    pruner = BelowPercentile(pruning) if pruning else optuna.pruners.NopPruner()
    return optuna.create_study(
        storage=storage, study_name=STUDY, direction="maximize", load_if_exists=True, pruner=pruner
    )


def _cut_torn_line(file: Path) -> None:
    """Cut the end off a journal that a kill left within a line; Optuna would write on in the same line."""
    if file.exists():
        content = file.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            with file.open("r+b") as journal:
                journal.truncate(len(whole))


def _run_trial(
    study: optuna.Study,
    trial: optuna.Trial,
    score: Score,
    videos: Sequence[str],
    stop_requested: Callable[[], bool],
) -> bool:
    """Score the videos one by one and record what comes of it; return False where a stop was requested before.

    To Optuna a failure is a trial that was stopped: it passes over failed ones, and would try values near them again.
    """
    started = time.monotonic()
    scores: list[float] = []

    def end(state: TrialState, failure: str = "") -> bool:
        trial.set_user_attr("scores", scores)
        trial.set_user_attr("seconds", time.monotonic() - started)
        trial.set_user_attr("failure", failure)
        study.tell(trial, float(np.mean(scores)) if state == TrialState.COMPLETE else None, state=state)
        return True

    for number, video in enumerate(videos, start=1):
        if stop_requested():
            return False
        try:
            value = score(trial.params, video)
        except FloatingPointError as error:
            return end(TrialState.PRUNED, f"{video}: {error}")
        if not math.isfinite(value):
            return end(TrialState.PRUNED, f"{video}: the score is {value}")
        scores.append(value)
        trial.report(float(np.mean(scores)), number)
        if number < len(videos) and trial.should_prune():
            return end(TrialState.PRUNED)
    return end(TrialState.COMPLETE)


def _trials(study: optuna.Study) -> list[Trial]:
    """Return the trials that have ended by themselves."""
    ended = study.get_trials(deepcopy=False, states=ENDED)
    return [_as_trial(number, trial) for number, trial in enumerate(ended, start=1)]


def _as_trial(number: int, trial: FrozenTrial) -> Trial:
    kept = trial.user_attrs
    state: State = "complete"
    reason = ""
    if kept["failure"]:
        state, reason = "failed", kept["failure"]
    elif trial.state == TrialState.PRUNED:
        state, reason = "pruned", f"behind the finished trials after {len(kept['scores'])} of the videos"
    return Trial(number, state, dict(trial.params), tuple(kept["scores"]), kept["seconds"], reason)


def _report(trials: Sequence[Trial], n_trials: int) -> None:
    last, best = trials[-1], best_trial(trials)
    values = ", ".join(f"{name} {value:.3g}" for name, value in last.values.items())
    log.info(
        "trial %d of %d (%s): %s %s; best so far: trial %d, %.3f",
        last.number,
        n_trials,
        values,
        last.state,
        last.reason or f"{last.mean:.3f}",
        best.number,
        best.mean,
    )
