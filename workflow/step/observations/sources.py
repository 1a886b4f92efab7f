"""Which source a file of visibilities is of, and where on the sky it is."""

import math

from step.config.observations import EhtData
from step.errors import InputError
from step.observations.recorded import Recorded

SAME_DEG = 0.01
"""Coordinates that differ by less are of one source: files round them, and have them of different epochs or maps."""


def plain(source: str) -> str:
    """Return the letters and digits of a source's name, small: ``SgrA*``, ``SGRA`` and ``Sgr A*`` are one."""
    return "".join(filter(str.isalnum, source.casefold()))


def check_source(recorded: Recorded, settings: EhtData, task_source: str, of_task: tuple[float, float]) -> None:
    """Raise `InputError` where `recorded` is of another source than the observation's, or if that is null the task's.

    A file of the task's source may call it what it likes if its own coordinates are those `of_task`, right ascension
    (h) and declination (degree).
    """
    wanted = settings.source or task_source
    if plain(recorded.source) == plain(wanted):
        return
    if plain(wanted) == plain(task_source) and _is_at(recorded, *of_task):
        return
    raise InputError(
        f"{settings.files[0]} is of {recorded.source or 'no named source'}, the configuration means {wanted}; give "
        "another file, or set the observation's data.source"
    )


def _is_at(recorded: Recorded, right_ascension_h: float, declination_deg: float) -> bool:
    if recorded.right_ascension_h is None or recorded.declination_deg is None:
        return False
    across_deg = abs((recorded.right_ascension_h - right_ascension_h + 12) % 24 - 12) * 15
    up_deg = recorded.declination_deg - declination_deg
    return math.hypot(across_deg * math.cos(math.radians(declination_deg)), up_deg) < SAME_DEG


def coordinates(
    recorded: Recorded, settings: EhtData, task_source: str, of_task: tuple[float, float]
) -> tuple[float, float]:
    """Return right ascension (h) and declination (degree): the file's own, else the observation's, else the task's.

    Those `of_task` are taken for a file of the source `task_source` alone. Raises `InputError` where there are none, or
    where file and observation both have some.
    """
    file = settings.files[0]
    if recorded.right_ascension_h is not None and recorded.declination_deg is not None:
        if settings.right_ascension_h is not None:
            raise InputError(
                f"{file} has coordinates of its own, right ascension {recorded.right_ascension_h:.5f} h, "
                f"declination {recorded.declination_deg:.5f} degrees; set data.right_ascension_h and "
                "data.declination_deg to null"
            )
        return recorded.right_ascension_h, recorded.declination_deg
    if settings.right_ascension_h is not None and settings.declination_deg is not None:
        return settings.right_ascension_h, settings.declination_deg
    if plain(recorded.source) != plain(task_source):
        raise InputError(
            f"{file} is a table, without coordinates, of {recorded.source or 'no named source'}, and the task "
            f"of {task_source}; set the observation's data.right_ascension_h and data.declination_deg"
        )
    return of_task
