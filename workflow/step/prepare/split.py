"""Who is trained on and who is not, so that no subject is on both sides."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from step.errors import InputError
from step.io.videos import VideoRecord
from step.prepare.settings import SplitSettings
from step.seeds import derive_seed

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Candidate:
    """One prepared video before it is known what it is used for."""

    video: str
    subject: str
    source: str
    file: str
    row: int
    kind: str  # video, or image: a single one


def split_videos(candidates: Sequence[Candidate], settings: SplitSettings) -> list[VideoRecord]:
    """Return the record of every candidate, in the order of their names.

    Whole units go to test, validation or training, with their single images; a unit without a video is trained on.
    In training, `use` is "video" for the video set, "image" for what only the image set has, "unused" for what
    exceeds the caps; held-out videos have the names ``video000`` on (test) and ``validation000`` on, or "unused": at
    most one of each unit, chosen at random with the seed, so that statistics are of independent videos. Raises
    `InputError` where there are too few units.
    """
    ordered = sorted(candidates, key=lambda candidate: candidate.video)
    _check_unique(ordered)
    units = {_unit(candidate, settings) for candidate in ordered}
    with_video = {_unit(candidate, settings) for candidate in ordered if candidate.kind == "video"}
    split_of = assign_units(with_video, settings) | dict.fromkeys(units - with_video, "train")
    records = [VideoRecord(**vars(c), split=split_of[_unit(c, settings)], use="unused") for c in ordered]
    trained = {kind: [r.video for r in records if r.split == "train" and r.kind == kind] for kind in ("video", "image")}
    uses = _training_uses(trained["video"], trained["image"], settings)
    for split, n_videos, name in (
        ("test", settings.test_videos, "video"),
        ("validation", settings.validation_videos, "validation"),
    ):
        held_out = [record for record in records if record.split == split and record.kind == "video"]
        uses |= _held_out_uses(held_out, split, n_videos, name, settings)
    return [replace(record, use=uses.get(record.video, "unused")) for record in records]


def assign_units(units: set[str], settings: SplitSettings) -> dict[str, str]:
    """Return the split of each unit: those named in the configuration, or as many as it asks for.

    The test units are chosen first, so that asking for more validation units leaves the test set as it is.
    """
    key = f"data.{settings.domain}.split"
    wanted = {"test": settings.split.test, "validation": settings.split.validation}
    named = {split: names for split, names in wanted.items() if not isinstance(names, int)}
    counted = {split: count for split, count in wanted.items() if isinstance(count, int)}
    _check_named(units, named, key)
    free = _shuffled(units.difference(*named.values()), settings, "split")
    split_of = {unit: split for split, names in named.items() for unit in names}
    for split, count in counted.items():
        if len(free) < count:
            raise InputError(f"{key}.{split} asks for {count} units, {len(free)} of {len(units)} are left; lower it")
        split_of |= dict.fromkeys(free[:count], split)
        free = free[count:]
    if not free and not settings.pretrained:
        raise InputError(
            f"{key} leaves none of {len(units)} units to train on; lower {key}.test or .validation, or name a trained "
            f"prior in priors.{settings.domain}.pretrained"
        )
    return split_of | dict.fromkeys(free, "train")


def _check_named(units: set[str], named: dict[str, tuple[str, ...]], key: str) -> None:
    for split, names in named.items():
        for name in names:
            if name not in units:
                some = ", ".join(sorted(units)[:3])
                raise InputError(f"{key}.{split} names {name}, which is not among the {len(units)} units ({some}, ...)")
    both = set(named.get("test", ())) & set(named.get("validation", ()))
    if both:
        raise InputError(f"{key}.test and {key}.validation both name {min(both)}; a unit is held out once")


def _training_uses(videos: list[str], images: list[str], settings: SplitSettings) -> dict[str, str]:
    """Return "video" or "image" for the training videos and single images that are kept.

    All sets are prefixes of random orders, so a larger cap adds to a set and never exchanges it. The image set takes
    the frames of videos first.
    """
    key = f"data.{settings.domain}"
    for name, cap, available in (
        ("videos", settings.videos, len(videos)),
        ("images", settings.images, len(videos) * settings.frames + len(images)),
    ):
        if cap > available:
            logger.info("%s.%s allows %d, there are %d to train on", key, name, cap, available)
    order = _shuffled(videos, settings, "training videos")
    n_videos, n_sequences = min(settings.videos, len(order)), min(settings.images // settings.frames, len(order))
    if n_sequences < n_videos:
        raise InputError(
            f"{key}.images is {settings.images}, the {n_videos} training videos alone have "
            f"{n_videos * settings.frames} frames; raise it or lower {key}.videos"
        )
    uses = {video: "video" if n < n_videos else "image" for n, video in enumerate(order[:n_sequences])}
    n_images = settings.images - n_sequences * settings.frames
    return uses | dict.fromkeys(_shuffled(images, settings, "training images")[:n_images], "image")


def _held_out_uses(
    records: list[VideoRecord], split: str, n_videos: int, name: str, settings: SplitSettings
) -> dict[str, str]:
    """Return names for `n_videos` of `records`, each of a unit of its own."""
    unit_of = {record.video: _unit(record, settings) for record in records}
    video_of: dict[str, str] = {}
    for video in _shuffled(list(unit_of), settings, split):
        video_of.setdefault(unit_of[video], video)
    if len(video_of) < n_videos:
        key = f"data.{settings.domain}"
        raise InputError(
            f"{key}.{split}_videos is {n_videos}, {key}.split.{split} holds out {len(video_of)} units, and each gives "
            "one video; lower the first or raise the second"
        )
    return {video_of[unit]: f"{name}{number:03d}" for number, unit in enumerate(sorted(video_of)[:n_videos])}


def _unit(video: Candidate | VideoRecord, settings: SplitSettings) -> str:
    return video.subject if settings.split.unit == "subject" else video.source


def _shuffled(names: set[str] | list[str], settings: SplitSettings, purpose: str) -> list[str]:
    generator = np.random.default_rng(derive_seed(settings.seed, settings.domain, purpose))
    return [str(name) for name in generator.permutation(sorted(names))]


def _check_unique(ordered: Sequence[Candidate]) -> None:
    for one, other in pairwise(ordered):
        if one.video == other.video:
            raise InputError(f"{one.video} is in {one.file} and in {other.file}; prepare each subject once")
