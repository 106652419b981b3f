"""Moments of calls that a trainer looks for: points of the scorecard, things noticed, and words that were said; what is shown of them is masked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

from models.language import languages_of_script, words_of
from models.phrases import lemmas
from pipelines.published import Published, Row
from pipelines.web.masking import masked

MOST_SHOWN = 60
MOST_READ = 3000  # turns that hold the words in some form, before it is compared whether they may be read there
SHOWN_FINDINGS = ("abuse", "forbidden_phrase", "raised_voice", "interruption", "dead_air")
SEVERITIES = ("profanity", "insult", "threat")
KINDS = ("good_example", "to_improve")

_CALL = "c.call_id, c.centre_id, c.operator_id, c.topic, c.client_type, c.started_local, c.duration_s, c.recording_sha256, c.text_kept"
_SOURCES = {
    "criterion": f"""
        select {_CALL}, r.criterion_id, cast(null as varchar) as finding_kind, cast(null as varchar) as severity, r.criterion_id as number,
            r.role, r.turn_no, r.start_s, r.end_s, r.quote, if(r.verdict = 'pass', 'good_example', 'to_improve') as kind
        from (
            select * from criterion_results
            where {{inner}}
            qualify row_number() over (partition by call_id, scorecard_id, criterion_id order by judge = 'human' desc) = 1
        ) as r
        join calls as c using (call_id)
        where r.verdict in ('pass', 'fail') and r.start_s is not null and r.end_s > r.start_s""",
    "finding": f"""
        select {_CALL}, cast(null as varchar) as criterion_id, r.kind as finding_kind, r.severity, cast(r.finding_no as varchar) as number,
            r.role, r.turn_no, r.start_s, r.end_s, r.quote, if(r.role = 'operator', 'to_improve', null) as kind
        from (select * from findings where {{inner}}) as r
        join calls as c using (call_id)
        where r.end_s > r.start_s""",
    "turn": f"""
        select {_CALL}, cast(null as varchar) as criterion_id, cast(null as varchar) as finding_kind, cast(null as varchar) as severity,
            cast(r.turn_no as varchar) as number, r.role, r.turn_no, r.start_s, r.end_s, r.text as quote, cast(null as varchar) as kind
        from (select * from turns where {{inner}}) as r
        join calls as c using (call_id)
        where r.end_s > r.start_s""",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for; what is None or empty does not matter."""

    centres: tuple[str, ...]
    criterion_id: str | None = None
    verdict: str | None = None
    finding_kind: str | None = None
    severity: str | None = None
    outcome: str | None = None
    topic: str | None = None
    client_type: str | None = None
    operator_id: str | None = None
    text: str = ""
    is_exact: bool = False

    @property
    def is_empty(self) -> bool:
        return not any(getattr(self, f.name) for f in fields(self) if f.name not in ("centres", "is_exact"))

    @property
    def source(self) -> str:
        """Where the moments come from."""
        if self.finding_kind or self.severity:
            return "finding"
        return "turn" if self.text and not (self.criterion_id or self.verdict) else "criterion"


def search(published: Published, wanted: Wanted, *, hears_personal_data: bool = False) -> list[Row]:
    """The moments that fit everything wanted, the newest first, at most `MOST_SHOWN`; each with its key and its quote as it may be read."""
    inner: list[str] = ["true"]
    outer: list[str] = ["c.status = 'graded'", "list_contains(?, c.centre_id)"]
    inner_values: list[Any] = []
    values: list[Any] = [list(wanted.centres)]
    source = wanted.source
    if source == "criterion" and wanted.criterion_id:
        inner.append("criterion_id = ?")
        inner_values.append(wanted.criterion_id)
    if source == "finding":
        inner.append("list_contains(?, kind)")
        inner_values.append([wanted.finding_kind] if wanted.finding_kind else list(SHOWN_FINDINGS))
        if wanted.severity:
            inner.append("severity = ?")
            inner_values.append(wanted.severity)
    elif wanted.verdict:
        outer.append("r.verdict = ?")
        values.append(wanted.verdict)
    for column in ("topic", "client_type", "operator_id"):
        if getattr(wanted, column):
            outer.append(f"c.{column} = ?")
            values.append(getattr(wanted, column))
    if wanted.outcome:
        outer.append("c.call_id in (select call_id from abuse_procedures where outcome = ?)")
        values.append(wanted.outcome)
    said = words_of(wanted.text)
    if wanted.text and not said:
        return []
    if said:
        # The view lemmas finds turns without reading them; whether a reader may see the words there is compared afterwards.
        for word in (part for one in said for part in one.split("-")):
            place = "(call_id, turn_no) in (select call_id, unnest(turn_nos) from lemmas where list_contains(?, lemma))"
            inner.append(place)
            inner_values.append(sorted(_lemmas(word)))
    sql = f"{_SOURCES[source].format(inner=' and '.join(inner))} and {' and '.join(outer)} order by c.started_local desc nulls last, c.call_id, r.start_s limit ?"
    rows = published.rows(sql, *inner_values, *values, MOST_READ if said else MOST_SHOWN)
    if said:
        rows = _really_said(published, rows, said, wanted.is_exact, hears_personal_data)
    return [row | {"key": key_of(source, row)} for row in quoted(published, rows[:MOST_SHOWN], hears_personal_data=hears_personal_data)]


