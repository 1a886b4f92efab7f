"""Search for settings of the sampler that suit validation videos, and write them as a configuration to lay over.

All trials sample the same videos with the same random numbers, so that they differ by their settings alone. What was
tried is kept: the same command goes on after a kill, and so does one with more trials.
"""

import argparse
import hashlib
import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from step.cli.files import add_truths, pair_truths
from step.cli.sample import add_problem, read_files
from step.config.sampling import SampleSettings, sample_settings
from step.config.sections import Section
from step.config.settings import dump_settings
from step.config.study import Config
from step.config.tasks import AnySettings, Sampler
from step.config.tuning import OWN, Search
from step.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from step.reconstruct import Problem
    from step.tuning.search import Trial

log = logging.getLogger(__name__)

VALIDATION_VIDEO = re.compile(r"validation\d+")
"""What the split calls videos of which neither a prior has learned nor a result is reported."""


class Settings(Section):
    """What decides which settings are found."""

    sampling: SampleSettings
    display: Literal["magnitude", "unit_range"]
    search: Search


def select(config: Config, task: str) -> Settings:
    """Return the settings of one task's tuning."""
    sampling = sample_settings(config, task, config.tuning.method)
    return Settings(
        sampling=sampling,
        display=config.video_format(sampling.domain).display,
        search=Search(**{name: getattr(config.tuning, name) for name in Search.model_fields}),
    )


def modules(settings: Settings) -> list[str]:
    """Return the modules that the stage imports by name."""
    return settings.sampling.modules


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files of the stage."""
    add_problem(parser)
    add_truths(parser)
    parser.add_argument("--state", type=Path, required=True, metavar="DIR", help="folder of what was tried, for later")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="YAML", help="the best settings, to lay over the study's"
    )
    parser.add_argument("--table", type=Path, required=True, metavar="CSV", help="what was tried, one row per trial")


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write the settings and the table; raises `InputError` unless all measurements are of validation videos."""
    _check_videos([*arguments.measurements, *arguments.truths])
    from step.io.atomic import whole_file
    from step.io.tables import write_table
    from step.io.truths import read_truth
    from step.training.loop import StopRequest
    from step.tuning.search import bounds_around, search

    name = settings.sampling.task
    start = _searchable(settings.sampling)
    bounds = bounds_around(start, settings.search.space)
    pairs = pair_truths(arguments.measurements, arguments.truths)
    truths = {path.stem: read_truth(true_path, path.stem) for path, true_path in pairs}
    problem = read_files(arguments, settings.sampling)
    state_file = arguments.state / f"{_search_key(arguments, settings)}.journal"
    log.info("%s: tuning %s by %d trials of %d videos", name, ", ".join(bounds), settings.search.trials, len(truths))
    with StopRequest() as stop:
        trials = search(
            lambda values, video: _psnr(problem, settings, values, video, truths[video]),
            list(truths),
            {key: start[key] for key in bounds},
            bounds,
            settings.search,
            settings.sampling.seed,
            state_file,
            lambda: stop.requested,
        )
    verdict = _verdict(trials, list(truths))
    for line in verdict:
        log.info(line)
    write_table(arguments.table, _rows(trials, list(truths)))
    with whole_file(arguments.output) as part:
        part.write_text(_overlay(settings.sampling, trials, verdict, arguments.output))


def _check_videos(files: Sequence[Path]) -> None:
    """Raise `InputError` for a file that, by its name or by what it says itself, is not of a validation video."""
    from step.io.reconstructions import read_attributes

    for path in files:
        for video in (path.stem, str(read_attributes(path).get("video", path.stem))):
            if not VALIDATION_VIDEO.fullmatch(video):
                raise InputError(
                    f"{path} is of {video}; settings are chosen on validation videos alone, never on "
                    "those that results are of: give files of validation000 on"
                )


