"""The configuration as a JSON schema, for editors: what config/schema.json holds."""

from typing import Any

from step.config.study import Config

COMMENT = "Written by `python -m step describe --schema`. Any file overlaid on config.yaml may leave keys out."


def configuration_schema() -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of a configuration file, which need not have every key.

    It knows keys, types, choices and bounds of single values. What depends on several, such as names that must exist,
    is checked when the study is planned.
    """
    schema = Config.model_json_schema()
    named = schema["$defs"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": COMMENT,
        **_of_overlay(schema, named),
        "title": "Configuration of a study",
    }


def _of_overlay(schema: Any, named: dict[str, Any]) -> Any:
    """Return a schema that admits a mapping without some of its keys, but none with others.

    `named` are the sections that it refers to. Titles, which repeat the keys, are left out.
    """
    if isinstance(schema, list):
        return [_of_overlay(value, named) for value in schema]
    if not isinstance(schema, dict):
        return schema
    left_out = {"required": list, "title": str}  # as keywords: a key of the configuration may be called so
    kept = {key: value for key, value in schema.items() if not isinstance(value, left_out.get(key, ()))}
    if "oneOf" in kept:
        # Without the key that tells them apart, several sections may admit a mapping.
        kept["anyOf"] = _told_apart(kept.pop("oneOf"), named)
    if "patternProperties" in kept:
        kept["additionalProperties"] = False
    return {key: _of_overlay(value, named) for key, value in kept.items()}


def _told_apart(alternatives: list[dict[str, str]], named: dict[str, Any]) -> list[dict[str, Any]]:
    """Return references to sections, of which the open one does not admit the names of modules that the others have."""
    sections = [named[one["$ref"].removeprefix("#/$defs/")] for one in alternatives]
    (open_section,) = [section for section in sections if section["additionalProperties"]]
    taken = {
        key: [name for section in sections for name in _names(section["properties"].get(key, {}))]
        for key, field in open_section["properties"].items()
        if "pattern" in field  # the name of a module
    }
    refused = {key: {"not": {"enum": names}} for key, names in taken.items() if names}
    return [
        one | {"properties": refused} if section is open_section else one
        for one, section in zip(alternatives, sections, strict=True)
    ]


def _names(field: dict[str, Any]) -> list[str]:
    return field.get("enum", [field["const"]] if "const" in field else [])
