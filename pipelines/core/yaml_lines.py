"""Reads YAML into models; errors are reported with their line, the value and the nearest allowed one."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from models.languages.phrases import LOADER
from pipelines.core.errors import MisconfiguredError
from pipelines.core.validation import FileModel, JsonSchema, in_words, is_of_name, place_of, schema_of

M = TypeVar("M", bound=FileModel)


def read_model(path: Path, model: type[M]) -> M:
    """The model in a YAML file. Raises MisconfiguredError with every error: file, line, value, what is allowed and the nearest match."""
    return check(read_yaml(path), model)


def read_yaml(path: Path) -> yaml.MappingNode:
    """The top mapping of a YAML file. Raises MisconfiguredError when it cannot be read or is something else."""
    try:
        with path.open(encoding="utf-8") as file:
            return _composed(file, str(path))
    except OSError as error:
        raise MisconfiguredError(f"{path} cannot be read: {error.strerror}.") from error


def parse_yaml(text: str, name: str) -> yaml.MappingNode:
    """The top mapping of a YAML text; `name` stands for the file in messages. Raises MisconfiguredError as `read_yaml` does."""
    return _composed(_NamedText(text, name), name)


class _NamedText(io.StringIO):
    """A text with the name that its marks and messages have."""

    def __init__(self, text: str, name: str) -> None:
        super().__init__(text)
        self.name = name


def _composed(source: IO[str], name: str) -> yaml.MappingNode:
    try:
        node = yaml.compose(source, Loader=LOADER)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        raise MisconfiguredError(f"{name}{line} is not YAML: {getattr(error, 'problem', error)}.") from error
    if not isinstance(node, yaml.MappingNode):
        raise MisconfiguredError(f"{name} must be a mapping of names to values.")
    return node


def check(node: yaml.MappingNode, model: type[M]) -> M:
    """The model in a mapping. Raises MisconfiguredError as `read_model` does."""
    try:
        return model.model_validate(_plain(node), context=Path(str(node.start_mark.name)))
    except ValidationError as error:
        schema = schema_of(model)
        described = dict.fromkeys(_messages(node, schema, mistake) for mistake in error.errors())
        raise MisconfiguredError("\n".join(described)) from error


def entries(node: yaml.Node | None) -> dict[str, yaml.Node]:
    """The values of a mapping by name, in order; empty for any other type."""
    return {str(key.value): value for key, value in node.value} if isinstance(node, yaml.MappingNode) else {}


def where(node: yaml.Node) -> str:
    """File and line for a message."""
    return f"{node.start_mark.name} line {node.start_mark.line + 1}"


def _plain(node: yaml.Node) -> Any:
    """Plain mappings, lists and strings, for the model to parse; a name without a value is omitted."""
    if isinstance(node, yaml.MappingNode):
        return {name: _plain(value) for name, value in entries(node).items() if value.tag != "tag:yaml.org,2002:null"}
    return [_plain(item) for item in node.value] if isinstance(node, yaml.SequenceNode) else node.value


def _messages(node: yaml.Node, schema: JsonSchema, mistake: ErrorDetails) -> str:
    said = in_words(mistake, schema)
    return f"{where(_found(node, place_of(mistake), is_of_name(mistake)))}: {said}{'' if said.endswith('?') else '.'}"


def _found(node: yaml.Node, place: Sequence[str | int], of_name: bool) -> yaml.Node:
    """The nearest node to a location: the surrounding mapping for something missing."""
    for part in place[:-1] if of_name else place:
        node = node.value[part] if isinstance(part, int) else entries(node).get(part, node)
    return next(key for key, _ in node.value if str(key.value) == place[-1]) if of_name else node
