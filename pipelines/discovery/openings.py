"""What clients say first in the calls of a centre, as the published copy has it: personal data masked."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pipelines.core.grouping import by_call
from pipelines.core.published import Published, Row
from pipelines.queries.quotes import texts

OPENING_WORDS = 60  # of the client, in which the reason is said
LEAST_WORDS = 4  # of a turn that may say the reason
SURE_TOPIC = 0.7  # from this confidence a call fits its topic
OTHER = "other"
PLACEHOLDER = re.compile(r"\[[A-Z_]+\]")
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Opening:
    """The first words of a client, and the turn that says most of them."""

    call_id: str
    words: str
    turn_no: int
    language: str


@dataclass(frozen=True, slots=True)
class CountedCalls:
    """The graded calls that a centre received in some days (`total`), and those of them that fit no topic (`unexplained`), by id."""

    total: int
    unexplained: tuple[str, ...]


def received(published: Published, centre_id: str, first_day: date, last_day: date) -> CountedCalls:
    """The calls of these local days; what a person said about a topic counts as certain."""
    rows = published.rows(
        """select call_id, coalesce(topic = ? or coalesce(topic_confidence, 0) < ?, true) as fits_none from calls
        where centre_id = ? and status = 'graded' and direction = 'inbound' and cast(started_local as date) between ? and ? order by call_id""",
        OTHER, SURE_TOPIC, centre_id, first_day, last_day,
    )  # fmt: skip
    return CountedCalls(len(rows), tuple(row["call_id"] for row in rows if row["fits_none"]))


def sampled(call_ids: Sequence[str], most: int, seed: str) -> list[str]:
    """At most so many of these calls, by chance but the same ones for the same seed."""
    return sorted(call_ids, key=lambda one: hashlib.sha256(f"{seed} {one}".encode()).digest())[:most]


def openings(published: Published, call_ids: Sequence[str]) -> list[Opening]:
    """The openings of these calls; calls in which the client says too little are left out."""
    found: list[Opening] = []
    for first in range(0, len(call_ids), _AT_ONCE):
        some = list(call_ids[first : first + _AT_ONCE])
        kept = {row["call_id"]: row["text_kept"] for row in published.of_calls("calls", some, "call_id", "call_id, text_kept")}
        turns = published.of_calls("turns", some, "call_id, turn_no", "call_id, turn_no, text, language", "role = 'client'")
        raw = [{"call_id": t["call_id"], "turn_no": t["turn_no"], "text_kept": "raw"} for t in turns if kept[t["call_id"]] == "raw"]
        readable = texts(published, raw, hears_personal_data=False) if raw else {}
        by_id = by_call([turn | {"text": readable.get((turn["call_id"], turn["turn_no"]), turn)["text"]} for turn in turns])
        found += [opening for call_id in some if (opening := _opening(call_id, by_id.get(call_id, [])))]
    return found


def _opening(call_id: str, turns: Sequence[Row]) -> Opening | None:
    words: list[str] = []
    saying: Row | None = None
    for turn in turns:
        own = (turn["text"] or "").split()
        if saying is None and len(PLACEHOLDER.sub("", turn["text"] or "").split()) >= LEAST_WORDS:
            saying = turn
        words += own
        if len(words) >= OPENING_WORDS:
            break
    if saying is None:
        return None
    return Opening(call_id, " ".join(words[:OPENING_WORDS]), saying["turn_no"], saying["language"] or "")
