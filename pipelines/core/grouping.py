"""Groups rows by a key, preserving their order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, TypeVar, cast

K = TypeVar("K", bound=Hashable)
R = TypeVar("R")


def grouped(rows: Iterable[R], key: Callable[[R], K]) -> defaultdict[K, list[R]]:
    """The rows by key; an empty list for a missing key."""
    found: defaultdict[K, list[R]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return found


def by_call(rows: Iterable[R]) -> defaultdict[str, list[R]]:
    """The records, or rows of a query, by call."""
    return grouped(rows, _call_id)


def _call_id(row: object) -> str:
    return cast(str, row["call_id"] if isinstance(row, Mapping) else cast(Any, row).call_id)
