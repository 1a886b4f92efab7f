"""Say of every prepared video whether it is trained on, held out or unused."""

import argparse
import logging
import os
from pathlib import Path

from step.config.study import Config
from step.prepare.settings import SplitSettings

logger = logging.getLogger(__name__)


class DomainSplitSettings(SplitSettings):
    """What the split uses."""


Settings = DomainSplitSettings


def select(config: Config, domain: str) -> DomainSplitSettings:
    """Return the settings of the split of `domain`."""
    data = config.video_format(domain)
    own = ("seed", "domain", "pretrained")
    of_data = {name: getattr(data, name) for name in DomainSplitSettings.model_fields if name not in own}
    pretrained = config.priors[domain].pretrained is not None
    return DomainSplitSettings(seed=config.seed, domain=domain, pretrained=pretrained, **of_data)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files of the stage."""
    parser.add_argument("--inputs", type=Path, nargs="+", required=True, metavar="FILE", help="prepared videos (.h5)")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="index to write (.csv)")


def run(arguments: argparse.Namespace, settings: DomainSplitSettings) -> None:
    """Write the index of all prepared videos."""
    from collections import Counter

    from step.io.videos import GROUP_OF, read_columns, write_index
    from step.prepare.split import Candidate, split_videos
    from step.progress import track

    candidates = []
    for path in track(arguments.inputs, "split", "file"):
        file = os.path.relpath(path, arguments.output.parent)
        for kind in GROUP_OF:
            rows = read_columns(path, ("video", "subject", "source"), kind)
            candidates += [Candidate(**row, file=file, row=number, kind=kind) for number, row in enumerate(rows)]
    records = split_videos(candidates, settings)
    write_index(arguments.output, records)
    counts = Counter((record.split, record.use.rstrip("0123456789")) for record in records)
    logger.info(
        "wrote %s: %s",
        arguments.output,
        ", ".join(f"{n} {' '.join(key)}" for key, n in sorted(counts.items())),
    )