def key_of(source: str, row: Row) -> str:
    """What a form sends to name a moment; it is looked up again, and says nothing about what may be seen."""
    return f"{source}:{row['number']}:{row['call_id']}"


def call_of(key: str) -> str:
    """The call that a key names; empty for what is no key."""
    return key.split(":", 2)[2] if key.count(":") >= 2 else ""


def found(published: Published, key: str) -> Row | None:
    """The moment of a key, in a call that was looked up before."""
    source, _, rest = key.partition(":")
    number, _, call_id = rest.partition(":")
    column = {"criterion": "criterion_id", "finding": "finding_no", "turn": "turn_no"}.get(source)
    if column is None or (column != "criterion_id" and not (number.isascii() and number.isdigit() and len(number) < 7)):
        return None
    inner = f"call_id = ? and {column} = ?"
    rows = published.rows(f"{_SOURCES[source].format(inner=inner)} limit 1", call_id, number if column == "criterion_id" else int(number))
    return rows[0] if rows else None


def quoted(published: Published, rows: Sequence[Row], *, hears_personal_data: bool = False) -> list[Row]:
    """The rows with personal data masked in their quotes, where the words of the call were kept raw."""
    raw = [] if hears_personal_data else sorted({row["call_id"] for row in rows if row["text_kept"] == "raw"})
    if not raw:
        return list(rows)
    words, personal = _words(published, raw), _personal(published, raw)
    return [
        row | {"quote": _within(words[row["call_id"]], personal[row["call_id"]], row["start_s"], row["end_s"]) if row["quote"] else None}
        if row["call_id"] in raw else row
        for row in rows
    ]  # fmt: skip


def context(published: Published, call_id: str, start_s: float, end_s: float) -> list[Row]:
    """The turns of a piece of a call, each with the words that can be heard in it, personal data masked whoever reads it."""
    personal = _personal(published, [call_id])[call_id]
    words: dict[int, list[Row]] = defaultdict(list)
    for word in _words(published, [call_id])[call_id]:
        if word["start_s"] < end_s and word["end_s"] > start_s:
            words[word["turn_no"]].append(word)
    turns = published.rows(
        "select turn_no, role, start_s, end_s from turns where call_id = ? and start_s < ? and end_s > ? order by start_s, turn_no",
        call_id, end_s, start_s,
    )  # fmt: skip
    return [turn | {"text": masked(words[turn["turn_no"]], personal)} for turn in turns if words[turn["turn_no"]]]


def _within(words: Sequence[Row], personal: Sequence[Row], start_s: float, end_s: float) -> str:
    return masked([w for w in words if start_s - 0.01 <= w["start_s"] and w["end_s"] <= end_s + 0.01], personal) or "[…]"


def _words(published: Published, ids: list[str]) -> defaultdict[str, list[Row]]:
    return _by_call(published, "select * from words where call_id in (select unnest(?)) order by call_id, turn_no, word_no", ids)


def _personal(published: Published, ids: list[str]) -> defaultdict[str, list[Row]]:
    return _by_call(published, "select * from personal_data where call_id in (select unnest(?)) order by call_id, start_s", ids)


def _by_call(published: Published, sql: str, ids: list[str]) -> defaultdict[str, list[Row]]:
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in published.rows(sql, ids):
        found[row["call_id"]].append(row)
    return found


def _really_said(published: Published, rows: list[Row], said: list[str], is_exact: bool, hears_personal_data: bool) -> list[Row]:
    """The rows whose turn holds every word; what a reader may not see is not found either."""
    ids = sorted({row["call_id"] for row in rows})
    texts = {
        (t["call_id"], t["turn_no"]): t
        for t in published.rows("select call_id, turn_no, text, language from turns where call_id in (select unnest(?))", ids)
    }
    raw = [] if hears_personal_data else sorted({row["call_id"] for row in rows if row["text_kept"] == "raw"})
    if raw:
        words, personal = _words(published, raw), _personal(published, raw)
        for (call_id, turn_no), turn in texts.items():
            if call_id in words:
                turn["text"] = masked([w for w in words[call_id] if w["turn_no"] == turn_no], personal[call_id])
    wanted = [_lemmas(word) for word in said]
    kept = []
    for row in rows:
        turned = texts.get((row["call_id"], row["turn_no"]))
        if turned is None:
            continue
        heard = words_of(turned["text"])
        if is_exact:
            fits = any(heard[n : n + len(said)] == said for n in range(len(heard)))
        else:
            forms = {form for word in heard for form in (word, *lemmas(word, turned["language"] or ""))}
            fits = all(forms & one for one in wanted)
        if fits:
            kept.append(row)
            if len(kept) == MOST_SHOWN:
                break
    return kept


@lru_cache(maxsize=2000)
def _lemmas(word: str) -> frozenset[str]:
    return frozenset({word, *(form.replace("ё", "е") for language in languages_of_script(word) for form in lemmas(word, language))})
