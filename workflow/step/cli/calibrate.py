"""Judge whether the posterior samples of one method spread as far as they err, on videos whose truth is known.

Coverage of central intervals, ranks of the truth among the samples (simulation-based calibration), expected coverage
of distances from random points (TARP), continuous ranked probability score, spread against error, and a verdict.
"""

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from step.cli.files import add_measurements, add_reconstructions, add_truths, pair_truths
from step.config.calibration import Judgement
from step.config.sections import Section
from step.config.settings import modules_of_measurement
from step.config.study import Config
from step.config.tasks import MeasurementOfDomain
from step.errors import InputError

if TYPE_CHECKING:
    import numpy as np

log = logging.getLogger(__name__)


class Settings(Section):
    """What the judgement uses of the configuration; the likelihood is for the rank of the truth's misfit."""

    seed: int
    measurement: MeasurementOfDomain
    display: Literal["magnitude", "unit_range"]
    judgement: Judgement


def select(config: Config, task: str) -> Settings:
    """Return the part of `config` that the calibration of `task` uses."""
    chosen = config.calibration
    return Settings(
        seed=config.seed,
        measurement=config.measurement_of(task),
        display=config.video_format(config.tasks[task].domain).display,
        judgement=Judgement(**{name: getattr(chosen, name) for name in Judgement.model_fields}),
    )


modules = modules_of_measurement


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    add_measurements(parser)
    add_truths(parser)
    add_reconstructions(parser, "one method's samples of these videos; those of one video may be in several files")
    parser.add_argument("--output", required=True, type=Path, metavar="CSV", help="the statistics, one a row")
    parser.add_argument("--ranks", required=True, type=Path, metavar="CSV", help="the share of each rank, one a row")


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write both tables; raises `InputError` where a video lacks its truth or samples, or they do not fit."""
    import numpy as np

    from step.io.reconstructions import read_measurement
    from step.io.tables import write_table
    from step.physics.forward_models import fit_to_data
    from step.posterior.calibration import judge_video
    from step.posterior.verdict import tabulate
    from step.progress import track
    from step.seeds import derive_seed

    # Videos are read twice, one at a time: together they may not fit into memory.
    files, pairs = arguments.reconstructions, pair_truths(arguments.measurements, arguments.truths)
    means = [_see(_read(true, files), settings.display).mean(axis=0) for _, true in track(pairs, "means", "video")]
    if len({mean.shape for mean in means}) > 1:
        raise InputError(f"videos have the shapes {sorted({mean.shape for mean in means})}; give those of one task")
    judged = []
    for number, (path, true_path) in enumerate(track(pairs, "calibration", "video")):
        members = _read(true_path, files)
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
    write_table(arguments.output, rows)
    write_table(arguments.ranks, ranks)


def _see(members: "np.ndarray", display: Literal["magnitude", "unit_range"]) -> "np.ndarray":
    """Return the brightness (member, time, y, x) of `members` (member, time, channel, y, x), the truth first."""
    from step.physics.display import to_unit_range

    return to_unit_range(members, members[0], display)


def _read(path: Path, reconstructions: list[Path]) -> "np.ndarray":
    """Return the truth in `path` and its samples (member, time, channel, y, x)."""
    import numpy as np

    from step.io.reconstructions import read_reconstructions
    from step.io.truths import read_truth

    truth = read_truth(path, path.stem)
    found = read_reconstructions(reconstructions, [path.stem])
    if path.stem not in found:
        raise InputError(f"{path.stem} is not among the videos of the reconstructions; sample it")
    samples = found[path.stem].samples
    if samples.shape[1:] != truth.shape:
        raise InputError(f"{path.stem} was reconstructed as {samples.shape[1:]}, it is {truth.shape}; sample it again")
    if len(samples) < 2:
        raise InputError(f"{path.stem} has {len(samples)} sample, which has no spread; draw two or more")
    return np.concatenate([truth[None], samples])
