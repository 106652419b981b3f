"""Splits items into batches of a bounded size, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def in_groups(items: Iterable[T], size: Callable[[T], float], most: float) -> Iterator[list[T]]:
    """Groups whose sizes add up to `most` at most, in the order of the items; a larger item is a group of its own.

    Items are consumed lazily, so that a generator keeps memory flat.
    """
    group: list[T] = []
    held = 0.0
    for item in items:
        length = size(item)
        if group and held + length > most:
            yield group
            group, held = [], 0.0
        group.append(item)
        held += length
    if group:
        yield group
