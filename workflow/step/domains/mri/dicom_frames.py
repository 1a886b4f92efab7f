"""The frames of enhanced multi-frame DICOM files: what their functional groups say of each.

DICOM PS3.3, C.7.6.16: what holds for all frames stands in the shared groups, else in the groups of the frame. Philips
scanners and Siemens' XA software write cines so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from step.domains.mri.dicom_files import REMEDY, Tag, read_number
from step.errors import InputError

if TYPE_CHECKING:
    from pydicom import Dataset

GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")


@dataclass(frozen=True)
class FrameGroups:
    """The functional groups of one frame of a file."""

    number: int  # from 0
    own: "Dataset"
    shared: "Dataset | None"

    def group(self, name: str) -> "Dataset | None":
        """Return the first item of the sequence `name`, the frame's own or the shared one; None where there is none."""
        for groups in (self.own, self.shared):
            items = _items(groups, name) if groups is not None else ()
            if items:
                return items[0]
        return None


def frames_of(header: "Dataset", n_frames: int, path: Path) -> list[FrameGroups]:
    """Return the groups of the `n_frames` frames of a file; raises `InputError` where it does not say them all."""
    own = _items(header, GROUPS[1])
    if not own:
        raise InputError(
            f"{n_frames} frames in one DICOM file without functional groups, which would say where and when each is: "
            f"{path}; convert it to an enhanced one, or {REMEDY}"
        )
    if len(own) != n_frames:
        raise InputError(f"{n_frames} frames and functional groups of {len(own)}: {path}; copy it again, or {REMEDY}")
    shared = _items(header, GROUPS[0])
    return [FrameGroups(number, groups, shared[0] if shared else None) for number, groups in enumerate(own)]


def trigger_of(frame: FrameGroups, path: Path) -> float | None:
    """Return the time of a frame after the R wave, ms, None where its groups do not say it."""
    group = frame.group("CardiacSynchronizationSequence")
    tags: tuple[Tag, ...] = ("NominalCardiacTriggerDelayTime", "ActualCardiacTriggerDelayTime")
    found = (read_number(group, tag, path) for tag in tags) if group is not None else ()
    return next((time for time in found if time is not None), None)


def _items(dataset: "Dataset", name: str) -> Sequence["Dataset"]:
    value = dataset.get(name)
    return value if value is not None else ()
