"""Reads training data of one item a line: `w<number of the writer>.jsonl` files in a folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


def read_items(folder: Path, item_of: Callable[[dict[str, Any], Path], T]) -> list[T]:
    """Every item of a folder, in order of the files; `item_of` gets the values of a line and its file.

    Raises ValueError with the file and line of a wrong one.
    """
    found = []
    for path in sorted(folder.glob("w*.jsonl")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            try:
                found.append(item_of(json.loads(line), path))
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise ValueError(f"{path} line {number}: {error!r}") from error
    return found


def writer_of(path: Path) -> int:
    """The number of the writer of a file."""
    return int(path.stem[1:])


def by_language(texts: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """The sentences of each language."""
    return {code: tuple(some) for code, some in texts.items()}
