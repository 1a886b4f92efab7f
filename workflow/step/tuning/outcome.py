"""What every search on validation videos has in common: which files it takes, its name, its score, what it comes to."""

import hashlib
import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from step.config.sections import Section, files_named_in
from step.config.settings import dump_settings
from step.config.views import Display
from step.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from step.tuning.search import Trial

log = logging.getLogger(__name__)

VALIDATION_VIDEO = re.compile(r"validation\d+")
"""What the split calls videos of which neither a prior has learned nor a result is reported."""


def check_validation(files: Sequence[Path]) -> None:
    """Raise `InputError` for a file that, by its name or by what it says itself, is not of a validation video."""
    from step.io.reconstructions import read_attributes

    for path in files:
        for video in (path.stem, str(read_attributes(path).get("video", path.stem))):
            if not VALIDATION_VIDEO.fullmatch(video):
                raise InputError(
                    f"{path} is of {video}; settings are chosen on validation videos alone, never on "
                    "those that results are of: give files of validation000 on"
                )


def search_key(settings: Section, stage: str, modules: Sequence[str], files: Sequence[Path], *digests: str) -> str:
    """Return a name for a search: another one as soon as its `settings`, its code, its `files` or `digests` differ.

    Files that the settings name count by what they hold, those of modules from elsewhere too. The code is that of the
    `stage`, a module, and of the `modules` that it imports by name; `digests` are of what else it depends on.
    """
    from step.provenance import code_digest

    read = [*files, *files_named_in(settings)]
    parts = [
        dump_settings(settings),
        code_digest(stage, *modules),
        *(f"{file.stem} {hashlib.blake2b(file.read_bytes()).hexdigest()}" for file in read),
        *digests,
    ]
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=8).hexdigest()


def score(video: "np.ndarray", truth: "np.ndarray", display: Display) -> float:
    """Return the PSNR, dB, of a `video` (time, channel, y, x); raises `FloatingPointError` where it is not finite."""
    import numpy as np

    from step.metrics.psnr import psnr
    from step.physics.display import to_unit_range

    if not np.isfinite(video).all():
        raise FloatingPointError("the video is not finite")
    return psnr(to_unit_range(video, truth, display), to_unit_range(truth, truth, display))


class Finding(ABC):
    """What validation videos say: a table, and a configuration to overlay on the study's."""

    @property
    @abstractmethod
    def verdict(self) -> list[str]:
        """What was found, in lines of text."""

    @property
    @abstractmethod
    def rows(self) -> list[dict[str, object]]:
        """The table."""

    @abstractmethod
    def overlay(self, path: Path) -> str:
        """Return the configuration (YAML), to be written to `path`; comments say its origin."""

    def write(self, table: Path, overlay: Path) -> None:
        """Write the table (CSV) and the configuration (YAML) to overlay on the study's, and say the verdict."""
        from step.io.atomic import whole_file
        from step.io.tables import write_table

        for line in self.verdict:
            log.info(line)
        write_table(table, self.rows)
        with whole_file(overlay) as part:
            part.write_text(self.overlay(overlay))

    def as_overlay(self, comment: Sequence[str], sections: object, path: Path) -> str:
        """Return the configuration (YAML) `sections`, to be written to `path`; its comments say where it is from."""
        import yaml

        lines = [
            *comment,
            *self.verdict,
            "To use the values, lay this file over the study that was tuned, last:",
            f"snakemake --configfile STUDY.yaml {path}",
        ]
        return "".join(f"# {line}\n" for line in lines) + yaml.safe_dump(sections, sort_keys=False)


@dataclass(frozen=True)
class Outcome(Finding):
    """The trials of a search, and what they come to."""

    videos: Sequence[str]
    trials: "Sequence[Trial]"  # the first is of the study's own values

    @property
    def verdict(self) -> list[str]:
        """What the search came to, in lines of text."""
        from step.tuning.search import best_trial

        trials, videos = self.trials, self.videos
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
            f"{len(trials)} trials: {counts['complete']} complete, {counts['pruned']} stopped early, "
            f"{counts['failed']} failed.",
            f"The best of {len(trials)} trials on {len(videos)} videos is in part luck, the more so the more trials "
            "there are: expect less of it on other videos.",
        ]

    @property
    def rows(self) -> list[dict[str, object]]:
        """The table: one row per trial; PSNR in dB, of the videos that it sampled."""
        from step.tuning.search import estimated_means

        rows = []
        for trial, estimate in zip(self.trials, estimated_means(self.trials), strict=True):
            scores = dict(zip(self.videos, trial.scores, strict=False))
            rows.append(
                {"trial": trial.number, "state": trial.state}
                | dict(trial.values)
                | {f"psnr_{video}": scores.get(video) for video in self.videos}
                | {"psnr": trial.mean if trial.state == "complete" else None, "estimated_psnr": estimate}
                | {"seconds": trial.seconds, "reason": trial.reason}
            )
        return rows
