"""A search for settings of the sampler that suit validation videos, and the configuration that it comes to.

All trials sample the same videos with the same random numbers, so that they differ by their settings alone.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from step.config.sampling import SampleSettings, sample_settings
from step.config.sections import Section
from step.config.study import Config
from step.config.tasks import AnySettings, Sampler
from step.config.tuning import OWN, Search
from step.config.views import Display
from step.tuning.outcome import Outcome, score, search_key

if TYPE_CHECKING:
    import numpy as np

    from step.reconstruct import Problem
    from step.tuning.search import Bounds

log = logging.getLogger(__name__)

SEARCHED_SECTIONS = ("mcmc", "likelihood")
"""The sections of a task's sampler whose values are searched; no key is in both."""


class TuningSettings(Section):
    """What decides which settings are found."""

    sampling: SampleSettings
    display: Display
    search: Search


def tuning_settings(config: Config, task: str) -> TuningSettings:
    """Return the settings of one task's tuning."""
    sampling = sample_settings(config, task, config.tuning.method)
    return TuningSettings(
        sampling=sampling,
        display=config.video_format(sampling.domain).display,
        search=Search(**{name: getattr(config.tuning, name) for name in Search.model_fields}),
    )


def sampling_key(settings: TuningSettings, files: Sequence[Path], models: Sequence[Path]) -> str:
    """Return a name for a search: another one as soon as settings, code, `files` or weights differ.

    `files` are those of measurements, truths and optical flow, `models` the folders of the networks. The number of
    trials does not count: more of them go on from what was tried.
    """
    from step.io.model_folders import weights_digest

    one_trial = settings.model_copy(update={"search": settings.search.model_copy(update={"trials": 1})})
    return search_key(one_trial, "step.cli.tune", settings.sampling.modules, files, *map(weights_digest, models))


def searched_bounds(settings: TuningSettings) -> "dict[str, Bounds]":
    """Return where each value is searched, by its key; raises `InputError` as `search.bounds_around`."""
    from step.tuning.search import bounds_around

    return bounds_around(_searchable(settings.sampling), settings.search.space)


def tune(
    problem: "Problem",
    truths: "Mapping[str, np.ndarray]",
    bounds: "Mapping[str, Bounds]",
    settings: TuningSettings,
    state: Path,
    stop_requested: Callable[[], bool],
) -> "Tuned":
    """Return what a search within `bounds` finds for the videos of `problem`: the highest mean PSNR of one sample.

    `truths` are (time, channel, y, x) by video, in the order in which a trial samples them. What was tried is kept in
    the file `state`, from which the search goes on. Raises `Interrupted` after the video during which a stop was
    requested.
    """
    from step.tuning.search import search

    videos, start = list(truths), _searchable(settings.sampling)
    log.info(
        "%s: tuning %s by %d trials of %d videos",
        settings.sampling.task,
        ", ".join(bounds),
        settings.search.trials,
        len(videos),
    )
    trials = search(
        lambda values, video: _psnr(problem, settings, values, video, truths[video]),
        videos,
        {key: start[key] for key in bounds},
        bounds,
        settings.search,
        settings.sampling.seed,
        state,
        stop_requested,
    )
    return Tuned(videos, trials, settings.sampling)


@dataclass(frozen=True)
class Tuned(Outcome):
    """What a search for settings of the sampler comes to."""

    sampling: SampleSettings  # as the study has it

    def overlay(self, path: Path) -> str:
        """Return the configuration (YAML), to be written to `path`, with the best values; comments say its origin."""
        from step.tuning.search import best_trial

        method, values = self.sampling.method, best_trial(self.trials).values
        comment = [
            f"Settings of the sampler of {self.sampling.task}, tuned on validation videos with the {method.prior} "
            f"prior and {method.noise.source} noise.",
            "All trials had the same random numbers.",
        ]
        sections: dict[str, object] = {"sampler": _by_section(self.sampling.sampler, values)}
        if _of_own(values):
            sections["samplers"] = {method.sampler: _of_own(values)}
        tasks = {self.sampling.task: {name: section for name, section in sections.items() if section}}
        return self.as_overlay(comment, {"tasks": tasks}, path)


def _psnr(
    problem: "Problem", settings: TuningSettings, values: Mapping[str, float], video: str, truth: "np.ndarray"
) -> float:
    """Return the PSNR, dB, of the first sample of `video` that is sampled with `values`."""
    from step.reconstruct import sample_problem

    sampler, own = settings.sampling.sampler, settings.sampling.own
    changed = {
        section: type(getattr(sampler, section))(**getattr(sampler, section).model_dump() | changes)
        for section, changes in _by_section(sampler, values).items()
    }
    # Videos come one by one, so that a trial can end early; a larger batch would be filled up with copies.
    alone = sampler.model_copy(update={**changed, "videos_per_batch": 1})
    changed_own = own and AnySettings(**own.model_dump() | _of_own(values))
    tried = settings.sampling.model_copy(update={"sampler": alone, "own": changed_own})
    sample = sample_problem(problem, tried, [video], [0]).samples[video][0]
    return score(sample, truth, settings.display)


def _searchable(sampling: SampleSettings) -> dict[str, Any]:
    """Return the values that can be searched, by key; of a sampler that is not ours its own, and the likelihood's."""
    sections = SEARCHED_SECTIONS if sampling.own is None else ("likelihood",)
    found = {key: value for section in sections for key, value in getattr(sampling.sampler, section)}
    return found | {OWN + key: value for key, value in (sampling.own or ())}


def _of_own(values: Mapping[str, float]) -> dict[str, float]:
    """Return those of `values` that are of a sampler that is not ours, by its own keys."""
    return {key.removeprefix(OWN): value for key, value in values.items() if key.startswith(OWN)}


def _by_section(sampler: Sampler, values: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Return `values` by the section of the sampler that has them."""
    found = {
        section: {key: value for key, value in values.items() if key in type(getattr(sampler, section)).model_fields}
        for section in SEARCHED_SECTIONS
    }
    return {section: of_section for section, of_section in found.items() if of_section}
