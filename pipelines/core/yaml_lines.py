"""YAML read with its line numbers, so that a mistake in a profile is told with its place, its value and the nearest allowed one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, overload
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from rapidfuzz import process

from models.languages.phrases import LOADER
from pipelines.core.errors import MisconfiguredError

D = TypeVar("D")


def not_allowed(where: str, what: str, value: object, allowed: Collection[str], advice: str = "") -> MisconfiguredError:
    """The error for a value outside a list: it names the place, the value, what is allowed and the nearest match."""
    near = process.extractOne(str(value), list(allowed), score_cutoff=55)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return MisconfiguredError(f"{where}: {what} {value!r} is not known.{hint} Allowed: {', '.join(sorted(allowed))}. {advice}".rstrip())


def read_yaml(path: Path) -> Entry:
    """The top mapping of a YAML file. Raises MisconfiguredError when it cannot be read or is something else."""
    try:
        with path.open(encoding="utf-8") as file:
            node = yaml.compose(file, Loader=LOADER)
    except OSError as error:
        raise MisconfiguredError(f"{path} cannot be read: {error.strerror}.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        raise MisconfiguredError(f"{path}{line} is not YAML: {getattr(error, 'problem', error)}.") from error
    if not isinstance(node, yaml.MappingNode):
        raise MisconfiguredError(f"{path} must hold a mapping of names to values.")
    return Entry(path, node)


@dataclass(frozen=True, slots=True)
class Entry:
    """A value of the file with its place; the readers below check it and say where it is wrong."""

    path: Path
    node: Any

    @property
    def where(self) -> str:
        """File and line, as people look them up."""
        return f"{self.path} line {self.node.start_mark.line + 1}"

    def error(self, message: str) -> MisconfiguredError:
        """An error at this place."""
        return MisconfiguredError(f"{self.where}: {message}.")

    def not_allowed(self, what: str, value: object, allowed: Collection[str], advice: str = "") -> MisconfiguredError:
        """An error at this place for a value outside a list."""
        return not_allowed(self.where, what, value, allowed, advice)

    def names(self) -> list[str]:
        """The names in this mapping, in order; none when it is empty."""
        if isinstance(self.node, yaml.ScalarNode) and self.node.tag == "tag:yaml.org,2002:null":
            return []
        if not isinstance(self.node, yaml.MappingNode):
            raise self.error("a mapping of names to values is expected here")
        return [str(key.value) for key, _ in self.node.value]

    def allow(self, *names: str) -> None:
        """Refuse any name in this mapping that is not one of these."""
        for key in self.names():
            if key not in names:
                place = next(k for k, _ in self.node.value if str(k.value) == key)
                raise Entry(self.path, place).not_allowed("field", key, names)

    def get(self, key: str) -> Entry:
        """The value under a name, which must be there."""
        if isinstance(self.node, yaml.MappingNode):
            for name, value in self.node.value:
                if str(name.value) == key:
                    return Entry(self.path, value)
        raise self.error(f"{key!r} is missing here")

    def child(self, key: str) -> Entry:
        """The mapping under a name, an empty one when it is not there."""
        if key in self.names():
            return self.get(key)
        mark = self.node.start_mark
        return Entry(self.path, yaml.MappingNode("tag:yaml.org,2002:map", [], start_mark=mark, end_mark=mark))

    def items(self, key: str) -> list[Entry]:
        """The members of the list under a name, which must be there."""
        entry = self.get(key)
        if not isinstance(entry.node, yaml.SequenceNode):
            raise entry.error(f"{key} must be a list")
        return [Entry(self.path, node) for node in entry.node.value]

    def text(self, key: str) -> str:
        """The text under a name, which must be there."""
        return self.get(key)._scalar(key)

    def texts(self, key: str) -> tuple[str, ...]:
        """The list of texts under a name."""
        return tuple(item._scalar(key) for item in self.items(key))

    def choice(self, key: str, allowed: Sequence[str], default: str | None = None) -> str:
        """The text under a name, one of `allowed`."""
        if default is not None and key not in self.names():
            return default
        value = self.text(key)
        if value not in allowed:
            raise self.get(key).not_allowed(key, value, allowed)
        return value

    def choices(self, key: str, allowed: Sequence[str], default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """The list of texts under a name, each one of `allowed`."""
        if default is not None and key not in self.names():
            return default
        for item in self.items(key):
            if item._scalar(key) not in allowed:
                raise item.not_allowed(key, item.node.value, allowed)
        return self.texts(key)

    def number(self, key: str, default: float | None, least: float, most: float) -> float:
        """The number under a name, between `least` and `most`."""
        if default is not None and key not in self.names():
            return default
        entry = self.get(key)
        try:
            value = float(entry._scalar(key))
        except ValueError:
            raise entry.error(f"{key} is {entry.node.value!r}; it must be a number from {least:g} to {most:g}") from None
        if not least <= value <= most:
            raise entry.error(f"{key} is {value:g}; it must be from {least:g} to {most:g}")
        return value

    @overload
    def flag(self, key: str, default: bool) -> bool: ...
    @overload
    def flag(self, key: str, default: None) -> bool | None: ...
    def flag(self, key: str, default: bool | None) -> bool | None:
        """The true or false under a name."""
        if key not in self.names():
            return default
        value = self.text(key).lower()
        if value not in ("true", "false"):
            raise self.get(key).not_allowed(key, value, ("true", "false"))
        return value == "true"

    def timezone(self, key: str) -> ZoneInfo:
        """The time zone under a name, by its IANA name."""
        name = self.text(key)
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            from zoneinfo import available_timezones

            near = process.extractOne(name, sorted(available_timezones()))
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise self.get(key).error(f"timezone {name!r} is not known to this system (an IANA name such as Europe/Kyiv).{hint}") from None

    def _scalar(self, key: str) -> str:
        if not isinstance(self.node, yaml.ScalarNode):
            raise self.error(f"{key} must be a single value")
        return str(self.node.value)
