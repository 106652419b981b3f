"""The JSON Schemas of the files that people write, for an editor to complete from and to check while they type."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from models.private_files import SETTING, UMASKS
from pipelines.alerts.rules import Rulebook
from pipelines.centres.profile import SHARED_CRITERIA, Centre
from pipelines.core.settings import Settings, variable
from pipelines.core.yaml_lines import entries, read_yaml
from pipelines.validation import JsonSchema, schema_of
from pipelines.web.auth.openid_settings import Rules

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def profile() -> JsonSchema:
    """The schema of a centre's profile: a criterion of criteria.yaml needs no more than its id there."""
    found = schema_of(Centre)
    criterion = found["$defs"]["Criterion"]
    own = [name for name in criterion["required"] if name != "id"]
    criterion |= {
        "required": ["id"],
        "anyOf": [{"properties": {"id": {"enum": list(entries(read_yaml(SHARED_CRITERIA)))}}}, {"required": own}],
    }
    return found


def criteria() -> JsonSchema:
    """The schema of criteria.yaml: whole criteria under their ids; only the weight may be left to the scorecards."""
    parts = schema_of(Centre)["$defs"]
    criterion = parts["Criterion"]
    del criterion["properties"]["id"]
    criterion["required"] = [name for name in criterion["required"] if name not in ("id", "weight")]
    needed = {name: parts[name] for name in ("Criterion", "Applies")}
    return {"type": "object", "additionalProperties": {"$ref": "#/$defs/Criterion"}, "$defs": needed}


def settings() -> JsonSchema:
    """The schema of the variables of the environment, as a mapping of them in a file of a container or a service."""
    found = schema_of(Settings)
    found["properties"] = {variable(name): field for name, field in found["properties"].items()} | {
        SETTING: {
            "type": "string",
            "enum": [f"{umask:03o}" for umask in UMASKS],
            "default": f"{UMASKS[0]:03o}",
            "description": "Who reads the files that are written: 077 only the user that runs Callgrade, 027 its group as well, 007 the group may also write.",
        }
    }
    return found


SCHEMAS: Mapping[str, Callable[[], JsonSchema]] = {
    "profile": profile,
    "criteria": criteria,
    "alerts": lambda: schema_of(Rulebook),
    "openid": lambda: schema_of(Rules),
    "settings": settings,
}


def schema(name: str) -> JsonSchema:
    """A schema by its name in `SCHEMAS`."""
    return {"$schema": _DIALECT, **SCHEMAS[name]()}
