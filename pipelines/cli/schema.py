"""`callgrade schema`: the JSON Schemas of the configuration files, for completion and validation in an editor."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pipelines.cli.options import Commands, add_command

if TYPE_CHECKING:
    from pipelines.core.validation import JsonSchema

FILES = ("profile", "criteria", "alerts", "openid", "settings")
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def add_to(commands: Commands) -> None:
    """Register the sub-command."""
    parser = add_command(commands, "schema", run, "print the JSON Schema of a configuration file, for an editor")
    parser.add_argument("what", choices=FILES, help="the file; settings: the variables CALLGRADE_*")


def run(arguments: argparse.Namespace) -> int:
    """Print the schema; returns the exit status."""
    print(json.dumps(schema(arguments.what), indent=2, ensure_ascii=False))
    return 0


def schema(name: str) -> JsonSchema:
    """A schema by its name in `FILES`."""
    makers: Mapping[str, Callable[[], JsonSchema]] = dict(zip(FILES, (profile, criteria, alerts, openid, settings), strict=True))
    return {"$schema": _DIALECT, **makers[name]()}


def profile() -> JsonSchema:
    """The schema of a centre's profile, in which a criterion of criteria.yaml needs only its id."""
    from pipelines.centres.profile import SHARED_CRITERIA, Centre
    from pipelines.core.validation import schema_of
    from pipelines.core.yaml_lines import entries, read_yaml

    found = schema_of(Centre)
    criterion = found["$defs"]["Criterion"]
    own = [name for name in criterion["required"] if name != "id"]
    criterion |= {
        "required": ["id"],
        "anyOf": [{"properties": {"id": {"enum": list(entries(read_yaml(SHARED_CRITERIA)))}}}, {"required": own}],
    }
    return found


def criteria() -> JsonSchema:
    """The schema of criteria.yaml: complete criteria under their ids; only the weight may be left to the scorecards."""
    from pipelines.centres.profile import Centre
    from pipelines.core.validation import schema_of

    parts = schema_of(Centre)["$defs"]
    criterion = parts["Criterion"]
    del criterion["properties"]["id"]
    criterion["required"] = [name for name in criterion["required"] if name not in ("id", "weight")]
    needed = {name: parts[name] for name in ("Criterion", "Applies")}
    return {"type": "object", "additionalProperties": {"$ref": "#/$defs/Criterion"}, "$defs": needed}


def settings() -> JsonSchema:
    """The schema of the environment variables, as a mapping in a container's or service's file."""
    from models.private_files import SETTING, UMASKS
    from pipelines.core.settings import Settings, variable
    from pipelines.core.validation import schema_of

    found = schema_of(Settings)
    found["properties"] = {variable(name): field for name, field in found["properties"].items()} | {
        SETTING: {
            "type": "string",
            "enum": [f"{umask:03o}" for umask in UMASKS],
            "default": f"{UMASKS[0]:03o}",
            "description": "Who may read the written files: 077 only the user that runs Callgrade, 027 its group as well, 007 the group may also write.",
        }
    }
    return found


def alerts() -> JsonSchema:
    """The schema of alerts.yaml."""
    from pipelines.alerts.rules import Rulebook
    from pipelines.core.validation import schema_of

    return schema_of(Rulebook)


def openid() -> JsonSchema:
    """The schema of openid.yaml."""
    from pipelines.app_db.openid_settings import OpenIdSettings
    from pipelines.core.validation import schema_of

    return schema_of(OpenIdSettings)
