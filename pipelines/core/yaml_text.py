"""Writes single YAML values as text."""

from __future__ import annotations

import json
import re
from typing import TypeAlias

import yaml

Data: TypeAlias = "str | list[Data] | dict[str, Data] | None"
_ESCAPED = re.compile(r"[^\n\t\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


class Plain(str):
    """A number, a truth value or a date: text that is never quoted."""


def flow(value: Data, style: str | None = None, *, in_flow: bool = True) -> str:
    """Data as YAML on one line; a scalar in this style, if it can be written so."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_scalar(name, None, in_flow=True)}: {flow(one)}' for name, one in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(flow(one) for one in value)}]"
    return "null" if value is None else _scalar(value, style, in_flow=in_flow)


def _scalar(value: str, style: str | None = None, *, in_flow: bool) -> str:
    """A text, without quotes where it is still read as this text; in this style, if it can be written so."""
    if isinstance(value, Plain):
        return str(value)
    if style in (None, "") and _is_plain(value, in_flow=in_flow):
        return value
    if style == "'" and "\n" not in value and not _ESCAPED.search(value):
        return "'" + value.replace("'", "''") + "'"
    return _ESCAPED.sub(lambda found: f"\\U{ord(found.group()):08x}", json.dumps(value, ensure_ascii=False))


def _is_plain(value: str, *, in_flow: bool) -> bool:
    """Whether a text may be written without quotes and is still read as this text."""
    if "\n" in value:
        return False
    try:
        around = yaml.compose(f"[{value}]" if in_flow else f"- {value}", Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return False
    if not isinstance(around, yaml.SequenceNode) or len(around.value) != 1:
        return False
    (node,) = around.value
    return isinstance(node, yaml.ScalarNode) and not node.style and node.value == value and node.tag == "tag:yaml.org,2002:str"
