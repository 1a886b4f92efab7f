"""A complete prior in one folder: networks, what they are of, how they are best sampled, and digests of it all.

``prior.json`` says it, ``README.md`` is the model card; ``autoencoder`` and each of ``image``, ``video`` and ``joint``
that the prior has are model folders (`step.io.model_folders`). Such a folder is all that a reconstruction needs of a
training: it can be copied, shared and shipped.
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from step.errors import InputError
from step.io.atomic import whole_folder
from step.io.model_folders import EPOCHS, WEIGHTS, file_digest

FACTS = "prior.json"
FORMAT = 1
"""The version of the layout; another one is refused."""

AUTOENCODER = "autoencoder"


@dataclass(frozen=True)
class PriorFacts:
    """What a prior is of, and how it is best sampled."""

    domain: str
    frames: int
    channels: int
    rows: int  # of a frame, pixels
    columns: int
    display: Literal["magnitude", "unit_range"]
    geometry: Mapping[str, float]  # of the videos, with the unit in each name; what the domain's measurements ask for
    brightness: Mapping[str, float] | None  # `mean` and `std` of the training videos; None where each has its own scale
    sampler: Mapping[str, Any]  # `name`, `task` and `settings` of the sampler that the study used

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """The shape of a video: (time, channel, y, x)."""
        return (self.frames, self.channels, self.rows, self.columns)


def write_prior_folder(path: Path, facts: PriorFacts, networks: Mapping[str, Path], card: str) -> None:
    """Write a prior of `networks`, model folders by name, whole or not at all; files are linked where that is possible.

    What the networks were after some epochs stays behind.
    """
    with whole_folder(path) as part:
        for name, folder in networks.items():
            shutil.copytree(
                folder, part / name, ignore=shutil.ignore_patterns(EPOCHS, ".snakemake_timestamp"), copy_function=_link
            )
        files = sorted(file.relative_to(part).as_posix() for file in part.rglob("*") if file.is_file())
        record = {"format": FORMAT, **asdict(facts), "sha256": {name: file_digest(part / name) for name in files}}
        (part / FACTS).write_text(json.dumps(record, indent=2, sort_keys=True) + "\n")
        (part / "README.md").write_text(card)


def read_prior_facts(path: Path) -> PriorFacts:
    """Return what the prior in folder `path` is of; raises `InputError` where it is none, or not whole."""
    return _facts(_record(path), path)


def networks_of_prior(path: Path) -> list[str]:
    """Return the names of the networks in a prior's folder, the autoencoder first."""
    names = {name.split("/")[0] for name in _record(path)["sha256"] if name.endswith(f"/{WEIGHTS}")}
    return sorted(names, key=lambda name: (name != AUTOENCODER, name))


def verify_prior(path: Path, networks: Sequence[str] | None = None) -> None:
    """Raise `InputError` unless the files of `networks`, by default of all, are as ``prior.json`` says."""
    for name, digest in _record(path)["sha256"].items():
        if networks is not None and name.split("/")[0] not in networks:
            continue
        if not (path / name).is_file():
            raise InputError(f"{path / name} is missing, {FACTS} names it; copy the whole folder again")
        if file_digest(path / name) != digest:
            raise InputError(f"{path / name} is not the file that {FACTS} has the SHA-256 of; copy the folder again")


def copy_prior(path: Path, output: Path) -> None:
    """Write the prior in `path` to `output`, whole, and of it nothing that ``prior.json`` does not name."""
    with whole_folder(output) as part:
        for name in (*_record(path)["sha256"], FACTS, "README.md"):
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path / name, part / name)


def copy_network(path: Path, name: str, output: Path) -> None:
    """Write the model folder `name` of the prior in `path` to `output`, whole; raises `InputError` for other files."""
    if name not in (there := networks_of_prior(path)):
        raise InputError(f"{path} has no {name} network; it has {', '.join(there)}")
    verify_prior(path, [name])
    with whole_folder(output) as part:
        shutil.copytree(path / name, part, dirs_exist_ok=True)


def _record(path: Path) -> dict[str, Any]:
    file = path / FACTS
    if not file.is_file():
        raise InputError(
            f"{path} is not the folder of a prior: it has no {FACTS}; `snakemake priors` makes such folders"
        )
    try:
        record = json.loads(file.read_text())
    except ValueError:
        raise InputError(f"{file} is not JSON; copy the folder again") from None
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        found = record.get("format") if isinstance(record, dict) else None
        raise InputError(
            f"{file} has the format {found!r}, this version reads {FORMAT}; make the prior with this version"
        )
    names = [PurePosixPath(name) for name in record.get("sha256", {})]
    outside = [str(name) for name in names if name.is_absolute() or ".." in name.parts]
    if outside:
        raise InputError(f"{file} names {outside[0]}, which lies outside the folder; copy the folder again")
    return record


def _facts(record: Mapping[str, Any], path: Path) -> PriorFacts:
    missing = sorted({"sha256", *PriorFacts.__dataclass_fields__} - record.keys())
    if missing:
        raise InputError(f"{path / FACTS} does not say {' and '.join(missing)}; copy the folder again")
    return PriorFacts(**{name: record[name] for name in PriorFacts.__dataclass_fields__})


def _link(source: str, destination: str) -> None:
    """Link a file where both are on one disk, else copy it; networks are never changed where they lie."""
    try:
        os.link(source, destination)
    except OSError:
        shutil.copy2(source, destination)
