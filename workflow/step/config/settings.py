"""How a stage gets its settings: one JSON text that holds exactly the values it uses."""

import json
from typing import Protocol, TypeVar

from pydantic import ValidationError

from step.config.sections import Section
from step.config.study import describe_problem
from step.config.tasks import MeasurementOfDomain
from step.errors import InputError

S = TypeVar("S", bound=Section)


class _OfMeasurement(Protocol):
    @property
    def measurement(self) -> MeasurementOfDomain | None: ...


def dump_settings(settings: Section) -> str:
    """Return `settings` as sorted JSON: equal settings give equal text, whatever the order of their keys."""
    return json.dumps(settings.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))


def parse_settings(text: str, section: type[S]) -> S:
    """Return the settings in `text`; raises `InputError` for a missing, unknown or impossible value."""
    try:
        return section.model_validate_json(text)
    except ValidationError as error:
        raise InputError(f"--settings: {describe_problem(error)}") from None


def modules_of_measurement(settings: _OfMeasurement) -> list[str]:
    """Return the modules that ``settings.measurement`` names, if there is one.

    They are imported by name: stages that build it say so with ``modules``, which the workflow asks for.
    """
    return settings.measurement.modules if settings.measurement else []