def _search_key(arguments: argparse.Namespace, settings: Settings) -> str:
    """Return a name for this search: another one as soon as settings, code, measurements or weights differ.

    The number of trials does not count: more of them go on from what was tried.
    """
    from step.io.model_folders import weights_digest
    from step.provenance import code_digest

    one_trial = settings.search.model_copy(update={"trials": 1})
    files = [*arguments.measurements, *arguments.truths, *([arguments.flow] if arguments.flow else [])]
    parts = [
        dump_settings(settings.model_copy(update={"search": one_trial})),
        code_digest("step.cli.tune", *modules(settings)),
        *(f"{file.stem} {hashlib.blake2b(file.read_bytes()).hexdigest()}" for file in files),
        *(weights_digest(model) for model in (arguments.autoencoder, arguments.denoiser)),
    ]
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=8).hexdigest()


def _psnr(
    problem: "Problem", settings: Settings, values: Mapping[str, float], video: str, truth: "np.ndarray"
) -> float:
    """Return the PSNR, dB, of the first sample of `video` that is drawn with `values`."""
    import numpy as np

    from step.metrics.psnr import psnr
    from step.physics.display import to_unit_range
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
    if not np.isfinite(sample).all():
        raise FloatingPointError("the sample is not finite")
    return psnr(to_unit_range(sample, truth, settings.display), to_unit_range(truth, truth, settings.display))


SEARCHED_SECTIONS = ("mcmc", "likelihood")
"""The sections of a task's sampler whose values are searched; no key is in both."""


def _searchable(sampling: SampleSettings) -> dict[str, object]:
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


def _verdict(trials: Sequence["Trial"], videos: Sequence[str]) -> list[str]:
    """Return what the search came to, in lines of text."""
    from step.tuning.search import best_trial

    start, best = trials[0], best_trial(trials)
    counts = {state: sum(trial.state == state for trial in trials) for state in ("complete", "pruned", "failed")}
    if best is start:
        found = "No trial is better: the best values are the study's own."
    elif start.state == "complete":
        found = f"The best, of trial {best.number}: {best.mean:.3f} dB, {best.mean - start.mean:+.3f} dB."
    else:
        found = f"The best, of trial {best.number}: {best.mean:.3f} dB."
    began = f"{start.mean:.3f} dB" if start.state == "complete" else start.reason
    return [
        f"Mean PSNR over {', '.join(videos)} with the study's own values: {began}.",
        found,
        f"{len(trials)} trials: {counts['complete']} complete, {counts['pruned']} stopped early, {counts['failed']} "
        "failed.",
        f"The best of {len(trials)} trials on {len(videos)} videos is in part luck, the more so the more trials there "
        "are: expect less of it on other videos.",
    ]


def _rows(trials: Sequence["Trial"], videos: Sequence[str]) -> list[dict[str, object]]:
    """Return the table: one row per trial; PSNR in dB, of the videos that it sampled."""
    from step.tuning.search import estimated_means

    rows = []
    for trial, estimate in zip(trials, estimated_means(trials), strict=True):
        scores = dict(zip(videos, trial.scores, strict=False))
        rows.append(
            {"trial": trial.number, "state": trial.state}
            | dict(trial.values)
            | {f"psnr_{video}": scores.get(video) for video in videos}
            | {"psnr": trial.mean if trial.state == "complete" else None, "estimated_psnr": estimate}
            | {"seconds": trial.seconds, "reason": trial.reason}
        )
    return rows


def _overlay(sampling: SampleSettings, trials: Sequence["Trial"], verdict: Sequence[str], path: Path) -> str:
    """Return the configuration (YAML) that gives the task the best values, and says where they are from."""
    import yaml

    from step.tuning.search import best_trial

    method, values = sampling.method, best_trial(trials).values
    comment = [
        f"Settings of the sampler of {sampling.task}, tuned on validation videos with the {method.prior} prior and "
        f"{method.noise.source} noise.",
        *verdict,
        "All trials had the same random numbers. To use the values, lay this file over the study that was tuned, last:",
        f"snakemake --configfile STUDY.yaml {path}",
    ]
    sections: dict[str, object] = {"sampler": _by_section(sampling.sampler, values)}
    if _of_own(values):
        sections["samplers"] = {method.sampler: _of_own(values)}
    overlay = {"tasks": {sampling.task: {name: section for name, section in sections.items() if section}}}
    return "".join(f"# {line}\n" for line in comment) + yaml.safe_dump(overlay, sort_keys=False)
