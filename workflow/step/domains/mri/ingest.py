"""The heart: who is in the study, and their sequences, whatever the raw files are."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from step.config.sections import Count, Section
from step.domains.mri import cine_archive, cmrxrecon_tree, kspace_archive
from step.domains.mri.data import MriData
from step.domains.mri.synthetic_phase import SeededPhase
from step.errors import InputError

if TYPE_CHECKING:
    from step.io.sequences import RawSequence


class IngestionSettings(Section):
    """What ingestion uses; `step.domains.mri.data.MriData` explains the values."""

    layout: Literal["cmrxrecon", "cine_archive", "kspace_archive"]
    exclude: tuple[str, ...]
    views: tuple[Literal["sax", "lax"], ...]
    frames: Count
    phase: SeededPhase | None


Settings = IngestionSettings

ARCHIVES = {"cine_archive": cine_archive, "kspace_archive": kspace_archive}
"""Sources whose files may be called anything, by their module."""


def settings_of(data: MriData, seed: int) -> IngestionSettings:
    """Return what the ingestion of `data` uses, in a study of `seed`."""
    archive = data.source == "cine_archive"
    return IngestionSettings(
        # Simulated files are read as real ones are.
        layout="cmrxrecon" if data.source == "simulation" else data.source,
        exclude=data.exclude,
        views=() if data.source in ARCHIVES else data.views,
        frames=data.frames,
        phase=SeededPhase(seed=seed, **data.synthetic_phase.model_dump()) if archive else None,
    )


def ingest(settings: IngestionSettings, root: Path, subjects: Sequence[str], output: Path) -> None:
    """Write the raw store of `subjects` under `root`, one sequence in memory at a time."""
    from step.io.sequences import write_sequences
    from step.progress import track

    write_sequences(output, read_subjects(settings, root, track(subjects, "ingest", "subject")))


def find_files(mri: MriData) -> dict[str, list[Path]]:
    """Return the raw files of each of the study's subjects without opening a k-space file.

    Raises `InputError` where the raw files are missing; simulated ones need not exist yet and are not listed.
    """
    if mri.source == "simulation":
        return {subject: [] for subject in mri.simulated_subjects}
    if mri.source in ARCHIVES:
        return ARCHIVES[mri.source].find_archive(mri.root, mri.exclude)
    files: dict[str, list[Path]] = {}
    for raw in cmrxrecon_tree.find_raw_files(mri.root, mri.exclude, mri.views):
        files.setdefault(raw.subject, []).append(raw.path)
    return files


def read_subjects(settings: IngestionSettings, root: Path, subjects: Iterable[str]) -> Iterator["RawSequence"]:
    """Yield the sequences of `subjects` under `root`, one in memory at a time.

    Raises `InputError` for a subject without files and for every file that cannot be used.
    """
    if settings.layout == "cine_archive":
        if settings.phase is None:
            raise InputError("layout is cine_archive, whose magnitudes need a phase, and phase is null; state one")
        archive = cine_archive.find_archive(root, settings.exclude)
        for subject in subjects:
            files = _files_of(subject, archive.get(subject, ()), root)
            yield from cine_archive.read_subject(root, subject, files, settings.frames, settings.phase)
        return
    if settings.layout == "kspace_archive":
        archive = kspace_archive.find_archive(root, settings.exclude)
        for subject in subjects:
            files = _files_of(subject, archive.get(subject, ()), root)
            yield from kspace_archive.read_subject(root, subject, files, settings.frames)
        return
    from step.domains.mri.cmrxrecon import read_raw_file

    found = cmrxrecon_tree.find_raw_files(root, settings.exclude, settings.views)
    for subject in subjects:
        for raw in _files_of(subject, [raw for raw in found if raw.subject == subject], root):
            yield from read_raw_file(raw, settings.frames)


def _files_of(subject: str, files: Sequence, root: Path) -> Sequence:
    if not files:
        raise InputError(
            f"no files of subject {subject} under {root}; check its name, data.mri.views and data.mri.exclude"
        )
    return files
