"""Rewrites a YAML text to hold other data; what does not change keeps its comments, order and layout.

The old and the new data are compared part by part, and the text of each part that differs is replaced by way of the positions that the
parser gives: a value, an entry of a mapping, an item of a list. The result is parsed again and compared with what was asked for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import cast

import yaml

from models.languages.phrases import LOADER
from pipelines.core.errors import MisconfiguredError
from pipelines.core.yaml_text import Data, Plain, flow
from pipelines.scorecards.errors import ScorecardError

LONGEST_FLOW = 100  # characters of a new value on one line; longer lists and mappings get a line for each part


def read(text: str) -> Data:
    """The data of a YAML text, with every scalar as text and null as None. Raises MisconfiguredError when it is not YAML."""
    return _data(_compose(text))


def as_data(value: object) -> Data:
    """Plain Python values (mappings, sequences, texts, numbers, None) as data."""
    if isinstance(value, Mapping):
        return {str(name): as_data(one) for name, one in value.items()}
    if isinstance(value, bool):
        return Plain(str(value).lower())
    if isinstance(value, int | float):
        return Plain(f"{value:.12g}")
    if value is None or isinstance(value, str):
        return value
    return [as_data(one) for one in cast(Sequence[object], value)]


def rewrite(text: str, data: Data) -> str:
    """The text with other data; everything that does not differ is as before.

    Raises MisconfiguredError where the layout is too unusual to be changed in place, such as an alias or a list directly in a list.
    """
    text = text if text.endswith("\n") else text + "\n"
    edits = _Edits(text)
    edits.merge(_compose(text), data, in_flow=False)
    changed = edits.applied()
    try:
        is_right = read(changed) == data
    except MisconfiguredError:
        is_right = False
    if not is_right:
        raise ScorecardError("sc_err_layout")
    return changed


def _compose(text: str) -> yaml.Node:
    """The nodes of a YAML text.

    Read by the loader in Python, as the C loader gives the positions of an empty value differently; by the C loader where only that one
    accepts the text, such as a question mark at the end of a text in braces. `rewrite` compares its result with what was to be written.
    """
    try:
        try:
            node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.YAMLError:
            node = yaml.compose(text, Loader=LOADER)
    except yaml.YAMLError as error:
        raise MisconfiguredError(f"The text is not YAML: {error}.") from error
    if node is None:
        raise ScorecardError("sc_err_empty")
    return node


def _data(node: yaml.Node) -> Data:
    if isinstance(node, yaml.MappingNode):
        return {str(key.value): _data(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_data(item) for item in node.value]
    if node.tag == "tag:yaml.org,2002:null":
        return None
    return str(node.value) if node.tag == "tag:yaml.org,2002:str" else Plain(node.value)


class _Edits:
    """Replacements of parts of a text, collected and then applied."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._found: list[tuple[int, int, str]] = []

    def applied(self) -> str:
        text = self._text
        for start, end, new in reversed(sorted(self._found, key=lambda edit: edit[:2])):
            text = text[:start] + new + text[end:]
        return text

    def merge(self, node: yaml.Node, new: Data, *, in_flow: bool) -> None:
        """Replace what differs between a node and its new data."""
        if _data(node) == new:
            return
        if isinstance(node, yaml.MappingNode) and isinstance(new, dict) and node.value and new.keys() & {k.value for k, _ in node.value}:
            self._mapping(node, new, in_flow or bool(node.flow_style))
        elif isinstance(node, yaml.SequenceNode) and isinstance(new, list) and node.value and new:
            self._sequence(node, new, in_flow or bool(node.flow_style))
        else:
            start, end = node.start_mark.index, self._end(node)
            style = node.style if isinstance(node, yaml.ScalarNode) else None
            self._replace(start, end, (" " if start == end else "") + flow(new, style, in_flow=in_flow))

    def _replace(self, start: int, end: int, new: str) -> None:
        self._found.append((start, end, new))

    def _mapping(self, node: yaml.MappingNode, new: dict[str, Data], in_flow: bool) -> None:
        parts = [(key.start_mark.index, self._end(value)) for key, value in node.value]
        gone = [n for n, (key, _) in enumerate(node.value) if key.value not in new]
        for key, value in node.value:
            if key.value in new:
                self.merge(value, new[key.value], in_flow=in_flow)
        names = {key.value for key, _ in node.value}
        added = {name: value for name, value in new.items() if name not in names}
        last = max(n for n in range(len(parts)) if n not in gone)
        if in_flow:
            self._add_in_flow(parts[last][1], [f"{flow(name)}: {flow(value)}" for name, value in added.items()])
            self._remove_in_flow(parts, gone)
            return
        column = node.start_mark.column
        at = self._line_end(parts[last][1])
        self._replace(at, at, "".join(_block_entry(name, value, column) for name, value in added.items()))
        for first, after in _runs(gone):
            start = self._line_start(parts[first][0])
            if self._text[start : parts[first][0]].strip():  # the first name of a mapping that begins on the line of its dash
                self._replace(parts[first][0], parts[after][0], "")
            else:
                self._replace(start, self._line_end(parts[after - 1][1]), "")

    def _sequence(self, node: yaml.SequenceNode, new: list[Data], in_flow: bool) -> None:
        items, data = node.value, [_data(item) for item in node.value]
        parts = [(item.start_mark.index, self._end(item)) for item in items]
        gone: list[int] = []
        added: list[tuple[int, list[Data]]] = []  # after which item, -1: before the first
        for _, i, i_end, j, j_end in SequenceMatcher(None, [_key(d) for d in data], [_key(d) for d in new], autojunk=False).get_opcodes():
            both = min(i_end - i, j_end - j)
            for n in range(both):
                self.merge(items[i + n], new[j + n], in_flow=in_flow)
            gone += range(i + both, i_end)
            if j_end > j + both:
                added.append((i + both - 1, new[j + both : j_end]))
        if in_flow:
            for after, values in added:
                texts = [flow(value) for value in values]
                if after >= 0:
                    self._add_in_flow(parts[after][1], texts)
                else:
                    self._replace(parts[0][0], parts[0][0], "".join(f"{text}, " for text in texts))
            self._remove_in_flow(parts, gone)
            return
        column = node.start_mark.column
        lines = [(self._dash_line(start, column), self._line_end(end)) for start, end in parts]
        for after, values in added:
            at = lines[after][1] if after >= 0 else lines[0][0]
            self._replace(at, at, "".join(_block_item(value, column) for value in values))
        for n in gone:
            self._replace(*lines[n], "")

    def _add_in_flow(self, at: int, texts: Sequence[str]) -> None:
        self._replace(at, at, "".join(f", {text}" for text in texts))

    def _remove_in_flow(self, parts: Sequence[tuple[int, int]], gone: Sequence[int]) -> None:
        for first, after in _runs(gone):
            if after < len(parts):
                self._replace(parts[first][0], parts[after][0], "")
            else:
                self._replace(parts[first - 1][1], parts[after - 1][1], "")

    def _end(self, node: yaml.Node) -> int:
        """Where the content of a node ends, without the comments and empty lines after it."""
        if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
            last = node.value[-1]
            return self._end(last[1] if isinstance(node, yaml.MappingNode) else last)
        end = int(node.end_mark.index)
        if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
            end = len(self._text[:end].rstrip())
        return end

    def _line_start(self, at: int) -> int:
        return self._text.rfind("\n", 0, at) + 1

    def _line_end(self, at: int) -> int:
        """After the line break at the end of a line."""
        return self._text.find("\n", at) + 1 or len(self._text)

    def _dash_line(self, at: int, column: int) -> int:
        """The start of the line with the dash of an item of a list."""
        start = self._line_start(at)
        while start > 0 and self._text[start + column : start + column + 1] != "-":
            start = self._line_start(start - 1)
        return start


