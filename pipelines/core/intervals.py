"""Arithmetic of time intervals, as (start, end) in seconds."""

from __future__ import annotations

from collections.abc import Iterable

Span = tuple[float, float]


def union(spans: Iterable[Span]) -> list[Span]:
    """The union of the spans, as ordered spans that do not touch; empty ones are dropped."""
    joined: list[Span] = []
    for start, end in sorted(span for span in spans if span[1] > span[0]):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def overlap_s(a: Span, b: Span) -> float:
    """The overlap of two spans in seconds."""
    return max(0.0, min(a[1], b[1]) - max(a[0], b[0]))


def length_s(spans: Iterable[Span]) -> float:
    """The total length of the spans in seconds; overlaps count twice."""
    return sum(end - start for start, end in spans)
