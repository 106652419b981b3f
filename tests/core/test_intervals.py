from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyannote.core import Segment, Timeline

from pipelines.core.intervals import Span, length_s, overlap_s, union

spans = st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda pair: (float(min(pair)), float(max(pair))))


@given(st.lists(spans))
def test_the_union_is_that_of_pyannote(some: list[Span]) -> None:
    theirs = Timeline([Segment(*span) for span in some if span[1] > span[0]]).support()
    assert union(some) == [(s.start, s.end) for s in theirs]
    assert length_s(union(some)) == pytest.approx(theirs.duration())


@given(spans, spans)
def test_the_overlap_is_what_both_and_their_union_leave(a: Span, b: Span) -> None:
    assert overlap_s(a, b) == overlap_s(b, a) == pytest.approx(length_s([a, b]) - length_s(union([a, b])))
