"""Whether the posterior samples of videos whose truth is known spread as far as they err: from their files."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from step.config.calibration import Judgement
from step.config.sections import Section
from step.config.study import Config
from step.config.tasks import MeasurementOfDomain
from step.config.views import Display
from step.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from step.posterior.verdict import Row

log = logging.getLogger(__name__)


class CalibrationSettings(Section):
    """What the judgement uses of the configuration; the likelihood is for the rank of the truth's misfit."""

    seed: int
    measurement: MeasurementOfDomain
    display: Display
    judgement: Judgement


def calibration_settings(config: Config, task: str) -> CalibrationSettings:
    """Return the part of `config` that the calibration of `task` uses."""
    chosen = config.calibration
    return CalibrationSettings(
        seed=config.seed,
        measurement=config.measurement_of(task),
        display=config.video_format(config.tasks[task].domain).display,
        judgement=Judgement(**{name: getattr(chosen, name) for name in Judgement.model_fields}),
    )


def judge_files(
    pairs: Sequence[tuple[Path, Path]], reconstructions: list[Path], settings: CalibrationSettings, factor: float = 1.0
) -> "tuple[list[Row], list[Row]]":
    """Return the tables of calibration and of ranks of `verdict.tabulate`, one row per number.

    `pairs` are the files of each video's measurement and truth; its samples may be in several of `reconstructions`.
    Their distance from their mean is multiplied by the `factor` of a recalibration; 1 takes them as they are.
    Raises `InputError` where a video lacks its samples, or they do not fit.
    """
    import numpy as np

    from step.io.reconstructions import read_measurement
    from step.physics.forward_models import fit_to_data
    from step.posterior.calibration import judge_video
    from step.posterior.verdict import tabulate
    from step.progress import track
    from step.seeds import derive_seed

    # Videos are read twice, one at a time: together they may not fit into memory.
    means = [
        _see(_read(true, reconstructions, factor), settings.display).mean(axis=0)
        for _, true in track(pairs, "means", "video")
    ]
    if len({mean.shape for mean in means}) > 1:
        raise InputError(f"videos have the shapes {sorted({mean.shape for mean in means})}; give those of one task")
    judged = []
    for number, (path, true_path) in enumerate(track(pairs, "calibration", "video")):
        members = _read(true_path, reconstructions, factor)
        misfits, _ = fit_to_data(members, read_measurement(path), settings.measurement, path)
        others = np.array([mean for place, mean in enumerate(means) if place != number])
        seed = derive_seed(settings.seed, "calibration", path.stem)
        try:
            shown = _see(members, settings.display)
            judged.append(judge_video(shown, misfits, others, settings.judgement, seed))
        except InputError as error:
            raise InputError(f"{path.stem}: {error}") from None
        log.info("%s: error over spread %.2f", path.stem, np.sqrt(judged[-1].errors[0] / judged[-1].spreads[0]))
    rows, ranks = tabulate(judged, settings.judgement, derive_seed(settings.seed, "calibration"))
    log.info("%s", rows[0]["verdict"])
    return rows, ranks


def _see(members: "np.ndarray", display: Display) -> "np.ndarray":
    """Return the brightness (member, time, y, x) of `members` (member, time, channel, y, x), the truth first."""
    from step.physics.display import to_unit_range

    return to_unit_range(members, members[0], display)


def _read(path: Path, reconstructions: list[Path], factor: float) -> "np.ndarray":
    """Return the truth in `path` and its samples (member, time, channel, y, x), `factor` times as far spread."""
    import numpy as np

    from step.io.reconstructions import read_reconstructions
    from step.io.truths import read_truth
    from step.posterior.recalibration import stretch

    truth = read_truth(path, path.stem)
    found = read_reconstructions(reconstructions, [path.stem])
    if path.stem not in found:
        raise InputError(f"{path.stem} is not among the videos of the reconstructions; sample it")
    samples = found[path.stem].equal_samples  # a truth is ranked among samples of one weight
    if samples.shape[1:] != truth.shape:
        raise InputError(f"{path.stem} was reconstructed as {samples.shape[1:]}, it is {truth.shape}; sample it again")
    if len(samples) < 2:
        raise InputError(f"{path.stem} has {len(samples)} sample, which has no spread; sample two or more")
    if factor != 1:
        samples = stretch(samples, factor, samples.mean(axis=0))
    return np.concatenate([truth[None], samples])
