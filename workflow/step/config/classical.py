"""The `classical` section of a task: reconstructions without a learned prior, by the modules that make them."""

from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, SerializeAsAny, TypeAdapter
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_before_validator_function
from typing_extensions import TypedDict

from step.config.sections import AnySettings, Count, ModuleName, NonNegative, Section


class TotalVariation(Section):
    """Isotropic total variation over time, y and x, by accelerated proximal gradient steps (linear measurements)."""

    weight: NonNegative = Field(
        description="weight of the total variation against half the squared residual, in units of the video"
    )
    iterations: Count = Field(description="iterations of the outer loop")


class LowRankSparse(Section):
    """A background of low rank plus a part that is sparse in temporal frequency (linear measurements of MRI)."""

    low_rank_weight: NonNegative = Field(
        description="weight of the nuclear norm of the background, pixels x frames, in units of the zero-filled "
        "video's largest singular value; with both weights 1 nothing is left"
    )
    sparse_weight: NonNegative = Field(
        description="weight of the l1 norm of the other part's temporal spectrum, in units of the largest magnitude in "
        "that of the zero-filled video"
    )
    iterations: Count = Field(description="proximal gradient steps")


OURS: dict[str, type[Section]] = {"total_variation": TotalVariation, "low_rank_sparse": LowRankSparse}
"""The `Settings` of the modules of `step.classical`, known without importing these."""


class _OfItsModule:
    """Checks each section by the `Settings` of the module that it is called by, and describes the library's ones."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_before_validator_function(_by_their_modules, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        def described(kind: Any) -> JsonSchemaValue:
            return handler(TypeAdapter(kind).core_schema)

        return {
            "type": "object",
            "properties": {name: described(section) for name, section in OURS.items()},
            "additionalProperties": described(AnySettings),
            "propertyNames": described(ModuleName),
        }


def _by_their_modules(values: Any) -> Any:
    """Return sections as those of the modules by whose names they are called; of one from elsewhere as they are."""
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        return values
    sections = {name: OURS.get(name, AnySettings) for name in values}
    by_name: Any = TypedDict("Classical", sections)  # type: ignore[misc]  # of names that are known now alone
    return TypeAdapter(by_name).validate_python(values)


ClassicalByModule = Annotated[dict[ModuleName, SerializeAsAny[Section]], _OfItsModule()]
"""What a task says of each classical reconstruction, by the name of its module."""
