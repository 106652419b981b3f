"""Shared parts of the configuration models: error messages with the value, what is allowed and the nearest match.

The JSON Schema of a model defines what is allowed in a place, for editors and for these messages alike.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import CoreSchema, ErrorDetails, PydanticCustomError, core_schema
from rapidfuzz import process

Place: TypeAlias = tuple[str | int, ...]  # names and positions that lead to a value, from the top
JsonSchema: TypeAlias = dict[str, Any]


class FileModel(BaseModel):
    """The base model of configuration files: unknown names are forbidden, and instances are immutable.

    The docstring below a field is its description in the JSON Schema.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, serialize_by_alias=True)


@dataclass(frozen=True, slots=True)
class OneOf:
    """Metadata of a text that must be one of `allowed`, where these are known only at run time."""

    allowed: tuple[str, ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "enum": list(self.allowed)}

    def _check(self, value: str) -> str:
        if value not in self.allowed:
            raise wrong(not_known("value", value, self.allowed))
        return value


class EditorSchema(GenerateJsonSchema):
    """Generates a JSON Schema for editor completion.

    No titles made from names, the known names of a mapping as its properties, no null for what is left out.
    """

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        found = super().default_schema(schema)
        return {name: value for name, value in found.items() if (name, value) != ("default", None)}

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        found = super().dict_schema(schema)
        names = found.get("propertyNames", {}).get("enum")
        if names:
            del found["propertyNames"]
            found |= {"properties": dict.fromkeys(names, found["additionalProperties"]), "additionalProperties": False}
        return found


def schema_of(model: type[BaseModel]) -> JsonSchema:
    """The JSON Schema of a model, as an editor and the messages use it."""
    return model.model_json_schema(schema_generator=EditorSchema)


def wrong(said: str, *at: str | int) -> PydanticCustomError:
    """The error for a validator to raise; `at` is the path from the validated value to the invalid one."""
    return PydanticCustomError("mistake", "{said}", {"said": said, "at": at})


def not_known(what: str, value: object, allowed: Collection[str], advice: str = "") -> str:
    """The message for a value outside a list, with what is allowed and the nearest match."""
    near = process.extractOne(str(value), list(allowed), score_cutoff=55)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"{what} {value!r} is not known.{hint} Allowed: {', '.join(sorted(allowed))}. {advice}".rstrip(" .")


def place_of(error: ErrorDetails) -> Place:
    """The location of an error; an invalid or missing name is its last part."""
    at = tuple(error.get("ctx", {}).get("at", ()))
    return tuple(part for part in error["loc"] if part != "[key]") + at


def is_of_name(error: ErrorDetails) -> bool:
    """Whether the error is in a name and not in its value."""
    return error["type"] == "extra_forbidden" or error["loc"][-1:] == ("[key]",)


def in_words(error: ErrorDetails, schema: JsonSchema, named: Mapping[str, str] | None = None) -> str:
    """The error message, without its location. `named` maps fields to the names that the reader knows."""
    place, kind = place_of(error), error["type"]
    if is_of_name(error):
        return not_known("field", place[-1], list(_at(schema, place[:-1]).get("properties", ())))
    name = next((part for part in reversed(place) if isinstance(part, str)), "")
    label = (named or {}).get(name, name)
    if kind == "missing":
        return f"{label!r} is missing here"
    value, allowed = error["input"], _at(schema, place)
    if kind == "mistake" and "enum" not in allowed:
        return error["msg"]
    if isinstance(value, list | dict) or value is None:
        return _shape(label, allowed)
    if "enum" in allowed or allowed.get("type") == "boolean":
        return not_known(label, value, allowed.get("enum", ("true", "false")))
    if allowed.get("type") in ("number", "integer"):
        return f"{label} is {value!r}; it must be {_number(allowed, is_number=kind in ('greater_than_equal', 'less_than_equal'))}"
    return _shape(label, allowed) if kind.endswith("_type") else f"{label} is {value!r}: {error['msg']}"


def _shape(label: str, allowed: JsonSchema) -> str:
    match allowed.get("type"):
        case "array":
            return f"{label} must be a list" + (f" of {allowed['minItems']} or more" if allowed.get("minItems") else "")
        case "object":
            return "a mapping of names to values is expected here"
        case _:
            return f"{label} must be a single value"


def _number(allowed: JsonSchema, *, is_number: bool) -> str:
    what = "" if is_number else "a whole number " if allowed["type"] == "integer" else "a number "
    least, most = allowed.get("minimum"), allowed.get("maximum")
    if most is not None:
        return f"{what}from {least:g} to {most:g}"
    return f"{what.rstrip()}, {least:g} or more".lstrip(", ") if least is not None else what


def _at(schema: JsonSchema, place: Sequence[str | int]) -> JsonSchema:
    """The schema of a location; empty where it is unknown."""
    found = schema
    for part in (*place, None):
        if "anyOf" in found:  # a mapping, or its id alone
            found = next((one for one in found["anyOf"] if "$ref" in one or "properties" in one), found)
        if "$ref" in found:
            found = schema["$defs"][found["$ref"].rpartition("/")[2]]
        if isinstance(part, int):
            found = found.get("items", {})
        elif part is not None:
            other = found.get("additionalProperties")
            found = found.get("properties", {}).get(part, other if isinstance(other, dict) else {})
    return found
