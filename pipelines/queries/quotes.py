"""Transcript excerpts as a reader may see them: personal data masked, also in calls stored with raw text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from pipelines.core.grouping import by_call
from pipelines.core.intervals import Span
from pipelines.core.published import Published, Row
from pipelines.queries.masking import masked


def quoted(published: Published, rows: Sequence[Row], *, hears_personal_data: bool = False) -> list[Row]:
    """The rows with personal data masked in their quotes, where the call was stored with raw text."""
    raw = [] if hears_personal_data else _raw_calls(rows)
    if not raw:
        return list(rows)
    words, personal = _words(published, raw), _personal(published, raw)
    return [
        row | {"quote": _within(words[row["call_id"]], personal[row["call_id"]], row["start_s"], row["end_s"]) if row["quote"] else None}
        if row["call_id"] in raw else row
        for row in rows
    ]  # fmt: skip


def context(published: Published, call_id: str, start_s: float, end_s: float) -> list[Row]:
    """The turns in a stretch of a call, each with the words audible in it; personal data is masked for every reader."""
    return contexts(published, {call_id: [(start_s, end_s)]})[call_id, start_s, end_s]


def contexts(published: Published, pieces: Mapping[str, Sequence[Span]]) -> dict[tuple[str, float, float], list[Row]]:
    """The same for stretches of several calls, by call, start and end."""
    ids = list(pieces)
    said, personal = _words(published, ids), _personal(published, ids)
    turns = by_call(published.of_calls("turns", ids, "call_id, start_s, turn_no", "call_id, turn_no, role, start_s, end_s"))
    found = {}
    for call_id, spans in pieces.items():
        for start_s, end_s in spans:
            words: dict[int, list[Row]] = defaultdict(list)
            for word in said[call_id]:
                if word["start_s"] < end_s and word["end_s"] > start_s:
                    words[word["turn_no"]].append(word)
            found[call_id, start_s, end_s] = [
                {name: turn[name] for name in ("turn_no", "role", "start_s", "end_s")}
                | {"text": masked(words[turn["turn_no"]], personal[call_id])}
                for turn in turns[call_id]
                if turn["start_s"] < end_s and turn["end_s"] > start_s and words[turn["turn_no"]]
            ]
    return found


def texts(published: Published, rows: Sequence[Row], hears_personal_data: bool) -> dict[tuple[str, int], Row]:
    """The turns of these rows as the reader may see them."""
    ids, numbers = sorted({row["call_id"] for row in rows}), sorted({row["turn_no"] for row in rows})
    found = published.of_calls("turns", ids, "call_id", "call_id, turn_no, text, language", "list_contains(?, turn_no)", [numbers])
    read = {(turn["call_id"], turn["turn_no"]): turn for turn in found}
    raw = [] if hears_personal_data else _raw_calls(rows)
    if raw:
        words, personal = _words(published, raw), _personal(published, raw)
        for (call_id, turn_no), turn in read.items():
            if call_id in words:
                turn["text"] = masked([w for w in words[call_id] if w["turn_no"] == turn_no], personal[call_id])
    return read


def _raw_calls(rows: Sequence[Row]) -> list[str]:
    return sorted({row["call_id"] for row in rows if row["text_kept"] == "raw"})


def _within(words: Sequence[Row], personal: Sequence[Row], start_s: float, end_s: float) -> str:
    return masked([w for w in words if start_s - 0.01 <= w["start_s"] and w["end_s"] <= end_s + 0.01], personal) or "[…]"


def _words(published: Published, ids: Sequence[str]) -> defaultdict[str, list[Row]]:
    return by_call(published.of_calls("words", ids, "call_id, turn_no, word_no"))


def _personal(published: Published, ids: Sequence[str]) -> defaultdict[str, list[Row]]:
    return by_call(published.of_calls("personal_data", ids, "call_id, start_s"))
