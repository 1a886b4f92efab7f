"""A search for settings of a classical reconstruction that suit validation videos: as wide as that of the sampler's."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from step.config.sections import AnySettings, ModuleName, Name, Section
from step.config.settings import modules_of_measurement
from step.config.study import Config
from step.config.tasks import MeasurementOfDomain
from step.config.tuning import Budget, Multiples
from step.config.views import Display
from step.errors import InputError
from step.plugins import classical_name
from step.references import reference_settings
from step.tuning.outcome import Outcome, score, search_key

if TYPE_CHECKING:
    from step.tuning.search import Bounds

log = logging.getLogger(__name__)


class ClassicalTuningSettings(Section):
    """What decides which settings are found."""

    seed: int
    task: Name
    reference: ModuleName
    classical: AnySettings  # where the search starts
    measurement: MeasurementOfDomain
    shape: tuple[int, int, int, int]  # time, channel, y, x
    display: Display
    budget: Budget
    multiples: Multiples

    @property
    def modules(self) -> list[str]:
        """The modules that are imported by name: of the measurement, and of the classical reconstruction."""
        return [*modules_of_measurement(self), classical_name(self.reference)]


def classical_tuning_settings(config: Config, task: str, reference: str) -> ClassicalTuningSettings:
    """Return the settings of the tuning of one row of a task; raises `InputError` where it has none to be tuned."""
    chosen, searched = reference_settings(config, task, reference), config.tuning.classical
    if chosen.classical is None or chosen.measurement is None or chosen.shape is None:
        raise InputError(
            f"{reference} has no settings to be tuned; of the references of {task} "
            f"{', '.join(config.tasks[task].classical) or 'none'} has"
        )
    if reference not in searched:
        raise InputError(f"tuning.classical has no ranges of {reference!r}; add those of its settings")
    return ClassicalTuningSettings(
        seed=config.seed,
        task=task,
        reference=reference,
        classical=chosen.classical,
        measurement=chosen.measurement,
        shape=chosen.shape,
        display=config.video_format(config.tasks[task].domain).display,
        budget=Budget(**{name: getattr(config.tuning, name) for name in Budget.model_fields}),
        multiples=searched[reference],
    )


def classical_key(settings: ClassicalTuningSettings, files: Sequence[Path]) -> str:
    """Return a name for a search: another one as soon as settings, code or `files` differ, but for how many trials."""
    one_trial = settings.model_copy(update={"budget": settings.budget.model_copy(update={"trials": 1})})
    return search_key(one_trial, "step.cli.tune_classical", settings.modules, files)


def tune_classical(
    pairs: Sequence[tuple[Path, Path]],
    settings: ClassicalTuningSettings,
    state: Path,
    stop_requested: Callable[[], bool],
) -> "TunedClassical":
    """Return what a search finds for some videos: the highest mean PSNR.

    `pairs` are the files of each video's measurement and truth. What was tried is kept in the file `state`, from which
    the search goes on. Raises `InputError` for a value that has no multiples and a file that is not of the task, and
    `Interrupted` after the video during which a stop was requested.
    """
    from step.classical.modules import NOISE_LEVEL, build_classical
    from step.io.reconstructions import read_measurement
    from step.io.truths import read_truth
    from step.physics.forward_models import build_forward_model, check_measurement, to_tensors
    from step.tuning.search import search

    start, bounds = _searched(settings)
    forward_model = build_forward_model(settings.measurement, settings.shape, NOISE_LEVEL)
    measured, truths = {}, {}
    for path, true_path in pairs:
        measured[path.stem], truths[path.stem] = to_tensors(read_measurement(path)), read_truth(true_path, path.stem)
        check_measurement(measured[path.stem], forward_model, settings.shape, path)

    def psnr_of(values: Mapping[str, float], video: str) -> float:
        changed = AnySettings(**{**settings.classical.model_dump(), **values})
        [found] = build_classical(settings.reference, changed)(forward_model, measured[video]).numpy(force=True)
        return score(found, truths[video], settings.display)

    log.info(
        "%s: tuning %s of %s by %d trials of %d videos",
        settings.task,
        ", ".join(bounds),
        settings.reference,
        settings.budget.trials,
        len(truths),
    )
    trials = search(psnr_of, list(truths), start, bounds, settings.budget, settings.seed, state, stop_requested)
    return TunedClassical(list(truths), trials, settings.task, settings.reference)


@dataclass(frozen=True)
class TunedClassical(Outcome):
    """What a search for settings of a classical reconstruction comes to."""

    task: str
    reference: str

    def overlay(self, path: Path) -> str:
        """Return the configuration (YAML), to be written to `path`, with the best values; comments say its origin."""
        from step.tuning.search import best_trial

        values = dict(best_trial(self.trials).values)
        sections = {"tasks": {self.task: {"classical": {self.reference: values}}}}
        comment = [f"Settings of the row {self.reference} of {self.task}, tuned on validation videos."]
        return self.as_overlay(comment, sections, path)


def _searched(settings: ClassicalTuningSettings) -> "tuple[dict[str, float], dict[str, Bounds]]":
    """Return where the search starts and where each value is searched; raises `InputError` for one that cannot be."""
    from step.classical.modules import open_classical
    from step.tuning.search import multiples_around

    _, checked = open_classical(settings.reference, settings.classical)
    values = checked.model_dump()
    bounds = multiples_around(values, settings.multiples, f"tuning.classical.{settings.reference}")
    return {name: values[name] for name in bounds}, bounds