def _key(data: Data) -> str:
    """What identifies an item of a list: its id, or else all of it."""
    if isinstance(data, dict):
        named = data.get("id")
        return named if isinstance(named, str) else json.dumps(data, sort_keys=True)
    return data if isinstance(data, str) else json.dumps(data, sort_keys=True)


def _runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Consecutive numbers as half-open ranges."""
    found: list[tuple[int, int]] = []
    for n in numbers:
        if found and found[-1][1] == n:
            found[-1] = found[-1][0], n + 1
        else:
            found.append((n, n + 1))
    return found


def _block_entry(name: str, value: Data, column: int) -> str:
    """An entry of a mapping as lines."""
    head = f"{' ' * column}{flow(name)}:"
    short = f"{head} {flow(value, in_flow=not isinstance(value, str))}\n"
    if not isinstance(value, dict | list) or len(short) <= LONGEST_FLOW:
        return short
    if isinstance(value, dict):
        return f"{head}\n" + "".join(_block_entry(inner, one, column + 2) for inner, one in value.items())
    return f"{head}\n" + "".join(_block_item(one, column + 2) for one in value)


def _block_item(value: Data, column: int) -> str:
    """An item of a list as lines."""
    short = f"{' ' * column}- {flow(value, in_flow=not isinstance(value, str))}\n"
    if not isinstance(value, dict) or not value or len(short) <= LONGEST_FLOW:
        return short
    entries = "".join(_block_entry(name, one, column + 2) for name, one in value.items())
    return f"{' ' * column}- {entries[column + 2 :]}"
